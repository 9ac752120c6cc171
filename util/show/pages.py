"""The frame, the style and the links that all HTML pages share.

A page is one file with relative links, so that it can be moved with its folder and needs no network.
"""

import contextlib
from collections.abc import Iterable, Iterator
from pathlib import Path
from urllib.parse import quote

from dominate import document, tags
from dominate.util import raw, text

from util.files import write_text

MOST_IMAGES = 1000
"""A page of results shows this many images. Browsers need gigabytes for a page of tens of thousands."""

# Column titles of the scores.
TITLES = {
    "dice": "Dice",
    "iou": "IoU",
    "miou": "mIoU",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "accuracy": "accuracy",
    "hd95_px": "HD95 (px)",
    "assd_px": "ASSD (px)",
    "hd95_mm": "HD95 (mm)",
    "assd_mm": "ASSD (mm)",
    "pixel_accuracy": "pixel accuracy",
    "class_accuracy": "class accuracy",
    "fwiou": "fw IoU",
    "void_rate": "void rate",
    "dice_positives": "Dice, positives only",
    "dice_all": "Dice, all images",
    "sensitivity": "sensitivity",
    "auc": "AUC",
}

STYLE = """
body { font: 15px/1.5 system-ui, "Segoe UI", "Helvetica Neue", Arial, sans-serif; color: #1f2933; background: #f6f7f9;
  margin: 0 auto; max-width: 1500px; padding: 24px 32px 64px; }
h1 { font-size: 24px; margin: 0 0 4px; }
h2 { font-size: 18px; margin: 36px 0 10px; }
h3 { font-size: 15px; margin: 0 0 8px; overflow-wrap: anywhere; }
p { margin: 6px 0; max-width: 90ch; }
p.note, small, figcaption { color: #5b6876; font-weight: normal; }
code { overflow-wrap: anywhere; }
a { color: inherit; }
table.scores { border-collapse: collapse; background: #fff; border: 1px solid #dde2e8;
  font-variant-numeric: tabular-nums; }
table.scores th, table.scores td { padding: 7px 12px; text-align: right; border-bottom: 1px solid #e8ebef; }
table.scores th { white-space: nowrap; }
table.scores th:first-child { text-align: left; }
table.scores thead th { background: #eef1f4; font-weight: 600; }
table.scores small { display: block; white-space: nowrap; }
table.scores small.wrap { white-space: normal; max-width: 46ch; overflow-wrap: anywhere; }
section.image { background: #fff; border: 1px solid #dde2e8; padding: 14px 16px 6px; margin: 0 0 14px; }
section.image table { border-spacing: 8px 0; margin-left: -8px; }
section.image td { vertical-align: top; text-align: center; color: #5b6876; }
section.image td p, table.compare td p { margin: 2px 0 6px; }
section.image img, table.compare img { display: block; background: #dde2e8; }
.scroll { overflow-x: auto; }
.figures { display: flex; flex-wrap: wrap; align-items: flex-start; gap: 20px; }
figure { margin: 0; background: #fff; border: 1px solid #dde2e8; padding: 12px; max-width: 560px; }
figure img { width: 100%; }
figure.wide { max-width: 1100px; margin-bottom: 14px; }
table.compare { border-spacing: 8px; margin-left: -8px; }
table.compare th { position: sticky; top: 0; background: #f6f7f9; padding: 6px 0; text-align: left; font-weight: 600;
  vertical-align: top; overflow-wrap: anywhere; }
table.compare td { vertical-align: top; color: #5b6876; font-variant-numeric: tabular-nums; }
table.compare button { font: inherit; font-weight: normal; padding: 2px 8px; cursor: pointer; display: block; }
th[aria-sort=ascending] button::after { content: " \\2191"; }
th[aria-sort=descending] button::after { content: " \\2193"; }
p.upshot { font-size: 18px; margin: 14px 0; max-width: 75ch; }
.key { display: inline-block; width: 12px; height: 12px; margin: 0 5px 0 14px; border: 1px solid #8894a0;
  vertical-align: -1px; }
.warning { background: #fff1d6; border-left: 4px solid #e69f00; padding: 8px 12px; }
@media (max-width: 700px) { body { padding: 12px; } }
"""


def page(title: str, refresh: int = 0) -> document:
    """Return a page with nothing but its title. refresh: seconds after which a browser reloads it (0: never)."""
    doc = document(title=title)
    doc.head.add(tags.meta(charset="utf-8"))
    doc.head.add(tags.meta(name="viewport", content="width=device-width, initial-scale=1"))
    if refresh:
        doc.head.add(tags.meta(http_equiv="refresh", content=str(refresh)))
    doc.head.add(tags.style(raw(STYLE)))
    doc.body.add(tags.h1(title))
    return doc


def write_page(path: Path, doc: document) -> None:
    """Write a page whole or not at all."""
    write_text(path, doc.render(pretty=False))


def colour_key(colour: tuple[int, int, int], meaning: str) -> None:
    """Add a patch of colour and its meaning to the open element."""
    tags.span(cls="key", style=f"background:rgb{colour}")
    text(meaning)


@contextlib.contextmanager
def score_table(titles: Iterable[str]) -> Iterator[None]:
    """Add a table with these column titles to the open element. Its rows are added inside the `with` block."""
    with tags.div(cls="scroll"), tags.table(cls="scores"):
        with tags.thead(), tags.tr():
            for title in titles:
                tags.th(title)
        with tags.tbody():
            yield


def link(path: Path) -> str:
    """Turn a relative path into a URL: spaces, quotes, %, # and letters beyond ASCII are escaped."""
    return quote(path.as_posix())


def picture_row(cells: list[tuple[str, Path, Path]], width: int) -> tags.html_tag:
    """Return a table of one row that shows pictures above their labels.

    cells: for each picture its label, the file that a click opens, and the file that is shown. width: of a picture on
    the page in pixels, less if the window is too narrow for the row.
    """
    row = tags.tr()
    for label, full, shown in cells:
        style = f"width:min({width}px, {90 // len(cells)}vw)"
        picture = tags.img(src=link(shown), alt=label, loading="lazy", style=style)
        row.add(tags.td(tags.a(picture, href=link(full)), tags.p(label)))
    return tags.div(tags.table(row), cls="scroll")
