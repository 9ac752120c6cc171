"""The papers' experiments: published figures beside what comes out here.

    python -m benchmarks.papers                               collects what is there
    python -m benchmarks.papers --only 000 --scale small      trains and tests the recipes of a paper first
    python -m benchmarks.papers --runs 002_pix2pix_decay20    those named, and the recipes that they need

Trains what is not trained yet (checkpoints/<recipe>, or <recipe>_small), tests it, and writes a table of all recipes to
benchmarks/papers.md and results/papers/index.html. Runs that are not there stand in it as benchmarks/measured.json has
them, which gets what is measured. `--scale small` shortens epochs, images and networks
(`benchmarks.recipes.SMALL`); each row of the table says what its run differs in from its recipe.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.papers_page import write_markdown, write_papers_page
from benchmarks.papers_rows import MEASURED, collect, measurements
from benchmarks.phantom_siim import make_phantom_siim
from benchmarks.recipes import PHANTOM, TESTS, Recipe, read_recipes, run_name, with_needs
from benchmarks.runs import ROOT, Failed, call, train
from util.errors import UserError, run_script
from util.files import write_json

QUIET = ["--display_id", "0", "--save_epoch_freq", "1000"]


def main() -> int:
    recipes = read_recipes()
    papers = sorted({recipe.paper for recipe in recipes.values()})
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--only", nargs="+", default=[], choices=papers, help="train and test the recipes of these papers"
    )
    parser.add_argument("--runs", nargs="+", default=[], metavar="RECIPE", help="train and test these recipes")
    parser.add_argument("--scale", default="full", choices=("small", "full"), help="default: %(default)s")
    parser.add_argument(
        "--no_imagenet",
        action="store_true",
        help="start encoders from random weights where a recipe would download ImageNet's, as --scale small does",
    )
    parser.add_argument("--phase", help="test on this phase (default: val; facades: test, their only other one)")
    parser.add_argument("--checkpoints_dir", type=Path, default=Path("checkpoints"))
    parser.add_argument("--results_dir", type=Path, default=Path("results"))
    parser.add_argument("--verbose", action="store_true", help="show the traceback of an error")
    opt = parser.parse_args()
    if unknown := set(opt.runs) - recipes.keys():
        raise UserError(f"--runs {' '.join(sorted(unknown))}: no such recipe; there are {', '.join(recipes)}")
    wanted = [name for name, recipe in recipes.items() if name in opt.runs or recipe.paper in opt.only]
    failed = []
    for recipe in with_needs(recipes, wanted):
        print(f"\n{recipe.name}, {opt.scale}", file=sys.stderr)
        try:
            run(recipe, opt)
        except Failed as error:
            if error.code >= 128 or error.code < 0:  # stopped from outside: go no further
                raise UserError(f"{recipe.name}: stopped; the same command goes on where it stopped") from error
            failed.append(recipe.name)
    papers = collect(recipes, opt.checkpoints_dir, opt.results_dir, json.loads(MEASURED.read_text(encoding="utf-8")))
    write_json(MEASURED, measurements(papers, recipes))
    write_markdown(papers, ROOT / "benchmarks" / "papers.md")
    write_papers_page(papers, opt.results_dir / "papers")
    print(f"page: {opt.results_dir / 'papers' / 'index.html'}")
    if failed:
        raise UserError(f"failed, for the reasons above: {', '.join(failed)}")
    return 0


def run(recipe: Recipe, opt: argparse.Namespace) -> None:
    """Train and test the run of a recipe as far as it is not done yet."""
    name = run_name(recipe.name, opt.scale)
    flags = recipe.flags(opt.scale, opt.scale == "full" and not opt.no_imagenet)
    if PHANTOM in flags:
        make_phantom_siim(ROOT / PHANTOM)
    if recipe.script != "train.py":
        own = [] if recipe.script == "test.py" else ["--results_dir", str(opt.results_dir)]
        call(recipe.script, name, [*flags, *own], opt.checkpoints_dir)
        return
    train(name, [*flags, *QUIET], opt.checkpoints_dir)
    phase = opt.phase or ("test" if "datasets/facades" in flags else "val")
    for folder, more in (TESTS[""] | TESTS.get(recipe.paper, {})).items():
        results = opt.results_dir / "papers" / folder if folder else opt.results_dir
        done = results / name / f"{phase}_latest" / "metrics.json"
        trained = opt.checkpoints_dir / name / "minutes.txt"
        if not done.exists() or done.stat().st_mtime < trained.stat().st_mtime:
            call("test.py", name, ["--phase", phase, *more, "--results_dir", str(results)], opt.checkpoints_dir)


if __name__ == "__main__":
    run_script(main)
