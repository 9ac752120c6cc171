"""Trained runs as test.py applies them: put together, with what their masks and scores depend on."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import torch

from models import load_model
from models.apply.translators import Translator, create_translator
from util.run.checkpoint import network_path
from util.score.evaluate import evaluate
from util.score.mask_rule import MaskRule
from util.score.threshold import applied, keep_threshold, kept_threshold
from util.score.within import Within


class Trained:
    """A run, or the runs of an ensemble, each with its own options; the first one's count for all that is one.

    runs: their options, of test.py. name: of the folder of results; folder: of the first run; models: theirs; files:
    those that they were loaded from. Data sets are data.base.PairedDataset.
    """

    def __init__(self, runs: Sequence[argparse.Namespace], device: torch.device) -> None:
        self.runs = runs
        self.name = runs[0].name if len(runs) == 1 else "+".join(run.name.replace("/", "_") for run in runs)
        self.models = [load_model(run, device) for run in runs]
        folders = [Path(run.checkpoints_dir) / run.name for run in runs]
        self.folder = folders[0]
        self.files = [
            model.loaded.get(model.translator) or network_path(folder, run.epoch, model.translator)
            for model, folder, run in zip(self.models, folders, runs, strict=True)
        ]

    def translator(self, dataset) -> Translator:
        """All of them together, for this data set."""
        two = dataset.classes and dataset.classes.binary
        return create_translator(self.models, self.runs, dataset.classes.foreground if two else None)

    def rule(self, loader, within: Within | None = None) -> MaskRule:
        """How masks are made. --mask_threshold auto chooses on `loader` if it gives phase val, and elsewhere takes what
        was chosen there."""
        opt = self.runs[0]
        if opt.mask_threshold != "auto" or opt.phase != "val":
            return self.kept_rule(within)
        histograms = evaluate(self.translator(loader.dataset), loader, within=within).histograms
        return MaskRule.of(opt, *keep_threshold(self.folder, self._applied(within), histograms, _data(opt)))

    def kept_rule(self, within: Within | None = None) -> MaskRule:
        """How masks are made, by the threshold that was chosen before. UserError: none was (--mask_threshold auto)."""
        opt = self.runs[0]
        if opt.mask_threshold != "auto":
            return MaskRule.of(opt)
        names = ",".join(run.name for run in self.runs)
        return MaskRule.of(opt, *kept_threshold(self.folder, self._applied(within), names, _data(opt)))

    def _applied(self, within: Within | None) -> dict[str, object]:
        return applied(self.runs, [*self.files, *(within.files if within else [])])

    def settings(self, dataset, rule: MaskRule) -> dict[str, object]:
        """What the scores on `dataset` depend on, for the page and metrics.json; a list where runs differ in it."""
        opt = self.runs[0]
        told: dict[str, object] = {
            "checkpoint": _one_or_all(file.as_posix() for file in self.files),
            "data": opt.dataroot or opt.dataset_mode,
            "phase": opt.phase,
            "norm_stats": self._each("norm_stats"),
            "dropout": f"alive, seed {opt.seed}" if opt.stochastic else "off",
            "preprocess": opt.preprocess,
            "crop_size": opt.crop_size,
        }
        if any(run.input_norm != "signed" for run in self.runs):
            told["input_norm"] = self._each("input_norm")
        if opt.intensity != "none":
            told["intensity"] = opt.intensity
        if opt.clahe:
            told["clahe"] = "limit 2, 8 x 8 tiles"
        if any(run.patch for run in self.runs):
            told |= {"patch": self._each("patch"), "patch_overlap": self._each("patch_overlap")}
        if learnt := [f"{run.name} {run.trained}" for run in self.runs if getattr(run, "trained", "")]:
            told["may have learnt from these images"] = f"trained otherwise: {', '.join(learnt)}"
        if opt.tta:
            told["tta"] = "mean with the mirror image"
        if opt.samples:
            told["dropout"] = f"alive, {opt.samples} passes, seeds {opt.seed} to {opt.seed + opt.samples - 1}"
        if opt.within:
            told["within"] = f"the masks of {opt.within}"
        if opt.task == "base":
            told["task"] = "base: only what the checkpoint started from"
        if dataset.classes and dataset.classes.binary:
            told |= rule.settings
        if dataset.skipped:
            told["unreadable files left out"] = len(dataset.skipped)
        return told

    def _each(self, flag: str) -> object:
        return _one_or_all(getattr(run, flag) for run in self.runs)


def _data(opt: argparse.Namespace) -> str:
    source = getattr(opt, "source", "")
    return (opt.dataroot or opt.dataset_mode) + (f" ({source})" if source else "")


def _one_or_all(values) -> object:
    values = list(dict.fromkeys(values))
    return values[0] if len(values) == 1 else values
