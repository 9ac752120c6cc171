"""What an exported file consists of, made of a trained run."""

import argparse
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from models.apply.trained import Trained
from models.export.whole import Steps, Whole
from util.contracts import Batches
from util.errors import UserError
from util.score.mask_rule import MaskRule

LEFT_OUT = ("patch", "samples", "within", "stochastic", "clahe")
"""Flags of test.py whose work no file can do."""
EXAMPLE = (2, 3, 200, 300)
"""Shape of the image by which a run is traced. No number of it is 0 or 1, which would be taken for fixed."""


@dataclass(frozen=True)
class Exported:
    """whole: the module. facts: what a reader of the file must know, for JSON. rule: how test.py makes masks; the file
    itself does no more than its thresholds. loader: images to check the file on. calibration: inputs of the module, by
    which --int8 learns the range of each layer; empty without that flag."""

    whole: Whole
    facts: Mapping[str, Any]
    trained: Trained
    rule: MaskRule
    loader: Batches
    calibration: Sequence[tuple[np.ndarray, float]] = ()

    def program(self) -> torch.export.ExportedProgram:
        """The module as torch.export has it, for images of any number, size and of 1 or 3 channels."""
        image = torch.rand(EXAMPLE, generator=torch.Generator().manual_seed(0))
        shapes = {axis: torch.export.Dim.DYNAMIC for axis in range(4)}
        return torch.export.export(self.whole, (image, torch.tensor(255.0)), dynamic_shapes=(shapes, None))


def refuse(opt: argparse.Namespace) -> None:
    """UserError for a run, or a way of applying it, that no file can hold."""
    for flag in LEFT_OUT:
        if value := getattr(opt, flag):
            asked = "" if value is True else f" {value}"
            raise UserError(
                f"--{flag}{asked}: an exported file cannot do that; apply this run by test.py, or export one without it"
            )
    if opt.task == "auto":
        raise UserError("--task auto: an exported file holds one network; name the run of one task")
    if opt.direction == "BtoA":
        raise UserError("--direction BtoA: this run draws images from masks, and an exported file makes masks")


def exported(
    opt: argparse.Namespace, loader: Batches, stretch: tuple[float, float] | None, threshold_typed: bool
) -> Exported:
    """A run, ready to be written. opt: test.py's options. stretch: the percentiles of --intensity. threshold_typed:
    --mask_threshold was typed, so that no threshold that was chosen on val takes its place."""
    classes = loader.dataset.classes
    if classes is None:
        raise UserError(
            f"run {opt.name} does not say what the colours of its output mean, and an exported file makes masks: give "
            "--classes, such as lungs (white on black)"
        )
    if not classes.binary:
        many = f"{len(classes.names)} classes; an exported file makes masks of background and foreground"
        raise UserError(f"--classes {opt.classes}: {many}")
    trained = Trained([opt], torch.device("cpu"))
    rule = trained.chosen_rule(classes, threshold_typed)
    colours = classes.encode(np.array([[0, 1]], np.uint8))[0] / 127.5 - 1
    ends = ([-1.0], [1.0]) if opt.output_nc == 1 else (colours[0].tolist(), colours[1].tolist())
    resizes = opt.preprocess.startswith(("resize", "scale_width"))
    steps = Steps(
        channels=opt.input_nc,
        size=opt.crop_size if resizes else None,
        scale_width=opt.preprocess.startswith("scale_width"),
        stretch=stretch,
        background=ends[0],
        foreground=ends[1],
        threshold=rule.threshold,
        top=rule.top,
        area=rule.area,
        mirror=opt.tta,
    )
    model = trained.models[0]
    whole = Whole(model.generator(model.translator), steps).eval()
    return Exported(whole, _facts(opt, rule, classes.names), trained, rule, loader)


def _facts(opt: argparse.Namespace, rule: MaskRule, names: tuple[str, ...]) -> dict[str, Any]:
    inside = ("netG", "input_norm", "norm_stats", "preprocess", "crop_size", "intensity", "tta")
    return {
        "run": opt.name,
        "epoch": opt.epoch,
        "classes": list(names),
        "inputs": "image: float32 [N, 1 or 3, H, W], pixels as they are; white: float32 [], 255 or, for 16 bits, 65535",
        "outputs": "mask: uint8 [N, H, W] of 0 and 1; probability: float32 [N, H, W] in 0..1; both at the image's size",
        "inside": {name: getattr(opt, name) for name in inside} | {"mask_threshold": rule.threshold},
        "after": {name: getattr(rule, name) for name in ("fill_holes", "min_area", "keep_largest")},
    }
