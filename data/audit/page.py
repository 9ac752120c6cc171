"""index.html of an audit: the masks that disagree most, with their outlines, and the pictures that are there twice."""

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from dominate import tags
from dominate.util import text

from data.audit.cases import Case, read_case
from data.audit.disagreement import Disagreement
from data.audit.table import Entry
from util.show.gallery import Card, Picture, gallery
from util.show.pages import colour_key, page, score_table, write_page
from util.show.pictures import BOTH, PREDICTION, TRUTH, differences, outlines, save_jpeg, small

OURS = ("index.html", "pictures")
SHOWN = 100
"""The page shows this many images; verdicts.csv has all of them."""
WIDTH = 300
VALUES = {"score": "disagreement", "area": "area", "distance": "distance", "dice": "Dice"}
LARGEST = 512  # pixels a side of a picture
PICTURES = {"xray": "X-ray", "outlines": "outlines", "difference": "difference"}


def write_audit_page(
    folder: Path, title: str, entries: Sequence[Entry], cases: Mapping[str, Case], table: Path
) -> None:
    """Write index.html and its pictures. entries: in the order of the page. cases: by id, those that were compared."""
    compared = [entry for entry in entries if entry.found]
    shown = [entry for entry in compared if entry.kind][:SHOWN]
    for entry in shown:
        _draw(folder / "pictures", cases[entry.id])
    doc = page(title, links={"the results": "../index.html"} if (folder.parent / "index.html").is_file() else {})
    with doc.main:
        _explain(compared, table)
        _repeated(entries)
        tags.h2("Masks, those that disagree most first")
        _legend()
        if len(compared) > len(shown):
            tags.p(f"The first {len(shown)} of {len(compared)} masks; {table.name} has all of them.")
        gallery([_card(rank, entry) for rank, entry in enumerate(shown, 1)], "most disagreement first", VALUES, WIDTH)
    write_page(folder / "index.html", doc)


def _draw(folder: Path, case: Case) -> None:
    real, mask, predicted, _, _ = read_case(case)
    pictures = {
        "xray": real,
        "outlines": outlines(real, predicted, mask),
        "difference": differences(real, predicted.astype(np.uint8), mask.astype(np.uint8), True),
    }
    for name, picture in pictures.items():
        save_jpeg(folder / f"{case.id}_{name}.jpg", small(picture, LARGEST))


def _explain(compared: Sequence[Entry], table: Path) -> None:
    kinds = Counter(entry.kind for entry in compared if entry.kind)
    tags.p(
        "These masks disagree with a network that has not learnt from them. That does not make them wrong: whether the "
        "heart's shadow counts as lung, for example, is a convention (",
        tags.a("arXiv 2402.11510", href="https://arxiv.org/abs/2402.11510"),
        "), and the network errs, too. Look at each, and write keep, drop or redraw into the column verdict of ",
        str(table),
        ". Images to drop or redraw are left out of training.",
    )
    tags.p(
        "Order: first the masks whose kind names a cause, which must explain half of the difference or more. Then by "
        "disagreement: each pixel in which the masks differ counts by its distance from the mask's outline and by the "
        f"network's confidence, relative to the size of the masks. Kinds of all {len(compared)} masks: ",
        ", ".join(f"{kind} {count}" for kind, count in kinds.most_common()) or "no difference",
        ".",
        cls="note",
    )


def _repeated(entries: Sequence[Entry]) -> None:
    noted = [entry for entry in entries if entry.repeated]
    if not noted:
        return
    tags.h2("Pictures and patients in more than one place")
    with score_table(("image", "patient", "split", "what")):
        for entry in noted[:SHOWN]:
            with tags.tr():
                tags.th(entry.id)
                tags.td(entry.row.patient)
                tags.td(entry.row.split)
                tags.td(tags.small("; ".join(entry.repeated), cls="wrap"))
    if len(noted) > SHOWN:
        tags.p(f"The first {SHOWN} of {len(noted)} images.")


def _legend() -> None:
    with tags.p(cls="note"):
        text("Outlines of")
        colour_key(TRUTH, "the data set's mask")
        colour_key(PREDICTION, "the network's")
        colour_key(BOTH, "both")
        tags.br()
        text("Difference:")
        colour_key((205, 205, 205), "in both")
        colour_key(TRUTH, "only in the data set's mask")
        colour_key(PREDICTION, "only in the network's")


def _card(rank: int, entry: Entry) -> Card:
    found, row = entry.found or Disagreement(0, 0, 0, 1, 0), entry.row
    facts = [f"rank {rank}", entry.kind, f"area {found.area:.0%}", f"distance {found.distance:.0f} px"]
    facts += [f"Dice {found.dice:.3f}", row.split and f"split {row.split}", *entry.findings]
    facts += [entry.verdict and f"verdict: {entry.verdict}"]
    paths = {label: Path("pictures") / f"{entry.id}_{name}.jpg" for name, label in PICTURES.items()}
    pictures = [Picture(label, path, path) for label, path in paths.items()]
    values = {"score": found.score, "area": found.area, "distance": found.distance, "dice": found.dice}
    return Card(entry.id, pictures, " · ".join(fact for fact in facts if fact), row.source, values)
