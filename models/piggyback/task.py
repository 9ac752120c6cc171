"""A task on a frozen generator: it is put on, taken off or exchanged without leaving a trace on the generator.

    net = define_G(...)                      # with the donor's weights
    task = attach(net, Settings("masks"))    # the same outputs as before
    optimizer = Adam(task.parameters())      # train as usual
    detach(net, task)                        # the donor again, bit for bit
    switch(net, task)                        # and back

The network's own tensors are never written to. A task has tensors of its own, which take their places while it is on.
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from types import MethodType
from typing import cast
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.nn.modules.conv import _ConvNd
from torch.nn.utils import parametrize

from models.donors.architecture import Architecture, infer_architecture
from models.piggyback import BANKS, METHODS
from models.piggyback.inputs import OLD, OWN, Inputs, largest
from models.piggyback.weights import (
    Adapter,
    Expected,
    FilterBank,
    LowRank,
    Mask,
    Tensors,
    TernaryMask,
    filter_axis,
    own_filters,
    respond,
)
from util.errors import UserError
from util.run.checkpoint import fingerprint
from util.run.tensors import copy_exactly

VERSION = 2


@dataclass(frozen=True)
class Settings:
    """How a task adapts its donor. Each field is named after its flag; `method` is --adapt."""

    method: str
    mask_init: float = 1e-2
    mask_cutoff: float = 5e-3
    bank_fraction: float = 0.25
    bank: str = "base"
    rank: int = 8

    @classmethod
    def of(cls, opt: argparse.Namespace) -> Settings:
        """The settings that train.py's flags ask for."""
        return cls(opt.adapt, opt.mask_init, opt.mask_cutoff, opt.bank_fraction, opt.bank, opt.rank)

    def __post_init__(self):
        for name in ("mask_init", "mask_cutoff", "bank_fraction"):
            if type(value := getattr(self, name)) not in (int, float) or not abs(value) < 1e30:
                raise UserError(f"--{name} {value!s:.20}: must be a finite number")
        if not (isinstance(self.method, str) and isinstance(self.bank, str)):
            raise UserError("--adapt and --bank: must be words")
        if self.method not in METHODS:
            raise UserError(
                f"--adapt {self.method}: no frozen generator is adapted like this; choose {', '.join(METHODS)}"
            )
        if not 0 <= self.mask_cutoff < self.mask_init:
            raise UserError(
                f"--mask_cutoff {self.mask_cutoff}: must be 0 or more and less than --mask_init "
                f"{self.mask_init}, or the task would not start as its donor"
            )
        if not 0 < self.bank_fraction <= 1:
            raise UserError(f"--bank_fraction {self.bank_fraction}: must be above 0 and at most 1")
        if self.bank not in BANKS:
            raise UserError(f"--bank {self.bank}: choose {' or '.join(BANKS)}")
        if type(self.rank) is not int or not 1 <= self.rank < 2**32:
            raise UserError(f"--rank {self.rank!s:.20}: must be a whole number, 1 or more")

    def flags(self) -> dict[str, object]:
        """These settings as values of train.py's flags."""
        values = asdict(self)
        return {"adapt": values.pop("method"), **values}

    def adapter(self, layer: _ConvNd, earlier: Sequence[torch.Tensor] = ()) -> Adapter:
        """The module that computes a convolution's weights from the donor's.

        earlier: filters of earlier tasks for the bank, one tensor [n, ...] each.
        """
        weight, axis = layer.weight, filter_axis(layer)
        if self.method == "filter_bank":
            return FilterBank(weight, axis, self.bank_fraction, tuple(earlier))
        if self.method == "lowrank":
            return LowRank(weight, axis, self.rank)
        mask = TernaryMask if self.method == "ternary" else Mask
        return mask(weight, self.mask_init, self.mask_cutoff)


@dataclass(frozen=True)
class Dependency:
    """An earlier task whose filters a bank mixes: its file, and the fingerprint of its tensors."""

    path: Path
    sha256: str


