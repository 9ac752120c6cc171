"""Ways to apply trained models at test time, each a thin object around others: in patches, mirrored, together.

All have the face of a model that testing sees: `translate(images)`, float [N, C, H, W] in [-1, 1] to [N, C', H, W] in
[-1, 1], and `companions(batch)`, what the page shows besides of the batch that was translated last.
"""

import argparse
import copy
from collections.abc import Callable, Sequence
from typing import Protocol

import torch
from torch.nn.modules.dropout import _DropoutNd

from models.base import BaseModel
from util.errors import UserError
from util.score.uncertainty import LABEL, as_picture

WINDOWS = 8  # patches at a time; not 1: MONAI would then let the network's output be edited together with its input
SHARED = {"preprocess", "crop_size", "direction", "classes", "intensity", "clahe"}  # what an ensemble's runs agree in
LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as where a data set reads grey


class Translator(Protocol):
    def translate(self, images: torch.Tensor) -> torch.Tensor: ...

    def companions(self, batch: dict) -> dict[str, torch.Tensor]: ...


class Tiled:
    """Cut images into overlapping patches, translate each, blend: what a run that was trained on patches needs.

    patch: side in pixels; overlap: share of it that neighbours have in common, 0 <= overlap < 1. A patch counts by a
    Gaussian around its centre (sigma: an eighth of its side), since a network knows least at its borders. Images
    smaller than a patch repeat their edges.
    """

    def __init__(self, inner: Translator, patch: int, overlap: float, device: torch.device):
        self.inner, self.patch, self.overlap, self.device = inner, patch, overlap, device
        self.companions = inner.companions

    @torch.no_grad()
    def translate(self, images: torch.Tensor) -> torch.Tensor:
        from monai.inferers import sliding_window_inference  # seconds to import

        size = (self.patch, self.patch)
        return sliding_window_inference(
            images.to(self.device),
            size,
            WINDOWS,
            self.inner.translate,
            self.overlap,
            mode="gaussian",
            padding_mode="replicate",
        )


class Mirrored:
    """The mean of an image's translation and of its mirror image's, mirrored back. Left and right lung are much alike
    in a mirror; the heart is not, so a network trained with --no_flip may lose by it."""

    def __init__(self, inner: Translator):
        self.inner = inner
        self.companions = inner.companions

    def translate(self, images: torch.Tensor) -> torch.Tensor:
        return (self.inner.translate(images) + self.inner.translate(images.flip(-1)).flip(-1)) / 2


class Grey:
    """For a network of one input channel among others of three: it sees the luma of [N, 3, H, W]."""

    def __init__(self, inner: Translator):
        self.inner = inner
        self.companions = inner.companions

    def translate(self, images: torch.Tensor) -> torch.Tensor:
        weights = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
        return self.inner.translate(torch.einsum("nchw,c->nhw", images, weights)[:, None])


class Ensemble:
    """The mean of what several translators put out, and as a companion how far they disagree: the standard deviation
    at every pixel of (y + 1) / 2, which for a mask is the foreground's probability (for colours: its root mean square
    over the channels). Members may be passes of one network under different dropout (Gal & Ghahramani 2016, arXiv
    1506.02142) or runs trained from different starts (Lakshminarayanan et al. 2017, arXiv 1612.01474).

    foreground: turns an output into the foreground's probability [N, H, W], for members that differ in channels.
    """

    def __init__(self, members: Sequence[Translator], foreground: Callable[[torch.Tensor], torch.Tensor] | None = None):
        self.members, self.foreground = members, foreground
        self._deviation: torch.Tensor | None = None

    def translate(self, images: torch.Tensor) -> torch.Tensor:
        total = squares = 0.0
        first = None
        for member in self.members:
            output = member.translate(images)
            if self.foreground:
                output = self.foreground(output)[:, None] * 2 - 1
            first = output if first is None else first
            total = total + output
            squares = squares + (output - first).square()  # of differences: no digits are lost where all agree
        mean = total / len(self.members)
        variance = (squares / len(self.members) - (mean - first).square()).clamp(min=0)
        self._deviation = variance.mean(1, keepdim=True).sqrt() / 2
        return mean

    def companions(self, batch: dict) -> dict[str, torch.Tensor]:
        return {LABEL: as_picture(self._deviation)}


def tiled(model: BaseModel, opt: argparse.Namespace) -> Translator:
    """The model, in patches if its run was trained on them (`--patch`)."""
    return Tiled(model, opt.patch, opt.patch_overlap, model.device) if opt.patch else model


def create_translator(
    models: Sequence[BaseModel],
    options: Sequence[argparse.Namespace],
    foreground: Callable[[torch.Tensor], torch.Tensor] | None,
) -> Translator:
    """What test.py applies: the runs of `--name`, each with its own options, under `--tta` and `--samples`.

    The images have the most input channels that any of the runs wants. foreground: see `Ensemble`; None where the data
    has no two classes. UserError: runs that do not fit together, `--samples` of a network without dropout.
    """
    if len({opt.output_nc for opt in options}) == 1:
        foreground = None
    elif foreground is None:
        raise UserError(
            f"--name: the runs differ in --output_nc ({_each(options, 'output_nc')}), and without two "
            "classes there is nothing they have in common"
        )
    channels = shared_input(options).input_nc
    members: list[Translator] = []
    for model, opt in zip(models, options, strict=True):
        for one in _passes(model, opt) if opt.samples else [model]:
            member = tiled(one, opt)
            member = Mirrored(member) if opt.tta else member
            members.append(Grey(member) if opt.input_nc < channels else member)
    return Ensemble(members, foreground) if len(members) > 1 else members[0]


def shared_input(options: Sequence[argparse.Namespace]) -> argparse.Namespace:
    """The options by which the images of an ensemble are read, once for all: the first run's, with the most input
    channels of any. UserError: runs to which the same images cannot be shown."""
    first = options[0]
    alike = SHARED | ({"input_nc"} if first.direction == "BtoA" else set())
    for other in options[1:]:
        for flag in sorted(alike):
            here, there = getattr(first, flag), getattr(other, flag)
            if here != there and (flag != "classes" or None not in (here, there)):  # None: those of the data
                raise UserError(
                    f"--name: all runs of an ensemble see the same images, but {first.name} has --{flag} "
                    f"{here} and {other.name} --{flag} {there}; leave one out, or give --{flag} for all"
                )
    return argparse.Namespace(**vars(first) | {"input_nc": max(opt.input_nc for opt in options)})


def _passes(model: BaseModel, opt: argparse.Namespace) -> list[BaseModel]:
    """The same networks `opt.samples` times, dropout drawn from --seed, --seed + 1, ..."""
    if not any(isinstance(m, _DropoutNd) and m.p > 0 for m in model.networks[model.translator].modules()):
        raise UserError(
            f"--samples {opt.samples}: the generator of run {opt.name} has no dropout, so all its passes "
            "would be alike; take a run trained without --no_dropout, or an ensemble of runs (--name A,B)"
        )
    passes = [copy.copy(model) for _ in range(opt.samples)]
    for number, one in enumerate(passes):
        one.noise_seed = opt.seed + number
    return passes


def _each(options: Sequence[argparse.Namespace], flag: str) -> str:
    return ", ".join(str(getattr(opt, flag)) for opt in options)
