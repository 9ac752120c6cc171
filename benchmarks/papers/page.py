"""The papers' tables of published and measured figures, as markdown and as a page."""

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path

from dominate import tags
from dominate.util import text

from benchmarks.papers.rows import Paper, Row
from benchmarks.runs import markdown
from util.files import write_text
from util.show.pages import TITLES, page, url, write_page

TITLE = "The papers' figures and ours"
ABOUT = (
    "Published figures are on the papers' own test sets. Measured figures are of one run with one seed: means over "
    "images at the original size of the ground truth, with 95 % intervals by bootstrap over patients in brackets. A "
    "row whose scores cannot all be true, published or measured, says which of them contradict each other "
    "(util.score.contradictions). A run that differs from its recipe says how, with the recipe's value in brackets."
)

STYLE = (
    "tr.published { background: var(--tint); } tr.cannot td { background: var(--warn); } "
    "table.scores tbody { border-top: 2px solid var(--edge); } "
    "table.scores :is(th, td) { vertical-align: top; padding: 6px 8px; } "
    "table.scores :is(thead th, small) { white-space: normal; } "
    "table.scores tbody th { white-space: normal; overflow-wrap: anywhere; min-width: 20ch; max-width: 26ch; } "
    "table.scores .words, thead th:nth-child(2) { text-align: left; } table.scores .words { min-width: 30ch; }"
)


def write_markdown(papers: Sequence[Paper], path: Path) -> None:
    """Write one table for each paper."""
    source = "Written by `python -m benchmarks.papers`; the recipes are in [recipes/](../recipes/README.md)."
    parts = [f"# {TITLE}", source, ABOUT]
    for paper in papers:
        names = paper.columns
        header = ["run", "what", *(TITLES[name] for name in names), "scale", "cannot be"]
        rows = [
            [
                row.title,
                f"{row.kind}: {row.how}" if row.how else f"*{row.kind}*",
                *(_score(row, name) for name in names),
                row.scale,
                " ".join(f"**!** {mark}." for mark in row.marks),
            ]
            for row in paper.rows
        ]
        parts += [f"## {paper.number}. {paper.title}", paper.about, markdown(header, rows)]
    write_text(path, "\n\n".join(parts) + "\n")


def write_papers_page(papers: Sequence[Paper], folder: Path) -> None:
    """Write index.html to a folder, with links to the pages of the tests."""
    doc = page(TITLE)
    with doc.main:
        tags.style(STYLE)
        tags.p(ABOUT, cls="note")
        with tags.nav(aria_label="papers"), tags.ul():
            for paper in papers:
                tags.li(tags.a(f"{paper.number}. {paper.title}", href=f"#paper{paper.number}"))
        for paper in papers:
            tags.h2(f"{paper.number}. {paper.title}", id=f"paper{paper.number}")
            tags.p(paper.about)
            with tags.div(cls="scroll", tabindex="0"), tags.table(cls="scores"):
                with tags.thead(), tags.tr():
                    for title in ("run", "what", *(TITLES[name] for name in paper.columns)):
                        tags.th(title, scope="col")
                for name, rows in groupby(paper.rows, _name):
                    _block(name, list(rows), paper.columns, folder)
    write_page(folder / "index.html", doc)


def _name(row: Row) -> str:
    """The part of a row's title that it shares with its neighbours: a recipe, run or study."""
    return row.title.partition(": ")[0]


def _block(name: str, rows: Sequence[Row], columns: Sequence[str], folder: Path) -> None:
    """The rows of one recipe, run or study, beside its name."""
    with tags.tbody():
        for index, row in enumerate(rows):
            with tags.tr(cls=f"{row.kind} {'cannot' * bool(row.marks)}"):
                if not index:
                    tags.th(name, scope="rowgroup", rowspan=str(len(rows)))
                _what(row, folder)
                for column in columns:
                    value, _, interval = _score(row, column).partition(" ")
                    tags.td(value).add(tags.small(interval))


def _what(row: Row, folder: Path) -> None:
    """The kind of a row, with a link to its page, how it was tested, at which scale, and what cannot be."""
    which = row.title.partition(": ")[2]
    with tags.td(cls="words"):
        if which:
            tags.b(which, "; ")
        tags.a(row.kind, href=url(row.page, folder)) if row.page else text(row.kind)
        if row.how:
            text(f": {row.how}")
        if row.scale:
            tags.small(row.scale, cls="wrap")
        for mark in row.marks:
            tags.p(f"! {mark}")


def _score(row: Row, name: str) -> str:
    value = row.scores.get(name)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    low, high = row.intervals.get(name, (None, None))
    return f"{value:.4f}" + ("" if low is None else f" ({low:.4f} to {high:.4f})")
