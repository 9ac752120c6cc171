"""Task files: what an adapted generator adds to its donor, and how to find that donor again.

`<epoch>_task_<G>.safetensors` holds a header, plain values as JSON, and the task's tensors (`util.run.safe`).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from types import NoneType

from torch import nn

from models.donors.architecture import Architecture, infer_architecture
from models.donors.build import from_architecture, load_donor
from models.donors.find import SHIPPED
from models.donors.wrappings import read_generator
from models.networks.generator import Generator
from models.piggyback.inputs import OLD, OWN, Inputs
from models.piggyback.task import VERSION, Dependency, Settings, Task, switch
from models.piggyback.weights import Tensors
from util.errors import UserError
from util.run.checkpoint import fingerprint, read_safe, task_path
from util.run.safe import SUFFIX
from util.run.tensors import is_state

# Types of a header's values; a tuple lists what may be there instead. Whole numbers are 1 or more.
ARCHITECTURE = {
    "netG": str,
    "input_nc": int,
    "output_nc": int,
    "ngf": (int, NoneType),
    "norm": str,
    "no_dropout": (bool, NoneType),
    "input_norm": (str, NoneType),
}
LARGEST = 1 << 40
HEADER = {
    "method": str,
    "settings": dict,
    "donor": {"sha256": str, "found": [str], "architecture": (ARCHITECTURE, NoneType)},
    "dependencies": [{"sha256": str, "found": [str]}],
    "counts": {"trained": int, "generator": int},
    "bytes": int,
    "sha256": str,
    "about": dict,
}


@dataclass(frozen=True)
class TaskFile:
    """A task file that was read and checked (`read_task`)."""

    path: Path
    header: dict
    tensors: Tensors

    @property
    def inputs(self) -> Inputs | None:
        """What the task's training images look like; None if the file does not say it. UserError: it is damaged."""
        return self._described(OWN)

    @property
    def old_inputs(self) -> Inputs | None:
        """The same of the images that the donor learnt from."""
        return self._described(OLD)

    def _described(self, prefix: str) -> Inputs | None:
        try:
            return Inputs.read(self.tensors, prefix)
        except ValueError as error:
            raise UserError(f"{self.path}: damaged: it cannot say what its images look like; copy it again") from error

    @property
    def settings(self) -> Settings:
        return Settings(**self.header["settings"])

    @property
    def donor_place(self) -> str:
        """Where its donor was when the task was learnt, for messages."""
        return _last(self.header["donor"]["found"], self.path)

    def find_donor(self) -> Path:
        """The donor's file. UserError where it is at none of the places that the header names."""
        path = _first(self.header["donor"]["found"], self.path)
        if path is None:
            raise UserError(
                f"{self.path}: its donor {_short(self.header['donor']['sha256'])} is not at "
                f"{self.donor_place}; put it back there"
            )
        return path

    def was_fitted(self) -> bool:
        """Whether the task was learnt on other channels (--input_nc, --output_nc) than the donor's file has."""
        fitted, whole = self.header["donor"]["architecture"], infer_architecture(read_generator(self.find_donor()))
        if fitted is None or whole is None:
            return False
        return (fitted["input_nc"], fitted["output_nc"]) != (whole.input_nc, whole.output_nc)

    def build_donor(self, fitted: bool = True) -> Generator:
        """The donor's generator with its weights; no flags are needed.

        fitted: with the channels that the task was learnt on, else with those of the donor's file.
        """
        recorded, path = self.header["donor"]["architecture"], self.find_donor()
        if recorded is None:
            raise UserError(f"{self.path}: its donor is no generator known here; test.py builds it by the run's flags")
        state = read_generator(path, recorded["netG"])
        try:
            architecture = Architecture(**recorded)
            whole = infer_architecture(state) or architecture
            if not fitted:
                architecture = whole
            elif {*whole.differing(architecture)} & {"netG", "ngf", "norm"}:  # a damaged width can ask for all memory
                raise UserError(f"{path} has {whole.flags()}")
            net = from_architecture(architecture, state)
        except Exception as error:  # a damaged header can ask for anything
            raise UserError(
                f"{self.path}: damaged: no generator can be built as its header says, {recorded}; copy it again"
            ) from error
        load_donor(net, state, path, architecture)
        return net

    def dependencies(self) -> list[TaskFile]:
        """The earlier tasks whose filters the bank mixes, in the order of learning.

        UserError where a file is missing or was trained on since.
        """
        files = []
        for wanted in self.header["dependencies"]:
            path = _first(wanted["found"], self.path)
            if path is None:
                raise UserError(
                    f"{self.path}: it mixes filters of an earlier task that is not at "
                    f"{_last(wanted['found'], self.path)}; put it back there"
                )
            files.append(read_task(path))
            if files[-1].header["sha256"] != wanted["sha256"]:
                raise UserError(
                    f"{self.path}: it mixes filters of {path} as it was ({_short(wanted['sha256'])}), but that file "
                    f"was trained on since ({_short(files[-1].header['sha256'])}); put the old file back"
                )
        return files


def read_task(path: Path) -> TaskFile:
    """Read and check a task file. UserError where it is damaged, of another kind or of an unknown version."""
    if path.suffix != SUFFIX:
        raise UserError(
            f"{path}: not a task file: those that train.py --adapt writes end in {SUFFIX}; older versions wrote .pth: "
            "export such a run with the version that wrote it, or train it again"
        )
    header, tensors = read_safe(path)
    if type(version := header.get("version")) is not int or version != VERSION:
        raise UserError(f"{path}: a task file of version {version!s:.20}; this program knows version {VERSION}")
    if wrong := _misfit(header, HEADER):
        raise UserError(f"{path}: damaged: its {wrong} is missing or has a wrong type; copy it again")
    try:
        Settings(**header["settings"])
    except (TypeError, UserError) as error:
        raise UserError(f"{path}: damaged: its header's settings are not valid: {error}; copy it again") from error
    if not is_state(tensors) or fingerprint(tensors) != header["sha256"]:
        raise UserError(f"{path}: damaged: its tensors do not have the hash that its header records; copy it again")
    return TaskFile(path, header, tensors)


