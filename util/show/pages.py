"""The frame, the style and the links that all HTML pages share.

A page is one file with relative links, so that it can be moved with its folder and needs no network. Its style is
page.css. page.js makes its galleries (`util.show.gallery`) work; a page without any has no script.
"""

import contextlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from urllib.parse import quote

import numpy as np
from dominate import document, tags
from dominate.util import raw, text

from util.contracts import ClassMap
from util.files import write_text

MOST_IMAGES = 5000
"""A page of results shows this many images. A file of tens of thousands takes a browser long to read."""

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

ADDED = 'data-added="1"'
"""The attribute of links that `add_link` adds to a page."""
STYLE = Path(__file__).with_name("page.css").read_text("utf-8")
SCRIPT = Path(__file__).with_name("page.js").read_text("utf-8")


def page(title: str, refresh: int = 0, links: Mapping[str, str] | None = None) -> document:
    """Return a page with nothing but its title and links. Its content goes into its `main`.

    refresh: seconds after which a browser reloads it (0: never). links: text to URL, shown below the title.
    """
    doc = document(title=title, lang="en")
    doc.head.add(tags.meta(charset="utf-8"))
    doc.head.add(tags.meta(name="viewport", content="width=device-width, initial-scale=1"))
    if refresh:
        doc.head.add(tags.meta(http_equiv="refresh", content=str(refresh)))
    doc.head.add(tags.style(raw(STYLE)))
    header, main = tags.header(), tags.main()
    doc.header.add(header)
    doc.main.add(main)
    doc.main = main
    with header:
        tags.h1(title)
        if links:
            with tags.nav(aria_label="related pages and files"):
                for name, url in links.items():
                    tags.a(name, href=url)
    return doc


def write_page(path: Path, doc: document, keep_links: bool = False) -> None:
    """Write a page whole or not at all, with the script of its galleries. keep_links: those that `add_link` added."""
    if doc.main.get(cls="gallery"):
        doc.footer.add(tags.script(raw(SCRIPT)))
    html = doc.render(pretty=False)
    if keep_links and path.exists():
        added = re.findall(f"<a {ADDED}[^>]*>[^<]*</a>", path.read_text(encoding="utf-8", errors="replace"))
        html = html.replace("</nav>", "".join(added) + "</nav>", 1)
    write_text(path, html)


def colour_key(colour: tuple[int, int, int], meaning: str) -> None:
    """Add a patch of colour and its meaning to the open element."""
    with tags.span(cls="meaning"):  # a patch and its words stay in one line
        tags.span(cls="key", style=f"background:rgb{colour}")
        text(meaning)


def class_key(classes: ClassMap) -> None:
    """Add a line with the colour and the name of every class to the open element."""
    colours = classes.encode(np.arange(len(classes.names), dtype=np.uint8)[None])[0].tolist()
    with tags.p("Classes:", cls="note"):
        for (red, green, blue), name in zip(colours, classes.names, strict=True):
            colour_key((red, green, blue), name)


@contextlib.contextmanager
def score_table(titles: Iterable[str]) -> Iterator[None]:
    """Add a table with these column titles to the open element. Its rows are added inside the `with` block."""
    with tags.div(cls="scroll", tabindex="0"), tags.table(cls="scores"):
        with tags.thead(), tags.tr():
            for title in titles:
                tags.th(title, scope="col") if title else tags.td()
        with tags.tbody():
            yield


def link(path: Path) -> str:
    """Turn a relative path into a URL: spaces, quotes, %, # and letters beyond ASCII are escaped."""
    return quote(path.as_posix())


def picture_row(cells: list[tuple[str, Path, Path]], width: int, name: str = "") -> tags.html_tag:
    """Return pictures above their labels, in one row if the window is wide enough.

    cells: for each picture its label, the file that a click opens, and the file that is shown. width: of a picture on
    the page in pixels, less if the window is too narrow for the row. name: what the pictures show.
    """
    row = tags.div(cls="pictures", style=row_style(len(cells), width))
    for label, full, shown in cells:
        picture = tags.img(src=link(shown), alt=f"{label} of {name}" if name else label, loading="lazy")
        row.add(tags.a(picture, label, href=link(full)))
    return row


def row_style(count: int, width: int) -> str:
    """What page.css must know of a row: how many pictures are in it, and how wide each may be."""
    return f"--count:{count};--width:{width}px"


def url(file: Path, folder: Path) -> str:
    """The address of a file for a page in `folder`: relative, so that both can be moved together."""
    try:
        return link(Path(os.path.relpath(file, folder)))
    except ValueError:  # another drive, on Windows
        return file.resolve().as_uri()


def links_to_runs(runs: Iterable[Path], folder: Path) -> dict[str, str]:
    """Links from a page in `folder` to what exists of runs: text to URL. runs: their folders."""
    files = {"training": Path("web", "index.html"), "options": Path("train_opt.txt")}
    return {
        f"{what} of {run.name}": url(run / file, folder)
        for run in runs
        for what, file in files.items()
        if (run / file).exists()
    }


def add_link(path: Path, name: str, target: Path) -> None:
    """Add a link to the navigation of a page that was written before, if it exists."""
    if not path.exists():
        return
    anchor = tags.a(name, href=url(target, path.parent)).render(pretty=False).replace("<a ", f"<a {ADDED} ", 1)
    html = path.read_text(encoding="utf-8")
    if anchor not in html:
        write_text(path, html.replace("</nav>", f"{anchor}</nav>", 1))
