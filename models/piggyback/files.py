"""Task files: what an adapted generator adds to its donor, and how to find that donor again.

`<epoch>_task_<G>.pth` holds {"header": ..., "tensors": ...}, plain values and tensors only.
"""

import argparse
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import nn

from models.donors.architecture import infer_architecture
from models.donors.build import load_donor
from models.donors.find import SHIPPED
from models.networks import define_G, widths_of
from models.piggyback.task import VERSION, Dependency, Settings, Task, switch
from models.piggyback.weights import Tensors
from util.errors import UserError
from util.run.checkpoint import fingerprint, load_tensors, read_state_dict

# What a header holds; a whole number is 1 or more.
HEADER = {
    "method": str,
    "settings": dict,
    "donor": {"sha256": str, "found": [str], "architecture": dict | None},
    "dependencies": [{"sha256": str, "found": [str]}],
    "counts": {"trained": int, "generator": int},
    "bytes": int,
    "sha256": str,
}


@dataclass(frozen=True)
class TaskFile:
    """A task file that was read and is whole."""

    path: Path
    header: dict
    tensors: Tensors

    @property
    def settings(self) -> Settings:
        return Settings(**self.header["settings"])

    def find_donor(self) -> Path:
        """The donor's file."""
        path = _first(self.header["donor"]["found"], self.path)
        if path is None:
            raise UserError(
                f"{self.path}: its donor {_short(self.header['donor']['sha256'])} is not at "
                f"{_last(self.header['donor']['found'])}; put it back there"
            )
        return path

    def was_fitted(self) -> bool:
        """Whether the task's donor is what its file holds fitted to other channels (--input_nc, --output_nc)."""
        made, whole = self.header["donor"]["architecture"], infer_architecture(read_state_dict(self.find_donor()))
        if None in (made, whole):
            return False
        return (made["input_nc"], made["output_nc"]) != (whole.input_nc, whole.output_nc)

    def build_donor(self, fitted: bool = True) -> nn.Module:
        """The donor's generator with its weights; no flags are needed. fitted: to the task's channels, else as its file
        holds it."""
        made, path = self.header["donor"]["architecture"], self.find_donor()
        if made is None:
            raise UserError(f"{self.path}: its donor is no generator known here; test.py builds it by the run's flags")
        state = read_state_dict(path)
        if not fitted:
            made = asdict(infer_architecture(state))
        try:
            opt = argparse.Namespace(**made)
            widths = widths_of(state) if opt.netG.startswith("mobile") else None
            net = define_G(
                opt.input_nc,
                opt.output_nc,
                opt.ngf or 0,
                opt.netG,
                opt.norm,
                not opt.no_dropout,
                widths=widths,
                input_norm=made.get("input_norm") or "signed",
            )
        except Exception as error:  # who knows what a damaged header asks for
            raise UserError(
                f"{self.path}: damaged: no generator can be built as its header says, {made}; copy it again"
            ) from error
        load_donor(net, state, path, opt)
        return net

    def dependencies(self) -> list["TaskFile"]:
        """The earlier tasks whose filters the bank holds, in the order of learning."""
        found = []
        for wanted in self.header["dependencies"]:
            path = _first(wanted["found"], self.path)
            if path is None:
                raise UserError(
                    f"{self.path}: it mixes filters of an earlier task that is not at "
                    f"{_last(wanted['found'])}; put it back there"
                )
            found.append(read_task(path))
            if found[-1].header["sha256"] != wanted["sha256"]:
                raise UserError(
                    f"{self.path}: it mixes filters of {path} as it was ({_short(wanted['sha256'])}), but "
                    f"that was trained on since ({_short(found[-1].header['sha256'])}); put the old file "
                    "back"
                )
        return found


