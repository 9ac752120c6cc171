"""The tasks that --pretrained has learnt, and their images for --adapt ewc and --replay: as the runs recorded them."""

import argparse
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from models.rivals import FILE, RIVALS
from options.complete.donor import folder_of_donor
from options.flags.of_data import OF_DATA
from options.forgetting import DATA
from options.recorded import read_run, same_folder
from options.script import holds_masks
from options.train import TRAIN
from util.errors import UserError
from util.flags import Fact, flags
from util.run.aside import read_replayed

DESCRIBING = {
    *flags(Fact.IMAGES | Fact.OF_THE_DATA),
    *("max_dataset_size", "classes", "intensity", "clahe", "unpaired", "balance"),
}
"""Flags that say which images there are and what they show. All others, such as sizes, are the new run's own."""
KNOWN = {*DESCRIBING, "no_flip"}  # a mirrored chest has its lungs on the wrong sides


@dataclass(frozen=True)
class OldTask:
    """The task of a donor or run. name: as for --pretrained. kept: what its run keeps of the tasks before it, by
    --adapt ewc; None if it keeps nothing. recorded: its options. typed: flags that replace them (--old_data, ...)."""

    name: str
    kept: Path | None
    recorded: Mapping[str, object]
    typed: Mapping[str, object]

    def options(self, opt: argparse.Namespace) -> argparse.Namespace:
        """train.py's options to read the task's training images as the new run reads its own: in size and channels.

        opt: the new run's. UserError: nothing says where the images are.
        """
        recorded = {name: value for name, value in self.recorded.items() if name in KNOWN}
        root = str(self.typed.get("dataroot", ""))
        if root and not same_folder(root, recorded.get("dataroot")):  # other images have other patients and splits
            recorded = {name: value for name, value in recorded.items() if name not in flags(Fact.OF_THE_DATA)}
            if recorded.get("dataset_mode", "phantom") == "phantom":  # drawn images are in no folder
                recorded["dataset_mode"] = "masks" if holds_masks(root) else "aligned"
        mode = str(self.typed.get("dataset_mode") or recorded.get("dataset_mode") or "")
        if not mode or (mode != "phantom" and not (root or recorded.get("dataroot"))):
            raise UserError(
                f"--pretrained {opt.pretrained}: {self.name} does not record which images its task has: name their "
                "folder with --old_data, and --old_mode and --old_classes"
            )
        if mode not in OF_DATA:
            raise UserError(f"--old_mode {mode}: unknown; choose one of {', '.join(OF_DATA)}")
        own = {name: value for name, value in vars(opt).items() if name not in DESCRIBING}
        whole = {"unlabelled": "", "unpaired": False, "balance": None}
        defaults = TRAIN.default_values("pix2pix", mode)
        return argparse.Namespace(**defaults | own | recorded | {**self.typed, "dataset_mode": mode} | whole)


def old_tasks(opt: argparse.Namespace) -> list[OldTask]:
    """The tasks that --pretrained has learnt, one after the other: the first donor's, and those of the runs that
    fine-tuned it. The first donor's images are what --old_data and the like say, or said to one of these runs.

    UserError: a run that was trained again since others started from it.
    """
    checkpoints_dir = beside = Path(opt.checkpoints_dir)
    tasks: list[OldTask] = []
    name, typed = str(opt.pretrained), _typed(vars(opt))
    while name:
        if name in [task.name for task in tasks]:
            raise UserError(
                f"--pretrained {opt.pretrained}: the run {name} was trained again since {tasks[-1].name} started from "
                "it, so nothing says which tasks came before"
            )
        folder = folder_of_donor(name, beside) or folder_of_donor(name, checkpoints_dir)
        recorded = read_run(folder) if folder else {}
        adapt = recorded.get("adapt", "finetune")
        kept = folder / FILE if folder and adapt == "ewc" and (folder / FILE).is_file() else None
        tasks.append(OldTask(name, kept, recorded, {}))
        typed = _typed(recorded) | typed
        # A control starts from random weights, and plain weights of a task on a frozen donor know that task alone.
        name = str(recorded.get("pretrained") or "") if adapt in ("finetune", *RIVALS) else ""
        beside = folder.parent if folder else checkpoints_dir
    first = tasks.pop()
    return [replace(first, typed=typed), *reversed(tasks)]


def replayed(opt: argparse.Namespace) -> dict[str, argparse.Namespace]:
    """The options that read the images of each old task for --replay. A run that goes on reads them as it recorded them
    when it began: its donor may have learnt something else since, or be gone."""
    recorded = read_replayed(Path(opt.checkpoints_dir) / opt.name) if opt.continue_train else {}
    tasks = [OldTask(name, None, options, {}) for name, options in recorded.items()] or old_tasks(opt)
    return {task.name: task.options(opt) for task in tasks}


def describing(options: argparse.Namespace) -> dict[str, object]:
    """Of a task's options, those that say which images it has."""
    return {name: value for name, value in vars(options).items() if name in KNOWN}


def to_measure(tasks: list[OldTask]) -> list[OldTask]:
    """The last of these tasks: those that no run has measured for its --adapt ewc. The first one's run has measured all
    before it, if any are left out."""
    return tasks[max((place for place, task in enumerate(tasks) if task.kept), default=0) :]


def _typed(options: Mapping[str, object]) -> dict[str, object]:
    given = {flag: options.get(f"old_{end}") for end, flag in DATA.items()}
    return {flag: value for flag, value in given.items() if value}
