"""The papers' experiments: published figures and ours.

    python -m benchmarks.papers                               writes the tables from the runs on this machine
    python -m benchmarks.papers --only 000 --scale small      first trains and tests the recipes of a paper
    python -m benchmarks.papers --runs 002_pix2pix_decay20    first these recipes, and those that they need

Trains the runs that are not trained yet (checkpoints/<recipe>, or <recipe>_small), tests them, and writes tables of all
recipes to benchmarks/papers.md and results/papers/index.html. The figures also go to benchmarks/papers/measured.json;
runs that are not on this machine have theirs from it. `--scale small` uses fewer epochs, smaller images and smaller
networks (`benchmarks.papers.recipes.SMALL`). Each row of a table says how its run differs from its recipe.
"""

import argparse
import json
import sys
from pathlib import Path

from benchmarks.papers.page import write_markdown, write_papers_page
from benchmarks.papers.phantom_siim import make_phantom_siim
from benchmarks.papers.recipes import PHANTOM, TESTS, Recipe, read_recipes, run_name, with_needs
from benchmarks.papers.rows import MEASURED, collect, measurements
from benchmarks.runs import ROOT, Failed, call, parser, train
from util.errors import UserError, run_script
from util.files import write_json

QUIET = ["--display_id", "0", "--save_epoch_freq", "1000"]


def main() -> int:
    recipes = read_recipes()
    opt = parse(recipes)
    wanted = [name for name, recipe in recipes.items() if name in opt.runs or recipe.paper in opt.only]
    failed = []
    for recipe in with_needs(recipes, wanted):
        print(f"\n{recipe.name}, {opt.scale}", file=sys.stderr)
        try:
            run(recipe, opt)
        except Failed as error:
            if error.code >= 128 or error.code < 0:  # ended by a signal, so the user wants all of it to end
                raise UserError(f"{recipe.name} was stopped; repeat the command to go on from there") from error
            failed.append(recipe.name)
    papers = collect(recipes, opt.checkpoints_dir, opt.results_dir, json.loads(MEASURED.read_text(encoding="utf-8")))
    write_json(MEASURED, measurements(papers, recipes))
    write_markdown(papers, ROOT / "benchmarks" / "papers.md")
    write_papers_page(papers, opt.results_dir / "papers")
    print(f"page: {opt.results_dir / 'papers' / 'index.html'}")
    if failed:
        raise UserError(f"these recipes failed; their errors are above: {', '.join(failed)}")
    return 0


def parse(recipes: dict[str, Recipe]) -> argparse.Namespace:
    """The command line. UserError: --runs names an unknown recipe."""
    flags = parser(__doc__)
    papers = sorted({recipe.paper for recipe in recipes.values()})
    flags.add_argument("--only", nargs="+", default=[], choices=papers, help="train and test these papers' recipes")
    flags.add_argument("--runs", nargs="+", default=[], metavar="RECIPE", help="train and test these recipes")
    flags.add_argument("--scale", default="full", choices=("small", "full"), help="default: %(default)s")
    flags.add_argument(
        "--no_imagenet",
        action="store_true",
        help="start encoders from random weights where a recipe would download ImageNet's, as --scale small does",
    )
    flags.add_argument("--phase", help="test on this phase (default: val; for facades, which have none, test)")
    flags.add_argument("--checkpoints_dir", type=Path, default=Path("checkpoints"))
    flags.add_argument("--results_dir", type=Path, default=Path("results"))
    flags.add_argument("--verbose", action="store_true", help="show the traceback of an error")
    opt = flags.parse_args()
    if unknown := set(opt.runs) - recipes.keys():
        raise UserError(f"--runs {' '.join(sorted(unknown))}: no such recipe; there are {', '.join(recipes)}")
    return opt


def run(recipe: Recipe, opt: argparse.Namespace) -> None:
    """Train and test the run of a recipe, unless that is done already or its donor is not on this machine."""
    name = run_name(recipe.name, opt.scale)
    flags = recipe.flags(opt.scale, opt.scale == "full" and not opt.no_imagenet)
    if weights := [word for word in flags if word.startswith("datasets/weights/") and not (ROOT / word).exists()]:
        print(f"left out: it starts from {weights[0]}, which is not here (recipes/README.md)", file=sys.stderr)
        return
    if PHANTOM in flags:
        make_phantom_siim(ROOT / PHANTOM)
    if recipe.script != "train.py":
        results = [] if recipe.script == "test.py" else ["--results_dir", str(opt.results_dir)]
        call(recipe.script, name, [*flags, *results], opt.checkpoints_dir)
        return
    train(name, [*flags, *QUIET], opt.checkpoints_dir)
    phase = opt.phase or ("test" if "datasets/facades" in flags else "val")
    for folder, more in (TESTS[""] | TESTS.get(recipe.paper, {})).items():
        results = opt.results_dir / "papers" / folder if folder else opt.results_dir
        # Settings that differ from the run's are in the folder's name.
        done = [path.stat().st_mtime for path in (results / name).glob(f"{phase}_latest*/metrics.json")]
        trained = opt.checkpoints_dir / name / "minutes.txt"
        if max(done, default=0) < trained.stat().st_mtime:
            call("test.py", name, ["--phase", phase, *more, "--results_dir", str(results)], opt.checkpoints_dir)


if __name__ == "__main__":
    run_script(main)