def read_task(path: Path) -> TaskFile:
    """Read a task file; UserError where it is damaged, of another kind or of a version not known here."""
    whole = load_tensors(path)
    if not isinstance(whole, dict) or not isinstance(header := whole.get("header"), dict):
        raise UserError(f"{path}: not a task file (train.py --adapt writes them)")
    if header.get("version") != VERSION:
        raise UserError(f"{path}: a task file of version {header.get('version')}; this program knows version {VERSION}")
    if wrong := _misfit(header, HEADER):
        raise UserError(f"{path}: damaged: its {wrong} is missing or not what it must be; copy it again")
    try:
        Settings(**header["settings"])
    except (TypeError, UserError) as error:
        raise UserError(f"{path}: damaged: its header's settings make no task: {error}; copy it again") from error
    try:
        intact = fingerprint(whole["tensors"]) == header["sha256"]
    except (LookupError, TypeError, AttributeError):
        intact = False
    if not intact:
        raise UserError(f"{path}: damaged: its tensors are not those that its header tells of; copy it again")
    return TaskFile(path, header, whole["tensors"])


def load_task(path: Path | TaskFile, net: nn.Module) -> Task:
    """The task of a file for a generator that has its donor's weights; `switch(net, task)` puts it on.

    A task that is on is taken off. UserError where the generator is not the task's donor.
    """
    file = path if isinstance(path, TaskFile) else read_task(path)
    switch(net, None)
    donor = check_donor(file, net)
    earlier = file.dependencies()
    try:
        task = Task(net, file.settings, donor, [other.tensors for other in earlier])
        task.restore(file.tensors)
    except (KeyError, ValueError) as error:
        raise UserError(f"{file.path}: damaged: its tensors do not fit its donor; copy it again") from error
    task.depends = as_dependencies(earlier)
    return task


def check_donor(file: TaskFile, net: nn.Module) -> str:
    """The fingerprint of a generator without a task on; UserError where it is not the task's donor."""
    donor, wanted = fingerprint(net.state_dict()), file.header["donor"]["sha256"]
    if donor != wanted:
        raise UserError(
            f"{file.path}: belongs to another donor ({_short(wanted)}, once at "
            f"{_last(file.header['donor']['found'])}) than the one given ({_short(donor)})"
        )
    return donor


def earlier_tasks(donor: Path, cumulative: bool) -> list[TaskFile]:
    """The tasks whose filters a new task's bank holds when `--pretrained` names an adapted run; none for plain weights.

    cumulative: whether the new task is a filter bank that grows; no other can build on a task (UserError).
    """
    if "_task_" not in donor.name:
        return []
    file = read_task(donor)
    if not cumulative or file.settings.method != "filter_bank":
        raise UserError(
            f"--pretrained: {file.path.parent} is a task ({file.settings.method}) on the donor "
            f"{_last(file.header['donor']['found'])}: adapt that, or take plain weights (python -m "
            "models.piggyback export); only --adapt filter_bank --bank cumulative builds on a task of filter_bank"
        )
    return [*file.dependencies(), file]


def as_dependencies(files: list[TaskFile]) -> list[Dependency]:
    """How a later task names them."""
    return [Dependency(file.path, file.header["sha256"]) for file in files]


def _misfit(value: object, wanted: object, name: str = "header") -> str:
    """The name of the first part of a value that is missing or of another type than wanted; "" where all is well."""
    if isinstance(wanted, dict) and isinstance(value, dict):
        parts = [(value.get(key, ...), kind, f"{name}'s {key}") for key, kind in wanted.items()]
    elif isinstance(wanted, list) and isinstance(value, list):
        parts = [(part, wanted[0], name) for part in value]
    elif isinstance(wanted, dict | list):
        return name
    else:
        return "" if isinstance(value, wanted) and (wanted is not int or value > 0) else name
    return next(filter(None, (_misfit(*part) for part in parts)), "")


def _first(found: list[str], task: Path) -> Path | None:
    """The first of the places where a file may be: where it was, under the same runs' folder, among shipped donors."""
    paths = [task.parent / place for place in found]  # an absolute place stays itself
    if paths:
        tail = Path(paths[-1].parent.name, paths[-1].name)
        paths += [task.parent.parent / tail, SHIPPED / tail]
    return next((path.resolve() for path in paths if path.is_file()), None)


def _last(found: list[str]) -> str:
    return found[-1] if found else "a place unknown"


def _short(sha256: str) -> str:
    return f"sha256 {sha256[:12]}..."
