"""What a run recorded in its options.json, and which of it train.py and test.py use again."""

import argparse
import functools
import math
from collections.abc import Sequence
from pathlib import Path

from data.classes import without_file
from options.base import add_base_options
from options.complete.names import existing_run
from options.flags.of_training import add_train_options
from options.parser import Parser, Values, checked
from options.script import Script, with_suffix
from util.contracts import ScoredData
from util.errors import UserError
from util.files import read_options
from util.flags import Fact, flags
from util.folds.record import OUT_OF_FOLD
from util.run.learnt import count_learnt
from util.run.safe import SUFFIX, read_header

UPSTREAM_DEFAULTS = {"stochastic": True, "num_test": 50}
"""Upstream's test.py keeps dropout on and tests 50 images. It records no options.json."""


def read_run(folder: Path) -> dict[str, object]:
    """The options.json in a run's folder; {} without one. UserError: it is damaged, or a flag refuses its value."""
    path = folder / "options.json"
    return checked(read_options(path), _flags_of_training(), str(path)) if path.is_file() else {}


def tasks_in_folder(folder: Path) -> dict[str, Path]:
    """The task files in a folder to which several runs' files were copied, by the part of their names that stands for
    the epoch. {} for the folder of a run."""
    if (folder / "options.json").is_file():
        return {}
    return {path.name.split("_task_")[0]: path for path in sorted(folder.glob(f"*_task_G*{SUFFIX}"))}


def read_shared(file: Path) -> dict[str, object]:
    """How a task is applied, as its file itself records it. UserError: it is damaged, or a flag refuses its value."""
    about = read_header(file).get("about")
    options = about.get("options") if isinstance(about, dict) else None
    if not isinstance(options, dict):
        raise UserError(f"{file}: does not record how its task is applied; copy it again, with its run's options.json")
    return checked(options, _flags_of_training(), str(file))


@functools.cache
def _flags_of_training() -> Parser:
    return Script("", (add_base_options, add_train_options), training=True, read_run=lambda _: {}).all_flags()


def read_for_testing(opt: argparse.Namespace) -> Values:
    """The run's values for test.py, or upstream's defaults for a folder that upstream wrote; {} without a --name."""
    if not opt.name:
        return {}
    folder = Path(opt.checkpoints_dir) / with_suffix(opt)
    again = set(flags(Fact.TESTED))
    if not (folder / "options.json").is_file():
        if file := tasks_in_folder(folder).get(str(opt.epoch)):
            return {name: value for name, value in read_shared(file).items() if name in again}
        return UPSTREAM_DEFAULTS if folder.is_dir() else {}
    recorded = read_run(folder)
    if opt.dataroot and not same_folder(opt.dataroot, recorded.get("dataroot")):
        again -= {*flags(Fact.OF_THE_DATA)}  # other data has other sources, patients and splits
    return {name: value for name, value in recorded.items() if name in again}


def read_for_resuming(opt: argparse.Namespace) -> Values:
    """The run's values for train.py --continue_train; {} without that flag, and for a run of upstream, which records
    none. UserError: there is no such run."""
    if not opt.continue_train:
        return {}
    folder = existing_run(Path(opt.checkpoints_dir), with_suffix(opt), "--continue_train")
    again = set(flags(Fact.RESUMED))
    return {name: value for name, value in read_run(folder).items() if name in again}


def read_for_others(folder: Path) -> Values:
    """What test.py reads of a run's options.json, without the folders and files of this machine."""
    recorded = read_run(folder)
    again = {name: recorded[name] for name in flags(Fact.TESTED) if name in recorded}
    again.pop("dataroot", None)
    again.pop("unlabelled", None)
    if again.get("classes"):
        again["classes"] = without_file(str(again["classes"]))
    return again


def changed_flags(opt: argparse.Namespace) -> dict[str, str]:
    """The flags in which a resume differs from its run, by name: {"lr": "--lr 0.1 (before: 0.2)"}.

    UserError: one of them could not act.
    """
    folder = Path(opt.checkpoints_dir) / opt.name
    recorded = read_run(folder) if opt.continue_train else {}
    defaults, changed = _flags_of_training().defaults(), {}
    for name in flags(Fact.RESUMED) if recorded else ():
        # Flags without a limit are not recorded. Others that are missing are newer than the run.
        old = recorded.get(name, math.inf if defaults.get(name) == math.inf else None)
        new = getattr(opt, name, old)
        if old == new or (name not in recorded and old is None) or (name == "dataroot" and same_folder(str(new), old)):
            continue
        if name in flags(Fact.FIXED):
            raise UserError(
                f"--{name} {new}: {folder} was trained with --{name} {old}, which cannot change; leave the flag "
                "out, or take another --name"
            )
        changed[name] = f"--{name} {new} (before: {old})"
    return changed


def note_unrecorded(opt: argparse.Namespace) -> None:
    """Say so if a run was written by upstream, so that its defaults hold."""
    folder = Path(opt.checkpoints_dir) / opt.name
    if folder.is_dir() and not (folder / "options.json").is_file() and str(opt.epoch) not in tasks_in_folder(folder):
        print(f"{folder} has no options.json: upstream's defaults hold (50 images, dropout on; see --help)")


def note_learnt(opt: argparse.Namespace, dataset: ScoredData) -> str:
    """Print and return a phrase if a run has learnt from some of the images that it is tested on, or may have; "" if it
    has not. The run's record decides (`util.run.learnt`), and the flags for a run that has none."""
    if opt.phase == "train":
        return ""
    files = dataset.files
    count = count_learnt(Path(opt.checkpoints_dir) / opt.name, files)
    phrase = _by_flags(opt, files) if count is None else f"learnt from {count} of these {len(files)}" if count else ""
    if phrase:
        scores = f": its scores on images of phase {opt.phase} may be too good" if dataset.has_targets else ""
        print(f"note: {opt.name} {phrase}{scores}")
    return phrase


def masks_show(runs: Sequence[argparse.Namespace]) -> str:
    """What the masks of these runs show by their training sets, such as "lungs"; "" if nothing says so, or two
    differ."""
    from data.dicomseg import masks_show  # imports pydicom

    roots = [read_run(Path(run.checkpoints_dir) / run.name).get("dataroot") for run in runs]
    shows = {masks_show(str(root or "")) for root in roots}
    return shows.pop() if len(shows) == 1 else ""


def _by_flags(opt: argparse.Namespace, files: Sequence[Path]) -> str:
    """A phrase if a run without a record of its files split the same folder in another way; "" if it did not."""
    recorded = read_run(Path(opt.checkpoints_dir) / opt.name)
    if not same_folder(opt.dataroot, recorded.get("dataroot")):
        return ""
    names = ["fold"] if opt.phase in ("val", OUT_OF_FOLD) else []
    drawn = not (Path(opt.dataroot) / "splits.csv").is_file()
    if drawn:
        names += ["split_seed", "patient_regex"]
    other = [name for name in names if name in recorded and recorded[name] != getattr(opt, name, recorded[name])]
    if other:
        return "was trained with " + " ".join(f"--{name} {recorded[name]}" for name in other)
    if drawn and opt.dataset_mode == "masks" and any(file.parent != Path(opt.dataroot) / "images" for file in files):
        return "recorded no list of its images, and those in sub-folders are now drawn in another way (CHANGELOG.md)"
    return ""


def same_folder(one: str, other: object) -> bool:
    return bool(one and other) and Path(one).resolve() == Path(str(other)).resolve()
