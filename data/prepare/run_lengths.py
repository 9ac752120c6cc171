"""Masks as runs of pixels in a CSV file, as the SIIM-ACR pneumothorax challenge writes them."""

import contextlib
import csv
from collections import defaultdict
from pathlib import Path

import numpy as np

from data.read.images import files_below
from util.errors import UserError

IMAGE, RUNS = {"imageid", "fname"}, {"encodedpixels", "mask"}
EMPTY = "-1"
NO_MASK = {"", "nan", "none", "-1", "-1.0", "-1.0 -1.0"}
"""How tables write that an image has no mask: the challenge's -1, and what spreadsheets and pandas make of it."""
DIALECTS = ("relative", "absolute")


def decode(runs: str, height: int, width: int, dialect: str = "relative") -> np.ndarray:
    """Runs such as "3 2 4 1" to a mask uint8 {0, 1} [height, width]. "-1" is an empty mask.

    Runs are pairs of numbers, the second of which is the run's length. The first is, if `relative`, the pixels to skip
    after the previous run (at first, after pixel 0), and if `absolute`, the number of the run's first pixel, from 1.
    Pixels are counted down the columns. UserError: not such pairs, runs that overlap or go back, or pixels outside the
    image.
    """
    steps = np.zeros(height * width + 1, np.int8)
    if runs.strip() != EMPTY:
        starts, ends = _spans(runs, height, width, dialect)
        np.add.at(steps, starts, 1)  # where two runs touch, one pixel gets +1 and -1
        np.add.at(steps, ends, -1)
    return np.cumsum(steps[:-1], dtype=np.int8).astype(np.uint8).reshape(width, height).T


def dialects_of(runs: str, height: int, width: int) -> set[str]:
    """The dialects in which these runs are a mask of such an image."""
    fitting = set()
    for dialect in DIALECTS:
        with contextlib.suppress(UserError):
            _spans(runs, height, width, dialect)
            fitting.add(dialect)
    return fitting


def _spans(runs: str, height: int, width: int, dialect: str) -> tuple[np.ndarray, np.ndarray]:
    """The first pixel of each run, from 0, and the pixel after it. UserError as in `decode`."""
    try:
        numbers = np.array([int(number) for number in runs.split()], np.int64)
    except (ValueError, OverflowError):
        raise UserError("a mask that is not a list of numbers") from None
    if not numbers.size or numbers.size % 2 or numbers.min() < 0:
        raise UserError(f"a mask of {numbers.size} numbers; want pairs of a gap and a length, or {EMPTY}")
    last, lengths = numbers.max(), numbers[1::2]
    ends = np.cumsum(numbers)[1::2] if dialect == "relative" else numbers[::2] - 1 + lengths
    if last <= height * width:  # else a sum may have overflowed
        last = ends.max()
    if last > height * width:
        raise UserError(f"a mask that reaches pixel {last} of an image of {width} x {height}")
    starts = ends - lengths
    if starts[0] < 0 or (starts[1:] < ends[:-1]).any():
        raise UserError("a mask whose runs overlap, go back, or start before the first pixel")
    return starts, ends


def find_table(root: Path) -> Path:
    """The CSV file in or below `root` that holds such masks. UserError: none, or several."""
    tables = [path for path in files_below(root) if path.suffix.lower() == ".csv" and _columns(path)]
    # The challenge's submission form has the same columns, and its short sample repeats rows of the full table.
    for word in ("submission", "sample"):
        tables = [path for path in tables if word not in path.name.lower()] or tables
    if not tables:
        raise UserError(
            f"{root}: not the SIIM-ACR set: looked for a CSV file with the columns ImageId and "
            "EncodedPixels (train-rle.csv), here and below"
        )
    if len(tables) > 1:
        names = ", ".join(str(path.relative_to(root)) for path in tables)
        raise UserError(f"{root}: {names} all hold masks; leave one of them there")
    return tables[0]


def read_table(path: Path) -> dict[str, list[str]]:
    """The runs of each image. An image may have several rows, each with a part of its mask. UserError: no such
    table."""
    columns = _columns(path)
    if columns is None:
        raise UserError(f"{path}: no columns ImageId and EncodedPixels in a CSV file in UTF-8")
    image, runs = columns
    rows = defaultdict(list)
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            for line in csv.DictReader(file):
                if name := (line[image] or "").strip():
                    mask = (line[runs] or "").strip()
                    rows[name].append(EMPTY if mask.lower() in NO_MASK else mask)
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV file in UTF-8: {error}") from None
    return dict(rows)


def _columns(path: Path) -> tuple[str, str] | None:
    """The exact names of the columns with images and runs in this file. None: it has no such columns."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:
            header = next(csv.reader(file), [])
    except (UnicodeDecodeError, csv.Error):
        return None
    # The challenge's own file has a blank before EncodedPixels, so names are compared without blanks.
    image, runs = ([name for name in header if name.strip().lower() in names] for names in (IMAGE, RUNS))
    return (image[0], runs[0]) if image and runs else None
