"""The rows of the papers' tables: published figures, and measured ones from the files that tests left."""

import json
from argparse import Namespace
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import options.train
from benchmarks.papers.recipes import FOLDER, TESTS, Recipe
from util.files import read_options
from util.run.log import read_metrics
from util.score.contradictions import contradictions

SCORES = ("dice", "iou", "miou", "accuracy", "precision", "recall")
DETECTION = ("dice_positives", "sensitivity", "specificity", "auc")
PUBLISHED = Path(__file__).with_name("published.json")
MEASURED = Path(__file__).with_name("measured.json")  # rows of runs that need not be on this machine
OF_THE_MACHINE = {
    "name",
    "checkpoints_dir",
    "gpu_ids",
    "num_threads",
    "cache_gb",
    "verbose",
    "continue_train",
    "epoch_count",
    "suffix",
    "display_id",
    "display_env",
    "display_freq",
    "display_ncols",
    "display_port",
    "display_server",
    "display_winsize",
    "print_freq",
    "update_html_freq",
    "no_html",
    "save_epoch_freq",
    "save_latest_freq",
    "save_by_iter",
    "val_freq",
    "max_dataset_size",
    "epoch",
    "load_iter",
    "skip_bad_files",
}
"""Flags that say where and how a run is trained, not what it learns: it may differ from its recipe in them."""


@dataclass
class Row:
    """A line of a paper's table.

    title: the run. kind: "published", "measured" or "not run". how: table and phase, or how it was tested. scale:
    epochs, images, their size, and differences from the recipe. scores: by name, in 0..1, or as they were printed.
    intervals: by the same names. marks: scores that contradict each other. page: the test's page.
    """

    title: str
    kind: str
    how: str = ""
    scale: str = ""
    scores: Mapping[str, float | str] = field(default_factory=dict)
    intervals: Mapping[str, list[float]] = field(default_factory=dict)
    marks: list[str] = field(default_factory=list)
    page: Path | None = None


@dataclass
class Paper:
    """number: as in the recipes' names. about: remarks on its figures."""

    number: str
    title: str
    about: str
    rows: list[Row]

    @property
    def columns(self) -> list[str]:
        """The scores that at least one row has."""
        return [name for name in (*SCORES, *DETECTION) if any(name in row.scores for row in self.rows)]


def collect(
    recipes: Mapping[str, Recipe], checkpoints_dir: Path, results_dir: Path, recorded: Mapping[str, list[dict]]
) -> list[Paper]:
    """Every paper with its rows: for each recipe the published one, then the measured ones, or one that says "not run".

    recorded: rows from `measurements` by recipe, for runs that are not on this machine.
    """
    papers = []
    for number, paper in json.loads(PUBLISHED.read_text(encoding="utf-8")).items():
        printed = {name: [row for row in paper["rows"] if row["recipe"] == name] for name in recipes}
        rows = []
        for name in sorted((r.name for r in recipes.values() if r.paper == number), key=lambda name: not printed[name]):
            rows += [published(row, paper["decimals"]) for row in printed[name]]
            ours = list(measured(recipes[name], recipes, checkpoints_dir, results_dir))
            if any(row["phase"] == "train" for row in printed[name]):
                ours = list(_trained(recipes[name], recipes, checkpoints_dir)) + ours
            titles = {row.title for row in ours}
            ours += [Row(**row) for row in recorded.get(name, []) if row["title"] not in titles]
            rows += sorted(ours, key=lambda row: row.title) or [Row(name, "not run")]
        papers.append(Paper(number, paper["title"], paper["about"], rows))
    return papers


def measurements(papers: Iterable[Paper], recipes: Mapping[str, Recipe]) -> dict[str, list[dict]]:
    """The measured rows by recipe, ready for JSON. They do not link to pages, which are on this machine only."""
    by_recipe: dict[str, list[dict]] = {}
    for row in (row for paper in papers for row in paper.rows if row.kind == "measured"):
        if recipe := owner(row.title.partition(":")[0], recipes):
            by_recipe.setdefault(recipe, []).append(vars(row) | {"page": None})
    return by_recipe


def published(printed: Mapping[str, Any], decimals: int) -> Row:
    """A line of published.json. A score may be "<0.001", if the paper printed it like that."""
    values = {name: printed[name] for name in (*SCORES, "foreground") if name in printed}
    numbers = {name: float(value[1:]) / 2 if isinstance(value, str) else value for name, value in values.items()}
    shown = {
        name: value if isinstance(value, str) else max(f"{value:.{decimals}f}", str(value), key=len)
        for name, value in values.items()
        if name in SCORES
    }
    return Row(
        f"{printed['recipe']}: {printed['row']}",
        "published",
        f"{printed['table']}, {printed['phase']}",
        scores=shown,
        marks=contradictions(numbers, rounding=0.5 * 10**-decimals),
    )


