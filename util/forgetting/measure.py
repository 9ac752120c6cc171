"""A network on a task: its scores, how far its outputs moved, and what it cost to train."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from util.contracts import Batch, Batches, Translator
from util.forgetting import continual
from util.forgetting.drift import drift, ssim_chance
from util.forgetting.kid import kernel_distance
from util.run.aside import read_burden
from util.run.log import read_losses
from util.score.evaluate import Evaluation, evaluate
from util.score.image import Scored
from util.score.mask_rule import MaskRule

FLOAT = 4  # bytes

Measures = dict[str, float | int | None]  # by name; None where undefined


@dataclass
class Measured:
    """A network on a task. outputs: float [C, h, w] in [-1, 1], one for each image."""

    evaluation: Evaluation
    measures: Measures
    outputs: list[torch.Tensor]


def measure(
    model: Translator, loader: Batches, rule: MaskRule, channels: tuple[int, int], features: nn.Module
) -> Measured:
    """Apply a model to a data set and score it; without classes, measure KID against the targets, if there are any.

    channels: number of input and output channels of the model; for data with others, colours are averaged to grey and
    grey is repeated as colour. features: for KID, maps images [N, C, H, W] to [N, D].
    """
    data = loader.dataset
    outputs: dict[int, torch.Tensor] = {}
    cycles: list[float] = []

    def keep(image: Scored) -> None:
        outputs[image.index] = image.fake
        if "rec_A" in image.companions:
            cycles.append(float((image.companions["rec_A"] - data[image.index]["A"]).abs().mean() / 2))

    first = data[0]
    wanted = (first["A"].shape[0], first["B"].shape[0] if "B" in first else channels[1])
    fitting = model if wanted == channels else _Recoloured(model, channels[0], wanted[1])
    evaluation = evaluate(fitting, loader, rule, on_image=keep)
    measures: Measures = dict(evaluation.means)
    in_order = [outputs[i] for i in range(len(data))]
    if cycles:
        measures["cycle_l1"] = float(np.mean(cycles))
    if not evaluation.scored and "B" in first and len(data) > 1:
        real = torch.cat([features(data[i]["B"][None]) for i in range(len(data))])
        measures["kid"] = kernel_distance(torch.cat([features(image[None]) for image in in_order]), real)
    return Measured(evaluation, measures, in_order)


class _Recoloured:
    """A model on data with another number of channels."""

    def __init__(self, model: Translator, inputs: int, outputs: int):
        self._model, self._inputs, self._outputs = model, inputs, outputs

    def translate(self, images: torch.Tensor, /) -> torch.Tensor:
        return _recoloured(self._model.translate(_recoloured(images, self._inputs)), self._outputs)

    def companions(self, batch: Batch, /) -> dict[str, torch.Tensor]:
        return {}


def _recoloured(images: torch.Tensor, channels: int) -> torch.Tensor:
    if images.shape[1] == channels:
        return images
    return images.mean(1, keepdim=True) if channels == 1 else images.expand(-1, channels, -1, -1)


def score_name(measures: Mapping[str, object]) -> str:
    """The measure that is a task's score: Dice (two classes), mIoU (more), or without ground truth SSIM to the outputs
    that the task's own run had when it had just learnt the task."""
    return next((name for name in ("dice", "miou") if name in measures), "ssim")


def against(measured: Measured, reference: Measured | None = None) -> Measures:
    """The measures of a network on a task, with its drift from the reference's outputs, if there is one."""
    return measured.measures | (drift(measured.outputs, reference.outputs) if reference else {})


def scores(row: Sequence[Measured], learnt: Sequence[Measured]) -> list[float | None]:
    """One score for each task, see `score_name`. learnt: each task's own run, just after it had learnt the task."""
    measures = [against(now, then) for now, then in zip(row, learnt, strict=True)]
    return [each[score_name(each)] for each in measures]


def chance(measured: Measured) -> float:
    """The best score on a task that needs no look at the image."""
    if measured.evaluation.pooled is not None:
        return continual.chance_level(measured.evaluation.pooled)
    return ssim_chance(measured.outputs)


def line(measured: Measured) -> str:
    """The measures of a network on a task, to print."""
    return ", ".join(f"{name} {value:z.4f}" for name, value in measured.measures.items()) or "no ground truth"


def costs(files: Sequence[Path], trainable: int, folder: Path, options: Mapping[str, Any]) -> dict[str, Any]:
    """What the run in `folder` cost, by its generators' files, its number of trained floats and its options.

    bytes: size of the files; training_bytes: memory for gradients and Adam's two moments; seconds_per_step: median over
    loss_log.txt, which logs seconds for each image; None without it. old_images, old_patients, old_bytes: what the run
    kept of its old task while it learnt; only where it kept anything (--adapt ewc, lwf, --replay).
    """
    times = [row["time"] for row in read_losses(folder / "loss_log.txt") if row.get("time")]
    return {
        "trainable": trainable,
        "bytes": sum(path.stat().st_size for path in files),
        "training_bytes": 3 * FLOAT * trainable,
        "seconds_per_step": float(np.median(times)) * int(options.get("batch_size", 1)) if times else None,
        **{f"old_{name}": number for name, number in read_burden(folder).items()},
    }
