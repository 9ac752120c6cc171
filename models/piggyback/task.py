"""A task on a frozen generator: put on, taken off, exchanged for another, without a trace on the generator.

    net = define_G(...)                      # with the donor's weights
    task = attach(net, Settings("masks"))    # the same outputs as before
    optimizer = Adam(task.parameters())      # train as ever
    detach(net, task)                        # the donor again, bit for bit
    switch(net, task)                        # and back

The network's own tensors are never written to: what a task changes lies in tensors of the task's, which take their
places while it is on.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MethodType
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from models.donors.architecture import infer_architecture
from models.piggyback.weights import FilterBank, LowRank, Mask, Tensors, TernaryMask, filter_axis, respond
from util.errors import UserError
from util.run.checkpoint import fingerprint

VERSION = 1
METHODS = ("masks", "ternary", "filter_bank", "lowrank", "norm_only", "head_only")
BANKS = ("base", "cumulative")


@dataclass(frozen=True)
class Settings:
    """How a task is made; each field is the flag of its name (`method`: --adapt)."""

    method: str
    mask_init: float = 1e-2
    mask_cutoff: float = 5e-3
    bank_fraction: float = 0.25
    bank: str = "base"
    rank: int = 8

    def __post_init__(self):
        if self.method not in METHODS:
            raise UserError(f"--adapt {self.method}: no way to adapt a frozen generator; choose {', '.join(METHODS)}")
        if not 0 <= self.mask_cutoff < self.mask_init:
            raise UserError(
                f"--mask_cutoff {self.mask_cutoff}: must be 0 or more and less than --mask_init "
                f"{self.mask_init}, or the task would not start as its donor"
            )
        if not 0 < self.bank_fraction <= 1:
            raise UserError(f"--bank_fraction {self.bank_fraction}: must lie above 0 and be at most 1")
        if self.bank not in BANKS:
            raise UserError(f"--bank {self.bank}: choose {' or '.join(BANKS)}")
        if not isinstance(self.rank, int) or self.rank < 1:
            raise UserError(f"--rank {self.rank}: must be a whole number from 1 on")

    def flags(self) -> dict[str, object]:
        """The values of train.py's flags that make such a task."""
        values = asdict(self)
        return {"adapt": values.pop("method"), **values}

    def make(self, layer: _ConvNd, earlier: Sequence[torch.Tensor] = ()) -> nn.Module:
        """What makes a convolution's weights out of the donor's."""
        weight, axis = layer.weight, filter_axis(layer)
        if self.method == "filter_bank":
            return FilterBank(weight, axis, self.bank_fraction, tuple(earlier))
        if self.method == "lowrank":
            return LowRank(weight, axis, self.rank)
        mask = TernaryMask if self.method == "ternary" else Mask
        return mask(weight, self.mask_init, self.mask_cutoff)


@dataclass(frozen=True)
class Dependency:
    """An earlier task whose filters a bank holds: its file, and the fingerprint of its tensors."""

    path: Path
    sha256: str


