"""Which image belongs to which phase: by a list (splits.csv), or by a draw for each patient."""

import csv
import hashlib
import io
import math
import os
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path

from data.read.folders import PHASES
from util.commands import quoted
from util.errors import UserError
from util.folds.record import OUT_OF_FOLD

TRAIN, VAL = 0.7, 0.1

MEANT = {phase: phase for phase in PHASES} | dict.fromkeys(("training", "trainset"), "train")
MEANT |= dict.fromkeys(("valid", "validation", "dev"), "val") | dict.fromkeys(("testing", "testset"), "test")
"""Which phase a folder of this name is meant to be, in lower case."""


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


def phase_folders(folder: Path) -> list[str]:
    """The sub-folders of `folder` named after phases, empty ones aside, where there are two or three; else [].
    UserError: they have other names than PHASES, such as Train and validation."""
    inside = folder.iterdir() if folder.is_dir() else ()
    meant = {
        p.name: MEANT[p.name.lower()] for p in inside if p.name.lower() in MEANT and p.is_dir() and any(p.iterdir())
    }
    if len({*meant.values()}) < 2:
        return []
    if odd := sorted(meant.keys() - PHASES):
        raise UserError(
            f"{folder}: its folders {', '.join(sorted(meant))} look like phases, which are called {', '.join(PHASES)}: "
            f"rename {odd[0]} to {meant[odd[0]]} or merge them, or list the phases in splits.csv"
        )
    return [phase for phase in PHASES if phase in meant]


def splits_by_folders(images: Sequence[Path], folder: Path) -> list[str]:
    """The phase of each image in `folder` where its sub-folders are named after two or three of the phases (train, val,
    test); else []. UserError: there are images beside these sub-folders."""
    phases = phase_folders(folder)
    if not phases:
        return []
    tops = [image.relative_to(folder).parts[0] for image in images]
    if others := [image for image, top in zip(images, tops, strict=True) if top not in phases]:
        raise UserError(
            f"{folder}: its folders {', '.join(sorted(phases))} are phases, but {len(others)} images are in none, "
            f"such as {others[0]}; move them, or list the phases in splits.csv"
        )
    return tops


def read_lines(path: Path, wanted: Set[str] = frozenset({"image", "split"})) -> list[dict[str, str]]:
    """The lines of such a file by their columns, as they are written. wanted: the columns that it needs. UserError: not
    UTF-8 or CSV, a column is missing."""
    try:
        text = path.read_text(encoding="utf-8-sig")
        reader = csv.DictReader(io.StringIO(text, newline=""), delimiter=_separator(text, wanted) or ",")
        reader.fieldnames = [name.strip() for name in reader.fieldnames or ()]
        if missing := wanted - {*reader.fieldnames}:
            raise UserError(f"{path}: no column {' and no column '.join(sorted(missing))} in its first line")
        lines = []
        for line in reader:
            if any(cell.strip() for cell in line.pop(None, ())):  # or rewriting the file would lose it
                raise UserError(
                    f"{path}: line {reader.line_num} has more cells than the first line has columns: put text that "
                    "holds separators into double quotes"
                )
            lines.append({name: value or "" for name, value in line.items()})
        return lines
    except (UnicodeDecodeError, csv.Error) as error:
        raise UserError(f"{path}: not a CSV file in UTF-8: {error}") from None


def is_list(path: Path) -> bool:
    """Whether a file's first line has the columns image and split."""
    with path.open(encoding="utf-8-sig", errors="replace") as file:
        return bool(_separator(file.readline(csv.field_size_limit()), {"image", "split"}))  # csv refuses longer ones


def lines_as_text(lines: Sequence[Mapping[str, str]], columns: Iterable[str], path: Path) -> str:
    """The text of such a file. columns: those of the file now at `path`, if any, are among them, and its separator
    stays."""
    columns, now = [*columns], path.read_text(encoding="utf-8-sig") if path.is_file() else ""
    text = io.StringIO()
    delimiter = _separator(now, {"image"}) or ","
    table = csv.DictWriter(text, columns, restval="", lineterminator="\n", delimiter=delimiter)
    table.writeheader()
    table.writerows(lines)
    return text.getvalue()


def _separator(text: str, wanted: Set[str]) -> str:
    """What stands between the columns of the first line, if `wanted` are among them; else ""."""
    first = text.splitlines()[:1]
    parts = ((mark, next(csv.reader(first, delimiter=mark), [])) for mark in ",;\t")
    return next((mark for mark, names in parts if wanted <= {name.strip() for name in names}), "")