class Task:
    """What an adapted generator adds to its donor.

    own: whole tensors that the task has its own version of, by name: biases, the norm layers' scales, shifts and
    statistics, the weights of the first and the last convolution. adapters: for each other convolution, the module that
    computes its weights (`models.piggyback.weights`). donor: the donor's fingerprint. keys: those of its state dict.
    donor_path, depends: the files of the donor and of the tasks whose filters the bank mixes, where they are known.
    inputs: what the training images look like to the donor; None if nobody knows. old_inputs: the same of the images
    that the donor learnt from. about: what else its files tell (`models.piggyback.files.HEADER`).

    With `norm_only` no convolution's weights are trained, with `head_only` nothing but the last convolution. The norm
    layers' statistics belong to every task, since training moves them.
    """

    def __init__(self, net: nn.Module, settings: Settings, donor: str, earlier: Sequence[Tensors] = ()):
        self.settings, self.donor = settings, donor
        state = net.state_dict()
        self.keys = list(state)
        self.architecture: Architecture | None = infer_architecture(state)
        self.generator_count = sum(parameter.numel() for parameter in net.parameters())
        self.donor_path: Path | None = None
        self.depends: list[Dependency] = []
        self.inputs: Inputs | None = None
        self.old_inputs: Inputs | None = None
        self._descriptions = largest(net)
        self.about: dict[str, object] = {}
        weights = {f"{name}.weight": layer for name, layer in net.named_modules() if isinstance(layer, _ConvNd)}
        first, *_, last = weights
        trained = {
            "norm_only": lambda name: name not in weights,
            "head_only": lambda name: name.rpartition(".")[0] == last.rpartition(".")[0],
        }.get(settings.method, lambda name: name not in weights or name in (first, last))
        whole = {name: nn.Parameter(p.detach().clone()) for name, p in net.named_parameters() if trained(name)}
        self.own: Tensors = whole | {name: buffer.clone() for name, buffer in net.named_buffers() if name in state}
        self.adapters: dict[str, Adapter] = {}
        if settings.method not in ("norm_only", "head_only"):
            for name in [name for name in weights if name not in (first, last)]:
                bank = [own_filters(weights[name], tensors, name) for tensors in earlier]
                self.adapters[name] = settings.adapter(weights[name], bank)
        self._aside: Tensors = {}
        self._thawed: list[nn.Parameter] = []

    def describe(self) -> str:
        """One line: the method, how many parameters are trained, and the bytes that this takes on disk at most."""
        trained, of = self.contents(Path())["header"]["counts"]["trained"], self.generator_count
        size = sum(tensor.numel() * tensor.element_size() for tensor in self.own.values())
        size += self._descriptions + sum(adapter.largest() for adapter in self.adapters.values())
        return (
            f"{self.settings.method}, {trained / 1e6:.3f} M parameters trained, {of / 1e6:.3f} M frozen; "
            f"at most {size / 1e6:.3f} MB on disk, 1/{4 * of / size:.1f} of the generator"
        )

    def parameters(self) -> list[nn.Parameter]:
        """The parameters that are trained. None of them is the donor's."""
        own = [tensor for tensor in self.own.values() if isinstance(tensor, nn.Parameter)]
        return own + [parameter for adapter in self.adapters.values() for parameter in adapter.parameters()]

    def tensors(self) -> Tensors:
        """The tensors of the task file, on the CPU, masks packed."""
        whole = {name: tensor.detach().cpu().clone() for name, tensor in self.own.items()}
        whole |= self.inputs.tensors() if self.inputs else {}
        whole |= self.old_inputs.tensors(OLD) if self.old_inputs else {}
        return whole | {
            f"{name}.{part}": tensor
            for name, adapter in self.adapters.items()
            for part, tensor in adapter.stored().items()
        }

    def contents(self, folder: Path) -> dict:
        """A task file's contents, to be written to `folder`: header and tensors."""
        tensors = self.tensors()
        header = {
            "version": VERSION,
            "method": self.settings.method,
            "settings": asdict(self.settings),
            "donor": {
                "sha256": self.donor,
                "architecture": asdict(self.architecture) if self.architecture else None,
                "found": _places(self.donor_path, folder) if self.donor_path else [],
            },
            "dependencies": [{"sha256": d.sha256, "found": _places(d.path, folder)} for d in self.depends],
            "counts": {"trained": sum(p.numel() for p in self.parameters()), "generator": self.generator_count},
            "bytes": sum(tensor.numel() * tensor.element_size() for tensor in tensors.values()),
            "about": self.about,
            "sha256": fingerprint(tensors),
        }
        return {"header": header, "tensors": tensors}

    @torch.no_grad()
    def restore(self, tensors: Mapping[str, torch.Tensor]) -> None:
        """Take over a task file's tensors. ValueError where names, types or shapes are not this task's."""
        wanted: dict[str, Expected] = {name: (own.dtype, tuple(own.shape)) for name, own in self.own.items()}
        for name, adapter in self.adapters.items():
            wanted |= {f"{name}.{part}": kind for part, kind in adapter.expected().items()}
        if wanted.keys() != {name for name in tensors if not name.startswith((OWN, OLD))} or any(
            tensors[name].dtype != dtype or shape not in (None, tuple(tensors[name].shape))
            for name, (dtype, shape) in wanted.items()
        ):
            raise ValueError("not the tensors of this task")
        for name, tensor in self.own.items():
            tensor.copy_(tensors[name])
        for name, adapter in self.adapters.items():
            adapter.restore({part: tensors[f"{name}.{part}"] for part in adapter.expected()})

    def state_dict(self) -> Tensors:
        """The live tensors that an exact resume needs: as `tensors`, but with the masks' real values."""
        trained = {
            f"{name}.{part}": tensor.detach()
            for name, adapter in self.adapters.items()
            for part, tensor in adapter.named_parameters()
        }
        return {name: tensor.detach() for name, tensor in self.own.items()} | trained

    @torch.no_grad()
    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Take over what `state_dict` returned, in place, so that an optimizer keeps its parameters. ValueError: it is
        another task's."""
        for name, tensor in self.state_dict().items():
            copy_exactly(tensor, state[name])

    def put_on(self, net: nn.Module) -> None:
        """Put the task's tensors in the network. Only `switch` calls this."""
        self._thawed = [parameter for parameter in net.parameters() if parameter.requires_grad]
        for parameter in self._thawed:
            parameter.requires_grad = False
        for name, tensor in self.own.items():
            self._aside[name] = _exchange(net, name, tensor)
        for name, adapter in self.adapters.items():
            layer = _owner(net, name)
            # unsafe: torch would otherwise apply the adapter once, only to check its shape.
            parametrize.register_parametrization(layer, "weight", adapter, unsafe=True)
            if isinstance(adapter, FilterBank | LowRank):
                layer.forward = MethodType(respond, layer)  # a method, so that a copy of the network has its own

    def take_off(self, net: nn.Module) -> None:
        """Put the network's own tensors back. Only `switch` calls this."""
        for name in self.adapters:
            parametrize.remove_parametrizations(_owner(net, name), "weight", leave_parametrized=False)
            vars(_owner(net, name)).pop("forward", None)
        for name in self.own:
            _exchange(net, name, self._aside.pop(name))
        for parameter in self._thawed:
            parameter.requires_grad = True