def measured(recipe: Recipe, recipes: Mapping[str, Recipe], checkpoints_dir: Path, results_dir: Path) -> Iterable[Row]:
    """A row for each test of the recipe's runs, of all scales."""
    if recipe.script == "forgetting.py":
        for path in sorted(results_dir.glob(f"{recipe.name}*/forgetting.json")):
            yield from _forgetting(path)
        return
    name, folders = recipe.name, [results_dir, *(results_dir / "papers" / f for f in TESTS.get(recipe.paper, {}))]
    if recipe.script == "test.py":  # it tests the run of another recipe
        name = recipe.words[recipe.words.index("--name") + 1]
        folders = [results_dir.parent / recipe.words[recipe.words.index("--results_dir") + 1]]
    for folder in folders:
        for path in sorted(folder.glob(f"{name}*/*/metrics.json")):
            run = path.parent.parent.name
            if owner(run, recipes) == name:
                title = run if name == recipe.name else f"{recipe.name}: {run}"
                yield _tested(path, recipes[name], title, checkpoints_dir / run)


def owner(run: str, recipes: Iterable[str]) -> str | None:
    """The recipe of a run, whose name is the recipe's or begins with it (`<recipe>_small`)."""
    return max((name for name in recipes if f"{run}_".startswith(f"{name}_")), key=len, default=None)


def _tested(path: Path, recipe: Recipe, title: str, run: Path) -> Row:
    metrics = json.loads(path.read_text(encoding="utf-8"))
    kind = "macro" if "dice" in metrics.get("macro", {}) else "micro"
    values, intervals = dict(metrics.get(kind, {})), dict(metrics.get("interval", {}).get(kind, {}))
    if kind == "micro":
        values["accuracy"], intervals["accuracy"] = (x.get("pixel_accuracy") for x in (values, intervals))
    detection = metrics.get("detection", {})
    values |= {name: detection.get(name) for name in DETECTION}
    intervals |= detection.get("interval", {})
    scores = {name: values[name] for name in (*SCORES, *DETECTION) if values.get(name) is not None}
    marks = metrics.get("contradictions", [])
    intervals = {name: intervals[name] for name in scores if intervals.get(name)}
    return Row(
        title,
        "measured",
        f"{path.parent.name.replace('_', ', ')}: {_how(metrics)}",
        scale(run, recipe),
        scores,
        intervals,
        marks,
        path.with_name("index.html"),
    )


def _trained(recipe: Recipe, recipes: Mapping[str, Recipe], checkpoints_dir: Path) -> Iterable[Row]:
    """A row for each run of the recipe with its scores on the training images, during the last epoch."""
    for path in sorted(checkpoints_dir.glob(f"{recipe.name}*/metrics.csv")):
        run, last = path.parent, read_metrics(path)[-1]
        if owner(run.name, recipes) == recipe.name and "train_dice" in last:
            scores = {name: last[f"train_{name}"] for name in ("dice", "iou")}
            yield Row(
                run.name,
                "measured",
                "train: mean over the last epoch, as it learnt",
                scale(run, recipe),
                scores,
                page=run / "web" / "index.html",
            )


def _how(metrics: Mapping) -> str:
    """The number of images, and settings of the test that are not the usual ones."""
    usual = {"threshold": 0.5, "dropout": "off"}
    quiet = {"checkpoint", "data", "phase", "preprocess", "crop_size"}
    settings = metrics.get("settings", {})
    unusual = [f"{name} {value}" for name, value in settings.items() if name not in quiet and usual.get(name) != value]
    return ", ".join([f"{metrics['images']} images", *unusual])


def scale(run: Path, recipe: Recipe) -> str:
    """Epochs, images and their size, and every flag that differs from the recipe, whose value is in brackets."""
    if not (run / "options.json").is_file():
        return "its run is not on this machine"
    wanted = recipe_options(recipe)
    ours = read_options(run / "options.json")
    epochs = read_metrics(run / "metrics.csv")
    last = epochs[-1]["epoch"] if epochs else 0
    images = f", {epochs[-1]['iters'] / last:.0f} images" if epochs else ""
    other = [
        f"{name} {Path(str(ours[name])).name} ({Path(str(value)).name})"
        for name, value in vars(wanted).items()
        if name not in OF_THE_MACHINE and name in ours and ours[name] != value and not name.startswith("n_epochs")
    ]
    planned = wanted.n_epochs + wanted.n_epochs_decay
    done = f"{last} epochs" if last == planned else f"{last} of {planned} epochs"
    return f"{done}{images} an epoch, {ours['crop_size']} px; " + (", ".join(other) or "all as in the recipe")


def recipe_options(recipe: Recipe) -> Namespace:
    """train.py's options for a recipe."""
    return options.train.parse([f"@{FOLDER / recipe.name}.txt"])


def _forgetting(path: Path) -> Iterable[Row]:
    """A row for each method of a study: its score on the new task, and the old task's before and after."""
    study = json.loads(path.read_text(encoding="utf-8"))
    for label, method in study["methods"].items():
        figures = method["figures"]
        before, after = (f"{figures[name]:.3f}" for name in ("old_before", "old_after"))
        name = "Dice" if "dice" in method["measures"][-1][-1] else "score"
        how = f"old task's mIoU {before} before, {after} after; new task's {name} {figures['new_score']:.3f}"
        yield Row(
            f"{path.parent.name}: {label}", "measured", how, " ".join(method["runs"]), page=path.with_name("index.html")
        )
