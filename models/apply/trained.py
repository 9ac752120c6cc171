"""Trained runs as test.py applies them, alone or as an ensemble, and the settings that their scores depend on."""

import argparse
import contextlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import torch

from models import load_model
from models.apply.choosing import Choosing, share_donor, task_labels
from models.apply.translators import create_translator
from models.base import BaseModel
from util.commands import named
from util.contracts import Batches, ClassMap, ScoredData, Translator
from util.folds.record import name_of
from util.run.checkpoint import network_path
from util.score.evaluate import evaluate
from util.score.mask_rule import ONE_HALF, MaskRule
from util.score.threshold import NoThreshold, applied, keep_threshold, kept_threshold
from util.score.trust import expected
from util.score.trust.plausible import Seen, seen_by
from util.score.within import Within

TASKS = {
    "base": "only what the checkpoint started from",
    "auto": "for each image the one whose training images it resembles most",
}
"""Values of --task but the usual one."""
LEARNT = "may have learnt from these images"
"""A setting: the runs that have, or may have, and from how many."""


class Trained:
    """A run, or the runs of an ensemble.

    Each network is built and applied by its own run's options. The first run's options decide what all share: phase,
    mask rule, the threshold's file.

    runs: test.py's options of each run. name: of the folder of results. folders: of the runs. folder: of the first run.
    models: one for each run. files: the files of their generators.
    """

    def __init__(self, runs: Sequence[argparse.Namespace], device: torch.device) -> None:
        self.runs = runs
        self.name = name_of(Path(runs[0].checkpoints_dir), [run.name for run in runs])
        self._labels = task_labels(runs) if runs[0].task == "auto" else []
        self.models: list[BaseModel] = []
        for run in runs:
            self.models.append(load_model(run, device))
            if self._labels:
                share_donor(self.models[0], self.models[-1])
        self.folders = [Path(run.checkpoints_dir) / run.name for run in runs]
        self.folder = self.folders[0]
        self.files = [
            model.loaded.get(model.translator) or network_path(folder, run.epoch, model.translator)
            for model, folder, run in zip(self.models, self.folders, runs, strict=True)
        ]

    def translator(self, classes: ClassMap | None) -> Translator:
        """All runs together, as one translator. classes: of the data. With --task auto one of them for each image."""
        foreground = classes.foreground if classes and classes.binary else None
        if self._labels:
            each = [
                create_translator([one], [run], foreground) for one, run in zip(self.models, self.runs, strict=True)
            ]
            return Choosing(self.models, each, self._labels)
        return create_translator(self.models, self.runs, foreground)

    def seen(self, classes: ClassMap | None) -> Seen | None:
        """What the training masks of the runs looked like, for masks of these classes; None without a record."""
        if classes is None or self.runs[0].task == "base":
            return None
        return seen_by(self.folders, classes.names)

    def medians(self, classes: ClassMap) -> dict[str, float] | None:
        """What the Dice of other images is expected by (`util.score.trust.expected`); None if nothing was recorded."""
        if self.runs[0].within or not expected.has_record(self.folder):  # to hash the weights takes a while
            return None
        return expected.known(self.folder, self.applied(classes))

    def expect_dice(self, rows: Sequence[dict], classes: ClassMap | None, own_val: bool) -> None:
        """Add the column expected_dice to an evaluation's rows, if the run was tested on its own val images before, or
        now. own_val: these are their rows."""
        if not rows or "likeness" not in rows[0] or classes is None or self.runs[0].within:
            return
        learnt = expected.learn(self.folder, self.applied(classes), rows) if own_val else None
        if medians := learnt or self.medians(classes):
            for row in rows:
                row[expected.COLUMN] = expected.expect(medians, row)

    def rule(self, loader: Batches, within: Within | None = None) -> MaskRule:
        """The rule that masks are made by.

        --mask_threshold auto chooses a threshold on `loader` if its phase is val. In other phases it uses the threshold
        that was chosen on val before. UserError: none was.
        """
        opt = self.runs[0]
        if opt.mask_threshold != "auto" or opt.phase != "val":
            return self.kept_rule(loader.dataset.classes, within.files if within else ())
        histograms = evaluate(self.translator(loader.dataset.classes), loader, within=within).histograms
        way = self.applied(loader.dataset.classes, within.files if within else ())
        return MaskRule.of(opt, *keep_threshold(self.folder, way, histograms, _data(opt)))

    def kept_rule(self, classes: ClassMap | None, within: Sequence[Path] = ()) -> MaskRule:
        """The rule with a threshold that was chosen before (--mask_threshold auto). UserError: none was.

        classes: of the data. within: the networks of --within.
        """
        if self.runs[0].mask_threshold != "auto":
            return MaskRule.of(self.runs[0])
        return self._rule_from_val(classes, within, _data(self.runs[0]))

    def chosen_rule(self, classes: ClassMap | None, typed: bool, within: Sequence[Path] = ()) -> MaskRule:
        """The rule for images of any data. If nobody typed a threshold, the one that was chosen last takes the place of
        the default. UserError: --mask_threshold auto, and none was chosen."""
        if not typed and self.runs[0].mask_threshold == ONE_HALF.threshold:
            with contextlib.suppress(NoThreshold):
                return self._rule_from_val(classes, within, data=None)
        elif self.runs[0].mask_threshold == "auto":
            return self._rule_from_val(classes, within, data=None)
        return MaskRule.of(self.runs[0])

    def _rule_from_val(self, classes: ClassMap | None, within: Sequence[Path], data: str | None) -> MaskRule:
        """The rule with the threshold that was chosen on val of `data`, or else last. NoThreshold: none was."""
        opt = self.runs[0]
        flags = named(",".join(run.name for run in self.runs), opt.checkpoints_dir)
        kept = kept_threshold(self.folder, self.applied(classes, within), flags, data)
        return MaskRule.of(argparse.Namespace(**vars(opt) | {"mask_threshold": "auto"}), *kept)

    def applied(self, classes: ClassMap | None, within: Sequence[Path] = ()) -> dict[str, object]:
        """The weights and the way of applying them that a threshold is valid for."""
        return applied(self.runs, [*self.files, *within], classes)

    def settings(self, dataset: ScoredData, rule: MaskRule, learnt: Mapping[str, str]) -> dict[str, object]:
        """The settings that scores on `dataset` depend on, for the page and metrics.json. Runs that differ give a list.

        learnt: for each run, a phrase that says which images of `dataset` it may have learnt from; "" if none.
        """
        opt = self.runs[0]
        settings: dict[str, object] = {
            "checkpoint": _one_or_all(file.as_posix() for file in self.files),
            "data": opt.dataroot or opt.dataset_mode,
            "phase": opt.phase,
            "norm_stats": self._each("norm_stats"),
            "dropout": _one_or_all(f"alive, seed {run.seed}" if run.stochastic else "off" for run in self.runs),
            "preprocess": opt.preprocess,
            "crop_size": opt.crop_size,
        }
        if any(run.input_norm != "signed" for run in self.runs):
            settings["input_norm"] = self._each("input_norm")
        if opt.intensity != "none":
            settings["intensity"] = opt.intensity
        if opt.clahe:
            settings["clahe"] = "limit 2, 8 x 8 tiles"
        if any(run.patch for run in self.runs):
            settings |= {"patch": self._each("patch"), "patch_overlap": self._each("patch_overlap")}
        if phrases := [f"{run} {phrase}" for run, phrase in learnt.items() if phrase]:
            settings[LEARNT] = "; ".join(phrases)
        if opt.tta:
            settings["tta"] = "mean with the mirror image"
        if opt.samples:
            settings["dropout"] = f"alive, {opt.samples} passes, seeds {opt.seed} to {opt.seed + opt.samples - 1}"
        if opt.within:
            settings["within"] = f"the masks of {opt.within}"
        if opt.task in TASKS:
            settings["task"] = f"{opt.task}: {TASKS[opt.task]}"
        if dataset.classes and dataset.classes.binary:
            settings |= rule.settings
        if dataset.skipped:
            settings["unreadable files left out"] = len(dataset.skipped)
        return settings

    def _each(self, flag: str) -> object:
        return _one_or_all(getattr(run, flag) for run in self.runs)


def _data(opt: argparse.Namespace) -> str:
    source = getattr(opt, "source", "")
    return (str(Path(opt.dataroot)) if opt.dataroot else opt.dataset_mode) + (f" ({source})" if source else "")


def _one_or_all(values: Iterable[object]) -> object:
    """The value that all have in common, or else the list of different values."""
    different = list(dict.fromkeys(values))
    return different[0] if len(different) == 1 else different
