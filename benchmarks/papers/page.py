"""The papers' tables of published and measured figures, as markdown and as a page."""

import os
from collections.abc import Sequence
from pathlib import Path

from dominate import tags

from benchmarks.papers.rows import Paper, Row
from benchmarks.runs import markdown
from util.files import write_text
from util.show.pages import TITLES, link, page, score_table, write_page

TITLE = "The papers' figures and ours"
ABOUT = (
    "Published figures are on the papers' own test sets. Measured figures are of one run with one seed: means over "
    "images at the original size of the ground truth, with 95 % intervals by bootstrap over patients in brackets. A "
    "row whose scores cannot all be true, published or measured, says which of them contradict each other "
    "(util.score.contradictions). A run that differs from its recipe says how, with the recipe's value in brackets."
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
        tags.style(
            "tr.published { background: #f3f6fa; } tr.cannot td { background: #fff1d6; } "
            "table.scores .words, thead th:nth-child(2), thead th:last-child { text-align: left; } "
            "table.scores .words { max-width: 44ch; min-width: 20ch; } "
            "table.scores tbody th { white-space: normal; min-width: 26ch; }"
        )
        tags.p(ABOUT, cls="note")
        for paper in papers:
            tags.h2(f"{paper.number}. {paper.title}")
            tags.p(paper.about)
            with score_table(("run", "what", *(TITLES[name] for name in paper.columns), "scale")):
                for row in paper.rows:
                    _line(row, paper.columns, folder)
    write_page(folder / "index.html", doc)


def _line(row: Row, columns: Sequence[str], folder: Path) -> None:
    with tags.tr(cls=f"{row.kind} {'cannot' * bool(row.marks)}"):
        name = tags.th()
        name.add(tags.a(row.title, href=link(Path(os.path.relpath(row.page, folder)))) if row.page else row.title)
        with tags.td(cls="words"):
            tags.span(f"{row.kind}: {row.how}" if row.how else row.kind)
            for mark in row.marks:
                tags.p(f"! {mark}")
        for column in columns:
            value, _, interval = _score(row, column).partition(" ")
            tags.td(value).add(tags.small(interval))
        tags.td(row.scale, cls="words")


def _score(row: Row, name: str) -> str:
    value = row.scores.get(name)
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    low, high = row.intervals.get(name, (None, None))
    return f"{value:.4f}" + ("" if low is None else f" ({low:.4f} to {high:.4f})")
