"""Which image belongs to which phase: by a list (splits.csv), or by a draw for each patient."""

import csv
import hashlib
import io
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from util.errors import UserError

TRAIN, VAL = 0.7, 0.1


@dataclass(frozen=True)
class Row:
    """One line of splits.csv. masks: as listed; empty if masks are matched by name. split, source, patient, fold,
    label: "" if unknown. spacing: mm per pixel (rows, columns), None if unknown."""

    image: Path
    masks: tuple[Path, ...] = ()
    split: str = ""
    source: str = ""
    patient: str = ""
    fold: str = ""
    label: str = ""
    spacing: tuple[float, float] | None = None


def read_splits(path: Path) -> list[Row]:
    """The rows of a CSV file with the columns image and split. Optional columns are mask (several are separated by
    `;`), source, patient, fold, label (the finding) and spacing (mm per pixel: rows and columns, or one number for
    both). Paths are relative to the file. Columns may be separated by semicolons or tabs, as spreadsheets do,
    and folders by backslashes, as Windows does.

    UserError: not UTF-8 or CSV, a column is missing, no image, an image is listed twice, no file name, a bad spacing.
    """
    rows = [_row(path, image, line) for line in read_lines(path) if (image := (line["image"] or "").strip())]
    if not rows:
        raise UserError(f"{path}: it lists no image")
    seen: set[str] = set()
    for row in rows:
        key = os.path.normpath(row.image)  # a/../b.png is b.png
        if key in seen:
            raise UserError(f"{path}: {row.image.name} is listed twice")
        seen.add(key)
    return rows


def read_lines(path: Path) -> list[dict[str, str]]:
    """The lines of such a file by their columns, as they are written. UserError: not UTF-8 or CSV, a column is
    missing."""
    wanted = {"image", "split"}
    try:
        text = path.read_text(encoding="utf-8-sig")
        lines = text.splitlines()[:1]
        separators = (
            s for s in ",;\t" if wanted <= {name.strip() for name in next(csv.reader(lines, delimiter=s), [])}
        )
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=next(separators, ","))
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        if missing := wanted - {*reader.fieldnames}:
            raise UserError(f"{path}: no column {' and no column '.join(sorted(missing))} in its first line")
        return [{name: value or "" for name, value in line.items() if isinstance(name, str)} for line in reader]
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV file in UTF-8: {error}") from None


def _row(path: Path, name: str, line: Mapping[str, str]) -> Row:
    masks = tuple(_listed(path, mask.strip()) for mask in line.get("mask", "").split(";") if mask.strip())
    texts = (line.get(column, "").strip() for column in ("split", "source", "patient", "fold", "label"))
    image = _listed(path, name)
    return Row(image, masks, *texts, spacing=_spacing(path, image, line.get("spacing", "")))


def _listed(path: Path, name: str) -> Path:
    """The file that a list calls `name`. UserError: no name of a file."""
    # Elsewhere than on Windows, a name may hold a backslash.
    if "\\" in name and "\0" not in name and not os.path.lexists(path.parent / name):
        name = name.replace("\\", "/")
    if "\0" in name or Path(name).name in ("", ".."):
        raise UserError(f"{path}: {name!r} is no name of a file")
    return path.parent / name


def _spacing(path: Path, image: Path, text: str) -> tuple[float, float] | None:
    if not (parts := text.split()):
        return None
    try:
        numbers = [float(part) for part in parts]
    except ValueError:
        numbers = []
    if len(numbers) not in (1, 2) or not all(0 < number < math.inf for number in numbers):
        raise UserError(f"{path}: spacing {text!r} of {image.name}: want millimetres per pixel, as 0.175 0.175")
    return numbers[0], numbers[-1]


def draw(patient: str, seed: int) -> float:
    """A number in [0, 1) for a patient. It depends on name and seed alone, so new images move no patient."""
    digest = hashlib.sha256(f"{seed}/{patient}".encode("utf-8", "surrogateescape")).digest()
    return int.from_bytes(digest[:8], "big") / 2**64


def draw_split(patient: str, seed: int) -> str:
    """The split of a patient: train, val or test for 70, 10 and 20 % of patients. It depends on name and seed alone."""
    place = draw(patient, seed)
    return "train" if place < TRAIN else "val" if place < TRAIN + VAL else "test"
