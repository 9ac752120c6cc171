"""Runs applied to data, each network loaded once: what forgetting.py compares."""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch

from models import load_model
from models.apply.translators import tiled
from models.base import BaseModel
from models.donors.architecture import infer_architecture
from models.piggyback import fingerprint, load_task, read_task, switch
from util.forgetting import study
from util.forgetting.study import Measured
from util.run.checkpoint import network_path


class Bench:
    """Applies runs to data sets.

    options: of test.py, for a run's folder, an epoch (None: the usual one) and whether the run's task is left off.
    Data sets are data.same_images.Shelved; results for `keep`, the donor's folder, are kept.
    features: see `study.measure`.
    """

    def __init__(
        self, options: Callable[..., argparse.Namespace], device: torch.device, keep: Path, features: torch.nn.Module
    ):
        torch.backends.cudnn.deterministic = True  # outputs are compared bit for bit, on a GPU too
        self._options, self._device, self._keep = options, device, keep
        self._features = features
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
        """What an adapted run leaves of its donor on the old data, applied as the donor is; and the hashes of its
        generators' donors before the task was put on, used on new data and taken off again, and after.

        A donor that was fitted to other channels for the run lives on in its file: that is read anew for the old data,
        and its hash is told too.
        """
        opt = self._options(folder, base=True)
        model = load_model(opt, self._device)
        nets = {name: model.networks[name] for name in model.loaded}
        before = {name: fingerprint(net.state_dict()) for name, net in nets.items()}
        for name, net in nets.items():
            switch(net, load_task(model.loaded[name], net))
        model.translate(next(iter(new.loader))["A"])
        for net in nets.values():
            switch(net, None)
        after = {name: fingerprint(net.state_dict()) for name, net in nets.items()}
        proof = {"run": folder.name, "donor": before, "taken_off": after}
        files = {name: read_task(path) for name, path in model.loaded.items()}
        whole = {
            name: file.build_donor(fitted=False).to(self._device) for name, file in files.items() if file.was_fitted()
        }
        if whole:
            proof["on_disk"] = {name: fingerprint(net.state_dict()) for name, net in whole.items()}
            opt = infer_architecture(whole[model.translator].state_dict())
        left, as_donor = nets | whole, self._options(self._keep)
        donor = load_model(as_donor, self._device)
        donor.networks |= {name: net for name, net in left.items() if name in donor.networks}
        donor.networks[donor.translator] = left[model.translator]
        channels = {"input_nc": opt.input_nc, "output_nc": opt.output_nc}
        return self._measure(donor, argparse.Namespace(**vars(as_donor) | channels), old), proof

    def costs(self, folder: Path, recorded: dict[str, object]) -> dict:
        """What the run's generators cost; recorded: its options."""
        model, opt = self._load(folder), self._options(folder)
        names = [name for name in model.networks if name.startswith("G")]
        files = [model.loaded.get(name) or network_path(folder, opt.epoch, name) for name in names]
        trained = sum(parameter.numel() for name in names for parameter in model.trainable(name))
        return study.costs(files, trained, folder, recorded)

    def _measure(self, model: BaseModel, opt: argparse.Namespace, data) -> Measured:
        return study.measure(tiled(model, opt), data.loader, data.rule, (opt.input_nc, opt.output_nc), self._features)

    def _load(self, folder: Path, epoch: int | None = None) -> BaseModel:
        if self._last[0] != (folder, epoch):
            self._last = (folder, epoch), load_model(self._options(folder, epoch), self._device)
        return self._last[1]