def _row(path: Path, name: str, line: Mapping[str, str]) -> Row:
    masks = tuple(listed_file(path, mask.strip()) for mask in line.get("mask", "").split(";") if mask.strip())
    texts = (line.get(column, "").strip() for column in ("split", "source", "patient", "fold", "label"))
    image = listed_file(path, name)
    return Row(image, masks, *texts, spacing=_spacing(path, image, line.get("spacing", "")))


def listed_file(path: Path, name: str) -> Path:
    """The file that a list calls `name`, relative to the list's own folder if it lies below it. UserError: no name of a
    file."""
    # Elsewhere than on Windows, a name may hold a backslash.
    if "\\" in name and "\0" not in name and not os.path.lexists(path.parent / name):
        name = name.replace("\\", "/")
    if "\0" in name or Path(name).name in ("", ".."):
        raise UserError(f"{path}: {name!r} is no name of a file")
    if Path(name).is_absolute() and Path(name).is_relative_to(path.parent.absolute()):
        name = str(Path(name).relative_to(path.parent.absolute()))
    # macOS writes the same name with other characters than Windows and Linux do.
    forms = (unicodedata.normalize(form, name) for form in ("NFC", "NFD") if not name.isascii())
    return next((file for each in (name, *forms) if os.path.lexists(file := path.parent / each)), path.parent / name)


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


def fold_numbers(rows: Sequence[Row], list_file: Path, fold: int | str = "all") -> list[int]:
    """The folds that a list names. UserError, naming --fold `fold`: none, or one that is no whole number."""
    names = {row.fold for row in rows} - {""}
    if odd := sorted(name for name in names if not (name.isascii() and name.isdigit())):
        raise UserError(f"--fold {fold}: {list_file} lists fold {odd[0]!r}; want whole numbers, as 0, 1, 2")
    if not names:
        raise UserError(
            f"--fold {fold}: {list_file} lists no folds; python -m data.prepare masks {quoted(list_file.parent)} "
            "--folds 5 writes them (for a public set: its own command with --folds 5)"
        )
    return sorted({int(name) for name in names})


def folded(rows: Sequence[Row], fold: int, list_file: Path) -> list[Row]:
    """The rows as the run of one fold sees them. Images of that fold are in phase out_of_fold. Of the others' patients
    an eighth is val, another one for each fold, and the rest train, so that 5 folds give 70, 10 and 20 %. Images
    without a fold keep their phase.

    UserError: no such fold, or a patient in two folds, or in a fold and outside of all.
    """
    if fold not in (numbers := fold_numbers(rows, list_file, fold)):
        raise UserError(f"--fold {fold}: {list_file} lists fold {', '.join(map(str, numbers))}")
    places: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        places[row.patient].add(f"fold {int(row.fold)}" if row.fold else f"no fold ({row.split or 'no split'})")
    if torn := [patient for patient, own in places.items() if len(own) > 1 and any(p[:5] == "fold " for p in own)]:
        listed = " and in ".join(sorted(places[torn[0]]))
        raise UserError(
            f"{list_file}: patient {torn[0]} is in {listed}: a run would be scored on a patient it has learnt from; "
            "give all images of a patient one fold"
        )
    rest = [row for row in rows if row.fold and int(row.fold) != fold]
    val = _validating(rest, fold)
    phase_of = {row.image: "val" if row.patient in val else "train" for row in rest}
    return [replace(r, split=phase_of.get(r.image, OUT_OF_FOLD)) if r.fold else r for r in rows]


def _validating(rows: Sequence[Row], fold: int) -> set[str]:
    """The patients to validate on: an eighth of those of each source, and at least one in all. --source changes no
    patient's phase."""
    patients: dict[str, set[str]] = defaultdict(set)
    for row in rows:
        patients[row.source].add(row.patient)
    chosen: set[str] = set()
    for names in patients.values():
        chosen |= _first(names, round(len(names) * VAL / (TRAIN + VAL)), fold)
    everyone = {row.patient for row in rows}
    return chosen or _first(everyone, int(len(everyone) > 1), fold)


def _first(patients: Set[str], count: int, fold: int) -> set[str]:
    return {*sorted(patients, key=lambda patient: draw(f"fold {fold}/{patient}", 0))[:count]}
