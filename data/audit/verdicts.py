"""verdicts.csv beside splits.csv: what a person has decided about masks that disagree with a network (`data.audit`)."""

import difflib
import os
from collections.abc import Collection
from pathlib import Path

from data.read.splits import listed_file, read_lines
from util.errors import UserError

NAME = "verdicts.csv"
VERDICTS = ("keep", "drop", "redraw")
LEFT_OUT = ("drop", "redraw")
"""Images with these verdicts do not train: a mask that shall be drawn again is bad until it is."""


def read_verdicts(root: Path) -> dict[Path, str]:
    """The verdict on each image of the data set `root` by its absolute path, without those that are still open; {}
    without a list.

    Only the columns image and verdict count. UserError: not UTF-8 or CSV, a column is missing, an unknown verdict, two
    verdicts on one image.
    """
    path = root / NAME
    if not path.is_file():
        return {}
    verdicts: dict[Path, str] = {}
    for line in read_lines(path, {"image", "verdict"}):
        if not (name := line["image"].strip()) or not (verdict := line["verdict"].strip().lower()):
            continue
        if verdict not in VERDICTS:
            raise UserError(f"{path}: verdict {verdict!r} of {name}: want {', '.join(VERDICTS)}, or nothing")
        image = absolute(listed_file(path, name))
        if verdicts.setdefault(image, verdict) != verdict:
            raise UserError(f"{path}: {name} has the verdicts {verdicts[image]} and {verdict}")
    return verdicts


def absolute(image: Path) -> Path:
    """The path by which lists and folders agree on an image: without links resolved, so that an image stays one."""
    return Path(os.path.abspath(image))


def left_out(root: Path, images: Collection[Path], known: Collection[Path]) -> tuple[set[Path], str]:
    """The images that verdicts keep out of training, and a line that says so ("" if there are none). known: all of the
    data set. UserError: a verdict on an image that does not exist."""
    verdicts = read_verdicts(root)
    if gone := next((image for image in verdicts if not os.path.exists(image)), None):
        names = {image.stem: _name(image, root) for image in known}
        near = difflib.get_close_matches(gone.stem, names, n=1)
        hint = f"did you mean {names[near[0]]}?" if near else f"want a path such as {min(names.values())}"
        raise UserError(
            f"{root / NAME}: it has a verdict on {_name(gone, root)}, and there is no such image; {hint} "
            "(of an image that you have removed, delete the line)"
        )
    found = {v: {image for image in images if verdicts.get(absolute(image)) == v} for v in LEFT_OUT}
    counts = ", ".join(f"{len(paths)} {verdict}" for verdict, paths in found.items() if paths)
    return set().union(*found.values()), f"{root / NAME}: images by their verdict: {counts}" if counts else ""


def _name(image: Path, root: Path) -> str:
    return Path(os.path.relpath(image, root)).as_posix()
