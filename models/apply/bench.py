"""Runs applied to data for forgetting.py. Each network is loaded once for all the data that follow each other."""

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from models import create_model, load_model
from models.apply.translators import tiled
from models.base import BaseModel
from models.donors.architecture import infer_architecture
from models.networks.generator import Generator
from models.piggyback.files import load_task, read_task
from models.piggyback.task import switch
from util.forgetting import measure
from util.forgetting.measure import Measured
from util.run.checkpoint import fingerprint, network_path
from util.score.evaluate import ImageSet


class Bench:
    """Applies runs to data sets.

    options: returns test.py's options for a run's folder, an epoch (None: the usual one) and whether the run's task is
    taken off (`base`). keep: the donor's folder, whose results are kept, because all methods share them. features: of
    images [N, C, H, W], to compute KID from.
    """

    def __init__(
        self, options: Callable[..., argparse.Namespace], device: torch.device, keep: Path, features: nn.Module
    ):
        torch.backends.cudnn.deterministic = True  # outputs are compared bit for bit, on a GPU too
        self._options, self._device, self._donor = options, device, keep
        self._features = features
        self._of_donor: dict[ImageSet, Measured] = {}
        self._loaded: tuple[tuple[Path, int | None], BaseModel] | None = None

    def measure(self, folder: Path, data: ImageSet, epoch: int | None = None) -> Measured:
        """Apply the run in `folder` to a task's data and score it."""
        if folder == self._donor and data in self._of_donor:
            return self._of_donor[data]
        opt = self._options(folder, epoch)
        measured = self._measure(self._load(folder, epoch), opt, (opt.input_nc, opt.output_nc), data)
        if folder == self._donor:
            self._of_donor[data] = measured
        return measured

    def untrained(self, data: ImageSet) -> Measured:
        """Apply a generator like the donor's, but with random weights, to a task's data and score it."""
        opt = self._options(self._donor)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            model = create_model(opt, self._device, training=False)
        return self._measure(model, opt, (opt.input_nc, opt.output_nc), data)

    def taken_off(self, folder: Path, old: ImageSet, new: ImageSet) -> tuple[Measured, dict]:
        """Take the run's task off, measure the remaining donor on the old data, and prove that it is unchanged.

        The run's task is put on, used on a batch of the new data and taken off again. What remains is applied to the
        old data with the donor's own options. The proof holds the hashes of the generators' donors before and after.
        A donor that was fitted to other channels for the run is unchanged only in its file. It is read again for the
        old data, and the proof holds its hash too.
        """
        opt = self._options(folder, base=True)
        model = load_model(opt, self._device)
        nets = {name: model.generator(name) for name in model.loaded}
        proof: dict[str, Any] = {"run": folder.name, "donor": _fingerprints(nets)}
        for name, net in nets.items():
            switch(net, load_task(model.loaded[name], net))
        model.translate(next(iter(new.loader))["A"])
        for net in nets.values():
            switch(net, None)
        proof["taken_off"] = _fingerprints(nets)

        tasks = {name: read_task(path) for name, path in model.loaded.items()}
        on_disk = {
            name: task.build_donor(fitted=False).to(self._device) for name, task in tasks.items() if task.was_fitted()
        }
        channels = (opt.input_nc, opt.output_nc)
        if on_disk:
            proof["on_disk"] = _fingerprints(on_disk)
            if architecture := infer_architecture(on_disk[model.translator].state_dict()):
                channels = (architecture.input_nc, architecture.output_nc)
        return self._measure_as_donor(nets | on_disk, model.translator, channels, old), proof

    def costs(self, folder: Path, recorded: Mapping[str, Any]) -> dict[str, Any]:
        """What the run's generators cost (`util.forgetting.measure.costs`). recorded: its options."""
        model, opt = self._load(folder), self._options(folder)
        names = [name for name in model.networks if name.startswith("G")]
        files = [model.loaded.get(name) or network_path(folder, opt.epoch, name) for name in names]
        trained = sum(parameter.numel() for name in names for parameter in model.trainable(name))
        return measure.costs(files, trained, folder, recorded)

    def _measure(
        self, model: BaseModel, opt: argparse.Namespace, channels: tuple[int, int], data: ImageSet
    ) -> Measured:
        return measure.measure(tiled(model, opt), data.loader, data.rule, channels, self._features)

    def _measure_as_donor(
        self, nets: Mapping[str, Generator], translator: str, channels: tuple[int, int], data: ImageSet
    ) -> Measured:
        """Apply the generators `nets` with the donor's options and scheme. translator: which of them maps A to B."""
        opt = self._options(self._donor)
        donor = load_model(opt, self._device)
        donor.networks |= {name: net for name, net in nets.items() if name in donor.networks}
        donor.networks[donor.translator] = nets[translator]  # a run's generator may have another name than its donor's
        return self._measure(donor, opt, channels, data)

    def _load(self, folder: Path, epoch: int | None = None) -> BaseModel:
        if not self._loaded or self._loaded[0] != (folder, epoch):
            self._loaded = (folder, epoch), load_model(self._options(folder, epoch), self._device)
        return self._loaded[1]


def _fingerprints(nets: Mapping[str, Generator]) -> dict[str, str]:
    return {name: fingerprint(net.state_dict()) for name, net in nets.items()}
