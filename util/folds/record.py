"""folds.json: the folds of a cross-validation, and which of them are trained. It makes a run's name stand for them."""

import contextlib
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from util.commands import named
from util.errors import UserError
from util.files import read_json, write_json
from util.run.aside import FOLDS as FILE

OUT_OF_FOLD = "out_of_fold"
"""The phase of the images of --fold N: the run of that fold learns nothing from them."""


@dataclass
class Record:
    """folds: their numbers. images: a digest of which image is in which fold and what its files are, and of which
    are left out of training. trained: the folds whose run is done."""

    folds: list[int]
    images: str
    trained: list[int] = field(default_factory=list)

    @classmethod
    def of(cls, folds: list[int], facts: Mapping[str, object], left_out: Collection[str] = ()) -> "Record":
        """A new record. facts: of each image that takes part, ready for JSON, by its path below the data's folder: its
        fold, its patient, the sizes of its files. left_out: images that do not train, by such paths."""
        read = [*sorted(facts.items()), *sorted(left_out)]
        return cls(folds, hashlib.sha256(json.dumps(read).encode()).hexdigest())

    def write(self, folder: Path) -> None:
        write_json(folder / FILE, asdict(self))


def read_record(folder: Path) -> Record | None:
    """The record of a cross-validation; None if the folder is none. UserError: it is damaged."""
    if not (folder / FILE).is_file():
        return None
    try:
        record = Record(**read_json(folder / FILE))
        numbers = [*record.folds, *record.trained]
        if record.folds and all(type(number) is int for number in numbers) and isinstance(record.images, str):
            return record
    except (ValueError, TypeError):
        pass
    raise UserError(
        f"{folder / FILE}: damaged; name the runs of its folds, as {folder.name}/fold_0,{folder.name}/fold_1, or begin "
        "again with train.py --overwrite, which keeps them in before/ there"
    )


def run_of(name: str, fold: int) -> str:
    """The name of a fold's run."""
    return f"{name}/fold_{fold}"


def members(checkpoints_dir: Path, name: str) -> list[str]:
    """The runs that a name stands for: those of all folds if it is a cross-validation, else the name itself.

    UserError: not all of its folds are trained yet.
    """
    record = read_record(checkpoints_dir / name)
    if record is None:
        return [name]
    if missing := [fold for fold in record.folds if fold not in record.trained]:
        raise UserError(
            f"{name}: {len(missing)} of the {len(record.folds)} folds of this cross-validation are not trained yet; "
            f"go on with python train.py {named(name, checkpoints_dir)} --continue_train"
        )
    return [run_of(name, fold) for fold in record.folds]


def refuse_folds(checkpoints_dir: Path, name: str, flag: str) -> None:
    """UserError, naming the flag, where one network is wanted and the name stands for those of all folds."""
    if record := read_record(checkpoints_dir / name):
        raise UserError(
            f"{flag}: a cross-validation of {len(record.folds)} runs, and one is wanted; name one, such as "
            f"{run_of(name, record.folds[0])}"
        )


def name_of(checkpoints_dir: Path, runs: Sequence[str]) -> str:
    """The name of an ensemble: that of a cross-validation if these are all its runs, else all of their names."""
    whole = runs[0].rpartition("/")[0]
    record = None
    with contextlib.suppress(UserError):  # damaged: the message says to name the runs
        record = read_record(checkpoints_dir / whole) if whole else None
    if record and [*runs] == [run_of(whole, fold) for fold in record.folds]:
        return whole
    return runs[0] if len(runs) == 1 else "+".join(run.replace("/", "_") for run in runs)
