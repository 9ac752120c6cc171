"""index.html of test.py --compare: the runs' scores, and every image with each run's outline, sorted by a click."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from dominate import tags
from dominate.util import raw, text

from util.show.comparison import Comparison
from util.show.pages import MOST_IMAGES, colour_key, link, page, score_table, write_page
from util.show.pictures import BOTH, PREDICTION, TRUTH

# A click on a column's button puts the most interesting rows first: the lowest values if data-first is 1, the highest
# if it is -1. A second click reverses the order.
SORT = """
document.addEventListener("click", event => {
  const button = event.target.closest("button[data-key]");
  if (!button) return;
  const head = button.closest("th"), body = document.querySelector("table.compare tbody");
  const first = button.dataset.first === "1" ? "ascending" : "descending";
  const other = first === "ascending" ? "descending" : "ascending";
  const order = head.getAttribute("aria-sort") === first ? other : first;
  for (const th of document.querySelectorAll("table.compare th")) th.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", order);
  const sign = order === "ascending" ? 1 : -1, value = row => Number(row.getAttribute(button.dataset.key));
  body.append(...[...body.rows].sort((a, b) => sign * (value(a) - value(b))));
});
"""


def write_comparison_page(folder: Path, comparison: Comparison, winsize: int = 256) -> None:
    """Write index.html beside the pictures that are already in `folder`.

    winsize: largest width of a picture on the page in pixels.
    """
    doc = page("Compared: " + ", ".join(comparison.runs))
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
            "needs no ground truth. Click a column's button to sort by it, and again to reverse the order.",
            cls="note",
        )
        _images(comparison, winsize)
    doc.main.add(tags.script(raw(SORT)))
    write_page(folder / "index.html", doc)


def _runs(comparison: Comparison) -> None:
    titles = ["mean Dice", "mean IoU", f"Dice minus {comparison.first}'s", "p", "better / worse"]
    with score_table(["", *(titles if comparison.scored else [])]):
        for run, evaluation in comparison.evaluations.items():
            with tags.tr():
                tags.th(run, tags.small(_listed(comparison.own(run)), cls="wrap"))
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
    dice = {run: comparison.dice(run) for run in comparison.runs} if comparison.scored else {}
    columns = 1 + comparison.scored + len(comparison.runs)
    if len(comparison.rows) > MOST_IMAGES:
        tags.p(
            f"The {MOST_IMAGES} images with the largest disagreement, of {len(comparison.rows)}; compare.csv lists all."
        )
    style = f"width:min({winsize}px, {80 // columns}vw)"
    with tags.table(cls="compare"):
        with tags.thead(), tags.tr():
            _head("image", "data-image", "in order", "1")
            _head("input", "data-apart", "disagreement", "-1", order="descending")
            if comparison.scored:
                tags.th("ground truth")
            for i, run in enumerate(comparison.runs):
                if dice:
                    _head(run, f"data-run{i}", "Dice", "1")
                else:
                    tags.th(run)
        with tags.tbody():
            for index in np.argsort(-comparison.disagreement, kind="stable")[:MOST_IMAGES]:
                row, apart = comparison.rows[index], comparison.disagreement[index]
                values = {f"data-run{i}": f"{dice[run][index]:.6f}" for i, run in enumerate(dice)}
                with tags.tr(**{"data-image": str(index), "data-apart": f"{apart:.6f}"}, **values):
                    with tags.td():
                        text(row["id"])
                        tags.p(row["source"])
                    _picture(Path("images") / f"{row['id']}.jpg", f"disagreement {apart:.3f}", style)
                    if comparison.scored:
                        _picture(Path("truths") / f"{row['id']}.jpg", "", style)
                    for run in comparison.runs:
                        caption = f"Dice {dice[run][index]:.4f}" if dice else ""
                        _picture(Path("overlays") / run / f"{row['id']}.jpg", caption, style)


def _head(title: str, key: str, button: str, first: str, order: str = "") -> None:
    sort = {"aria-sort": order} if order else {}
    tags.th(title, tags.button(button, type="button", **{"data-key": key, "data-first": first}), **sort)


def _picture(path: Path, caption: str, style: str) -> None:
    picture = tags.img(src=link(path), alt=path.stem, loading="lazy", style=style)
    tags.td(tags.a(picture, href=link(path)), tags.p(caption))
