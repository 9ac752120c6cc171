"""index.html of test.py --compare: the runs' scores, and a gallery of every image with each run's outline."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from dominate import tags
from dominate.util import text

from util.show.comparison.runs import Comparison
from util.show.gallery import Card, Picture, gallery
from util.show.pages import MOST_IMAGES, colour_key, page, score_table, write_page
from util.show.pictures import BOTH, PREDICTION, TRUTH


def write_comparison_page(
    folder: Path, comparison: Comparison, winsize: int = 256, links: Mapping[str, str] | None = None
) -> None:
    """Write index.html beside the pictures that are already in `folder`.

    winsize: largest width of a picture on the page in pixels. links: text to URL of pages about the runs.
    """
    files = {name: name for name in ("compare.csv", "compare.json") if (folder / name).exists()}
    doc = page("Compared: " + ", ".join(comparison.runs), links=files | dict(links or {}))
    with doc.main:
        tags.p(_listed(comparison.common), cls="note")
        tags.h2("Runs")
        _runs(comparison)
        tags.h2("Images")
        with tags.p(cls="note"):
            text("Outlines of")
            colour_key(PREDICTION, "the run's mask")
            if comparison.scored:
                colour_key(TRUTH, "the ground truth")
                colour_key(BOTH, "both")
        tags.p(
            "Disagreement on an image: 1 - Dice between the masks of two runs, averaged over all pairs of runs. It "
            "needs no ground truth.",
            cls="note",
        )
        _images(comparison, winsize)
    write_page(folder / "index.html", doc)


def _runs(comparison: Comparison) -> None:
    titles = ["mean Dice", "mean IoU", f"Dice minus {comparison.first}'s", "p", "better / worse"]
    with score_table(["", *(titles if comparison.scored else [])]):
        for run, evaluation in comparison.evaluations.items():
            with tags.tr():
                tags.th(run, tags.small(_listed(comparison.own(run)), cls="wrap"), scope="row")
                if not comparison.scored:
                    continue
                for name in ("dice", "iou"):
                    _cell(evaluation.summary["macro"][name], evaluation.summary["interval"]["macro"][name], ".4f")
                if difference := comparison.difference(run):
                    _cell(difference["mean"], difference["interval"], "+.4f")
                    tags.td(f"{difference['p']:.2g}" if difference["p"] >= 1e-4 else "<0.0001")
                    tags.td(f"{difference['better']} / {difference['worse']}")
                else:
                    for _ in range(3):
                        tags.td("")
    with tags.p(cls="note"):
        if comparison.scored:
            text(
                f"Means over {len(comparison.rows)} images with 95 % intervals by bootstrap over patients. Better / "
                "worse: number of images. p: Wilcoxon's signed-rank test of the patients' mean differences, not "
                "corrected for the number of runs. Difference and p compare these runs only. To show that one way of "
                "training is better than another, train each with several seeds. "
            )
        tags.a("compare.csv", href="compare.csv")
        text(" has the scores of every image, ")
        tags.a("compare.json", href="compare.json")
        text(" has this table.")


def _listed(settings: Mapping[str, object]) -> str:
    return " · ".join(f"{name}: {value}" for name, value in settings.items())


def _cell(value: float, interval: list[float], form: str) -> None:
    low, high = interval
    tags.td(format(value, form), tags.small(f"[{low:{form}}, {high:{form}}]"))


def _images(comparison: Comparison, winsize: int) -> None:
    order = np.argsort(-comparison.disagreement, kind="stable")[:MOST_IMAGES]
    if len(comparison.rows) > MOST_IMAGES:
        tags.p(
            f"The {MOST_IMAGES} images with the largest disagreement, of {len(comparison.rows)}; compare.csv lists all."
        )
    dice = {run: comparison.dice(run) for run in comparison.runs} if comparison.scored else {}
    values = {"apart": "disagreement"} | {f"run{i}": f"Dice of {run}" for i, run in enumerate(dice)}
    cards = []
    for index in order:
        row, apart = comparison.rows[index], comparison.disagreement[index]
        scores = {f"run{i}": float(dice[run][index]) for i, run in enumerate(dice)}
        facts = " · ".join([f"disagreement {apart:.3f}", *([row["source"]] if row["source"] else [])])
        cards.append(
            Card(
                row["id"],
                _pictures(comparison, row["id"], index, dice),
                facts,
                row["source"],
                {"apart": float(apart)} | scores,
            )
        )
    gallery(cards, "largest disagreement first", values, winsize)


def _pictures(comparison: Comparison, name: str, index: int, dice: Mapping[str, np.ndarray]) -> list[Picture]:
    """The image, its ground truth, and each run's mask over it."""
    shown = {"input": Path("images")} | ({"ground truth": Path("truths")} if comparison.scored else {})
    pictures = [Picture(label, path := kind / f"{name}.jpg", path) for label, kind in shown.items()]
    for run in comparison.runs:
        label = f"{run}, Dice {dice[run][index]:.4f}" if dice else run
        overlay, mask = Path("overlays") / run / f"{name}.jpg", Path("masks") / run / f"{name}.png"
        pictures.append(Picture(label, overlay, overlay, mask))
    return pictures