class Task:
    """What an adapted generator adds to its donor.

    own: the task's version of whole tensors by their names: biases, the norm layers' scales, shifts and statistics,
    the first and last convolution's weights. made: the module that makes each other convolution's weights (`weights`).
    donor: the donor's fingerprint. keys: its state dict's. donor_path, depends: the files of the donor and of the
    tasks whose filters the bank holds, where they are known. With `head_only` just the last convolution is trained;
    the norm layers' statistics belong to every task, since training moves them.
    """

    def __init__(self, net: nn.Module, settings: Settings, donor: str, earlier: Sequence[Tensors] = ()):
        self.settings, self.donor = settings, donor
        state = net.state_dict()
        self.keys, self.architecture = list(state), infer_architecture(state)
        self.generator_count = sum(parameter.numel() for parameter in net.parameters())
        self.donor_path: Path | None = None
        self.depends: list[Dependency] = []
        weights = {f"{name}.weight": layer for name, layer in net.named_modules() if isinstance(layer, _ConvNd)}
        first, *_, last = weights
        trained = {
            "norm_only": lambda name: name not in weights,
            "head_only": lambda name: name.rpartition(".")[0] == last.rpartition(".")[0],
        }.get(settings.method, lambda name: name not in weights or name in (first, last))
        whole = {name: nn.Parameter(p.detach().clone()) for name, p in net.named_parameters() if trained(name)}
        self.own: Tensors = whole | {name: buffer.clone() for name, buffer in net.named_buffers() if name in state}
        self.made: dict[str, nn.Module] = {}
        if settings.method not in ("norm_only", "head_only"):
            for name in [name for name in weights if name not in (first, last)]:
                bank = [filters[f"{name}.unconstrained"] for filters in earlier]
                self.made[name] = settings.make(weights[name], bank)
        self._aside: Tensors = {}
        self._thawed: list[nn.Parameter] = []

    def describe(self) -> str:
        """One line: how it is made, how much is trained, how many bytes that is."""
        contents = self.contents(Path())["header"]
        trained, size, of = contents["counts"]["trained"], contents["bytes"], self.generator_count
        return (
            f"{self.settings.method}, {trained / 1e6:.3f} M parameters trained, {of / 1e6:.3f} M frozen; "
            f"{size / 1e6:.3f} MB on disk, 1/{4 * of / size:.1f} of the generator"
        )

    def parameters(self) -> list[nn.Parameter]:
        """What is trained; none of it is the donor's."""
        own = [tensor for tensor in self.own.values() if isinstance(tensor, nn.Parameter)]
        return own + [parameter for module in self.made.values() for parameter in module.parameters()]

    def tensors(self) -> Tensors:
        """What the task file holds, on the CPU, masks packed."""
        whole = {name: tensor.detach().cpu().clone() for name, tensor in self.own.items()}
        return whole | {
            f"{name}.{part}": tensor for name, module in self.made.items() for part, tensor in module.stored().items()
        }

    def contents(self, folder: Path) -> dict:
        """What is written to a task file in `folder`: its header and its tensors."""
        tensors = self.tensors()
        header = {
            "version": VERSION,
            "method": self.settings.method,
            "settings": asdict(self.settings),
            "donor": {
                "sha256": self.donor,
                "architecture": asdict(self.architecture) if self.architecture else None,
                "found": _found(self.donor_path, folder) if self.donor_path else [],
            },
            "dependencies": [{"sha256": d.sha256, "found": _found(d.path, folder)} for d in self.depends],
            "counts": {"trained": sum(p.numel() for p in self.parameters()), "generator": self.generator_count},
            "bytes": sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()),
            "sha256": fingerprint(tensors),
        }
        return {"header": header, "tensors": tensors}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over a task file's tensors; ValueError where names, types or shapes are not this task's."""
        wanted = {name: (tensor.dtype, tuple(tensor.shape)) for name, tensor in self.own.items()}
        for name, module in self.made.items():
            wanted |= {f"{name}.{part}": what for part, what in module.expected().items()}
        if wanted.keys() != tensors.keys() or any(
            tensors[name].dtype != dtype or shape not in (None, tuple(tensors[name].shape))
            for name, (dtype, shape) in wanted.items()
        ):
            raise ValueError("not the tensors of this task")
        for name, tensor in self.own.items():
            tensor.copy_(tensors[name])
        for name, module in self.made.items():
            module.restore({part: tensors[f"{name}.{part}"] for part in module.expected()})

    def state_dict(self) -> Tensors:
        """What an exact resume needs: as `tensors`, but the masks' real values."""
        made = {
            f"{name}.{part}": tensor.detach()
            for name, module in self.made.items()
            for part, tensor in module.named_parameters()
        }
        return {name: tensor.detach() for name, tensor in self.own.items()} | made

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take over what `state_dict` gave, in place: an optimizer keeps its parameters."""
        for name, tensor in self.state_dict().items():
            tensor.copy_(state[name])

    def put_on(self, net: nn.Module) -> None:
        """Let the task's tensors take their places. `switch` is for everybody else."""
        self._thawed = [parameter for parameter in net.parameters() if parameter.requires_grad]
        for parameter in self._thawed:
            parameter.requires_grad = False
        for name, tensor in self.own.items():
            self._aside[name] = _exchange(net, name, tensor)
        for name, module in self.made.items():
            layer = _owner(net, name)
            parametrize.register_parametrization(layer, "weight", module, unsafe=True)
            if isinstance(module, FilterBank | LowRank):
                layer.forward = MethodType(respond, layer)  # a method, so that a copy of the network has its own

    def take_off(self, net: nn.Module) -> None:
        """Put the network's own tensors back. `switch` is for everybody else."""
        for name in self.made:
            parametrize.remove_parametrizations(_owner(net, name), "weight", leave_parametrized=False)
            vars(_owner(net, name)).pop("forward", None)
        for name in self.own:
            _exchange(net, name, self._aside.pop(name))
        for parameter in self._thawed:
            parameter.requires_grad = True


_on: WeakKeyDictionary[nn.Module, Task] = WeakKeyDictionary()


def attach(net: nn.Module, settings: Settings, earlier: Sequence[Tensors] = ()) -> Task:
    """Put a new task on a generator that has its donor's weights; its outputs stay the same until the first step.

    earlier: the task files' tensors that the bank grows by (`--bank cumulative`), in the order of learning.
    """
    switch(net, None)
    task = Task(net, settings, fingerprint(net.state_dict()), earlier)
    switch(net, task)
    return task


def detach(net: nn.Module, task: Task) -> None:
    """Take a task off: every tensor of the network is the donor's again, norm statistics included."""
    if _on.get(net) is not task:
        raise ValueError("this task is not on this network")
    switch(net, None)


def switch(net: nn.Module, task: Task | None) -> None:
    """Exchange the task that is on for another, or for none: the donor. Only references change hands."""
    before = _on.pop(net, None)
    if before is not None:
        before.take_off(net)
    if task is not None:
        task.put_on(net)
        _on[net] = task


def current(net: nn.Module) -> Task | None:
    """The task that is on."""
    return _on.get(net)


@torch.no_grad()
def materialize(net: nn.Module, task: Task) -> Tensors:
    """The adapted generator as a plain state dict with the donor's keys, in new tensors on the CPU."""
    before = current(net)
    switch(net, task)
    state = {key: getattr(_owner(net, key), key.rpartition(".")[2]).detach().cpu().clone() for key in task.keys}
    switch(net, before)
    return state


def _found(path: Path, folder: Path) -> list[str]:
    """Where a file lies, seen from `folder` and from anywhere."""
    try:
        near = [Path(os.path.relpath(path, folder)).as_posix()]
    except ValueError:  # another drive
        near = []
    return [*near, path.resolve().as_posix()]


def _owner(net: nn.Module, name: str) -> nn.Module:
    return net.get_submodule(name.rpartition(".")[0])


def _exchange(net: nn.Module, name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Set a parameter or buffer by reference; returns the one before."""
    module, leaf = _owner(net, name), name.rpartition(".")[2]
    place = module._parameters if leaf in module._parameters else module._buffers
    before, place[leaf] = place[leaf], tensor
    return before