def saved_task(folder: Path, epoch: str | int, name: str) -> Path | None:
    """The task file that a run wrote for generator `name`; None if it wrote none.

    UserError: an older version wrote one.
    """
    path = task_path(folder, epoch, name)
    old = path.with_suffix(".pth")
    return path if path.is_file() else read_task(old).path if old.is_file() else None


def load_task(path: Path | TaskFile, net: nn.Module) -> Task:
    """The task of a file, for a generator that has its donor's weights. `switch(net, task)` puts it on.

    A task that the generator has on is taken off first. UserError where the generator is not the task's donor.
    """
    file = path if isinstance(path, TaskFile) else read_task(path)
    switch(net, None)
    donor = check_donor(file, net)
    earlier = file.dependencies()
    try:
        task = Task(net, file.settings, donor, [other.tensors for other in earlier])
        task.restore(file.tensors)
        task.inputs, task.old_inputs, task.about = file.inputs, file.old_inputs, file.header["about"]
    except (KeyError, ValueError) as error:
        raise UserError(f"{file.path}: damaged: its tensors do not fit its donor; copy it again") from error
    task.depends = as_dependencies(earlier)
    return task


def check_donor(file: TaskFile, net: nn.Module) -> str:
    """The fingerprint of a generator that has no task on. UserError where it is not the donor of the file's task."""
    donor, wanted = fingerprint(net.state_dict()), file.header["donor"]["sha256"]
    if donor != wanted:
        raise UserError(
            f"{file.path}: belongs to another donor ({_short(wanted)}, once at "
            f"{file.donor_place}) than the one given ({_short(donor)})"
        )
    return donor


def runs_on(folder: Path, checkpoints_dir: Path) -> list[str]:
    """The other runs in `checkpoints_dir` whose tasks need the latest or the best networks or tasks in a run's folder,
    or in those of its folds."""
    names, folder = [], folder.resolve()
    for path in sorted(checkpoints_dir.rglob(f"*_task_*{SUFFIX}")):
        if path.resolve().is_relative_to(folder):
            continue
        with contextlib.suppress(UserError):
            file = read_task(path)
            needed = [file.find_donor(), *(other.path for other in file.dependencies())]
            if any(p.resolve().is_relative_to(folder) and p.name.startswith(("latest_", "best_")) for p in needed):
                names.append(path.parent.relative_to(checkpoints_dir).as_posix())
    return list(dict.fromkeys(names))


def earlier_tasks(donor: Path, cumulative: bool) -> list[TaskFile]:
    """The tasks whose filters a new task's bank mixes. donor: the file that `--pretrained` means.

    [] if that file holds plain weights. If it is a task file: its task, after those that it builds on itself.
    cumulative: whether the new task is a filter bank that grows. No other task can build on a task (UserError).
    """
    if "_task_" not in donor.name:
        return []
    file = read_task(donor)
    if not cumulative or file.settings.method != "filter_bank":
        raise UserError(
            f"--pretrained: {file.path.parent} is a task ({file.settings.method}) on the donor "
            f"{file.donor_place}: adapt that, or take plain weights (python -m "
            "models.piggyback export); only --adapt filter_bank --bank cumulative builds on a task of filter_bank"
        )
    return [*file.dependencies(), file]


def as_dependencies(files: Sequence[TaskFile]) -> list[Dependency]:
    """The same tasks as a later task refers to them."""
    return [Dependency(file.path, file.header["sha256"]) for file in files]


def _misfit(value: object, wanted: object, name: str = "header") -> str:
    """The name of the first part of a value that is missing or of a wrong type; "" where all of it is right.

    wanted: the value's type, or a dict or a list of what its parts must be, as in HEADER.
    """
    if isinstance(wanted, tuple):
        misfits = [_misfit(value, kind, name) for kind in wanted]
        return "" if "" in misfits else misfits[0]
    if isinstance(wanted, dict) and isinstance(value, dict):
        parts = [(value.get(key, ...), kind, f"{name}'s {key}") for key, kind in wanted.items()]
    elif isinstance(wanted, list) and isinstance(value, list):
        parts = [(part, wanted[0], name) for part in value]
    elif isinstance(wanted, type) and type(value) is wanted:
        return name if isinstance(value, int) and wanted is int and not 0 < value < LARGEST else ""
    else:
        return name
    return next(filter(None, (_misfit(*part) for part in parts)), "")


def _first(places: list[str], task: Path) -> Path | None:
    """The file that a task file refers to, at the first of the places where it may be; None if it is at none.

    places: relative to the task file, or absolute. The file may also have moved along with the folder of all runs, or
    be a shipped donor.
    """
    paths = [task.parent / place for place in places]  # joined to a folder, an absolute path stays what it is
    if paths:
        tail = Path(paths[-1].parent.name, paths[-1].name)
        paths += [task.parent.parent / tail, SHIPPED / tail]
        paths += [task.with_name(tail.name)] * ("_task_" not in tail.name)  # a donor and its tasks, in one folder
    return next((path.resolve() for path in paths if path.is_file()), None)


def _last(places: list[str], task: Path) -> str:
    return os.path.normpath(task.parent / places[-1]) if places else "an unknown place"


def _short(sha256: str) -> str:
    return f"sha256 {sha256[:12]}..."