# The task that each network has on. As an attribute it would be copied along with the network.
_on: WeakKeyDictionary[nn.Module, Task] = WeakKeyDictionary()


def attach(net: nn.Module, settings: Settings, earlier: Sequence[Tensors] = ()) -> Task:
    """Put a new task on a generator that has its donor's weights. Its outputs stay the same until the first step.

    earlier: tensors of the task files that the bank grows by (`--bank cumulative`), in the order of learning.
    """
    switch(net, None)
    task = Task(net, settings, fingerprint(net.state_dict()), earlier)
    switch(net, task)
    return task


def detach(net: nn.Module, task: Task) -> None:
    """Take a task off: every tensor of the network is the donor's again, norm statistics included.

    ValueError where another task is on, or none.
    """
    if _on.get(net) is not task:
        raise ValueError("this task is not on this network")
    switch(net, None)


def switch(net: nn.Module, task: Task | None) -> None:
    """Exchange the task that is on for another, or for None: the donor. Only references change; nothing is copied."""
    before = _on.pop(net, None)
    if before is not None:
        before.take_off(net)
    if task is not None:
        task.put_on(net)
        _on[net] = task


def current(net: nn.Module) -> Task | None:
    """The task that the network has on; None for the donor itself."""
    return _on.get(net)


@torch.no_grad()
def materialize(net: nn.Module, task: Task) -> Tensors:
    """The adapted generator as a plain state dict with the donor's keys, in new tensors on the CPU."""
    before = current(net)
    switch(net, task)
    state = {key: getattr(_owner(net, key), key.rpartition(".")[2]).detach().cpu().clone() for key in task.keys}
    switch(net, before)
    return state


def _places(path: Path, folder: Path) -> list[str]:
    """Where a run's folder finds a file: relative to it, and, if the file is of no run beside it, absolute.

    A task file is made to be shared, and an absolute path tells others how its author's folders are called.
    """
    try:
        near = [Path(os.path.relpath(path, folder)).as_posix()]
    except ValueError:  # on Windows, another drive
        near = []
    beside = path.resolve().is_relative_to(folder.resolve().parent)
    return near if near and beside else [*near, path.resolve().as_posix()]


def _owner(net: nn.Module, name: str) -> nn.Module:
    return net.get_submodule(name.rpartition(".")[0])


def _exchange(net: nn.Module, name: str, tensor: torch.Tensor) -> torch.Tensor:
    """Set a parameter or buffer by reference. Returns the one before."""
    module, leaf = _owner(net, name), name.rpartition(".")[2]
    place = cast(Tensors, module._parameters if leaf in module._parameters else module._buffers)
    before, place[leaf] = place[leaf], tensor
    return before
