"""Runs applied to data, each network loaded once: what forgetting.py compares."""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch

from models.base import BaseModel
from models.files import load_networks
from models.piggyback import fingerprint, load_task, switch
from models.predict import tiled
from util import study
from util.checkpoint import network_path
from util.study import Measured


class Bench:
    """Applies runs to data sets.

    options: of test.py, for a run's folder, an epoch (None: the usual one) and whether the run's task is left off;
    create: `models.create_model`. Data sets are data.shelf.Shelved; results for `keep`, the donor's folder, are kept.
    """

    def __init__(
        self, options: Callable[..., argparse.Namespace], create: Callable[..., BaseModel], device: torch.device,
        keep: Path,
    ):
        torch.backends.cudnn.deterministic = True  # outputs are compared bit for bit, on a GPU too
        self._options, self._make, self._device, self._keep = options, create, device, keep
        self._kept: dict[object, Measured] = {}
        self._last: tuple[object, BaseModel | None] = (None, None)

    def measure(self, folder: Path, data, epoch: int | None = None) -> Measured:
        """A run on a task's data."""
        if folder == self._keep and data in self._kept:
            return self._kept[data]
        found = self._measure(self._load(folder, epoch), self._options(folder, epoch), data)
        if folder == self._keep:
            self._kept[data] = found
        return found

    def taken_off(self, folder: Path, old, new) -> tuple[Measured, dict]:
        """An adapted run without its task on the old data, and the hashes of its generators' donors before the task was
        put on, used on new data and taken off again, and after."""
        opt = self._options(folder, base=True)
        model = self._create(folder, opt)
        nets = {name: model.networks[name] for name in model.loaded}
        before = {name: fingerprint(net.state_dict()) for name, net in nets.items()}
        for name, net in nets.items():
            switch(net, load_task(model.loaded[name], net))
        model.translate(next(iter(new.loader))["A"])
        for net in nets.values():
            switch(net, None)
        after = {name: fingerprint(net.state_dict()) for name, net in nets.items()}
        return self._measure(model, opt, old), {"run": folder.name, "donor": before, "taken_off": after}

    def costs(self, folder: Path, recorded: dict[str, object]) -> dict:
        """What the run's generators cost; recorded: its options."""
        model, opt = self._load(folder), self._options(folder)
        names = [name for name in model.networks if name.startswith("G")]
        files = [model.loaded.get(name) or network_path(folder, opt.epoch, name) for name in names]
        trained = sum(parameter.numel() for name in names for parameter in model.trainable(name))
        return study.costs(files, trained, folder, recorded)

    def _measure(self, model: BaseModel, opt: argparse.Namespace, data) -> Measured:
        return study.measure(tiled(model, opt), data.loader, data.rule, (opt.input_nc, opt.output_nc))

    def _load(self, folder: Path, epoch: int | None = None) -> BaseModel:
        if self._last[0] != (folder, epoch):
            self._last = (folder, epoch), self._create(folder, self._options(folder, epoch))
        return self._last[1]

    def _create(self, folder: Path, opt: argparse.Namespace) -> BaseModel:
        model = self._make(opt, self._device, training=False)
        load_networks(model, folder, opt.epoch, opt)
        return model
