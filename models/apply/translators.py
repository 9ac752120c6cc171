"""Ways to apply trained models at test time: in patches, mirrored, together.

Each class here is a thin `util.contracts.Translator` around other translators.
"""

import argparse
import copy
from collections.abc import Callable, Sequence
from typing import cast

import torch
from torch.nn.modules.dropout import _DropoutNd

from models.base import BaseModel
from util.contracts import Batch, Trainable, Translator
from util.errors import UserError
from util.flags import Fact, flags
from util.score.uncertainty import LABEL, as_picture

WINDOWS = 8  # patches at a time; not 1, or MONAI would edit the network's output and its input together
Foreground = Callable[[torch.Tensor], torch.Tensor]
LUMA = (0.299, 0.587, 0.114)  # ITU-R 601; data sets turn colour into grey by the same weights


class Tiled:
    """Cuts images into overlapping patches, translates each and blends the results, for runs trained on patches.

    patch: side in pixels. overlap: share of the side that neighbours have in common, 0 <= overlap < 1. A network knows
    least at the borders of a patch. The blend therefore weighs each patch by a Gaussian around its centre (sigma: an
    eighth of the side). Images smaller than a patch repeat their edges.
    """

    def __init__(self, inner: Translator, patch: int, overlap: float, device: torch.device):
        self.inner, self.patch, self.overlap, self.device = inner, patch, overlap, device
        self.companions = inner.companions

    @torch.no_grad()
    def translate(self, images: torch.Tensor) -> torch.Tensor:
        from monai.inferers.utils import sliding_window_inference  # takes seconds to import

        size = (self.patch, self.patch)
        blended = sliding_window_inference(
            images.to(self.device),
            size,
            WINDOWS,
            self.inner.translate,
            self.overlap,
            mode="gaussian",
            padding_mode="replicate",
        )
        return cast(torch.Tensor, blended)


class Mirrored:
    """The mean of an image's translation and that of its mirror image, mirrored back.

    In a mirror, left and right lung look much alike, but the heart is on the wrong side. A network that was trained
    with --no_flip may give worse results this way. Classes with a side are refused (`options.script`).

    foreground: of an output with two classes, float [N, H, W] in 0..1; agreement: see the function, of the batch
    translated last, or None without `foreground`.
    """

    def __init__(self, inner: Translator, foreground: Foreground | None = None):
        self.inner, self.foreground = inner, foreground
        self.companions = inner.companions
        self.agreement: torch.Tensor | None = None

    def translate(self, images: torch.Tensor) -> torch.Tensor:
        outputs = self.inner.translate(images), self.inner.translate(images.flip(-1)).flip(-1)
        mean = (outputs[0] + outputs[1]) / 2
        self.agreement = agreement(outputs, mean, self.foreground) if self.foreground else None
        return mean


class Grey:
    """Shows the luma of colour images [N, 3, H, W] to a network of one input channel, in an ensemble with others."""

    def __init__(self, inner: Translator):
        self.inner = inner
        self.companions = inner.companions

    def translate(self, images: torch.Tensor) -> torch.Tensor:
        weights = torch.tensor(LUMA, dtype=images.dtype, device=images.device)
        return self.inner.translate(torch.einsum("nchw,c->nhw", images, weights)[:, None])


class Ensemble:
    """The mean of the outputs of several translators, and as a companion picture how far they disagree.

    The picture shows, for every pixel, the standard deviation over the members: of the probability of foreground where
    there are two classes, else of (y + 1) / 2, as the root mean square over the channels. Members may be passes of one
    network under different dropout (Gal & Ghahramani 2016, arXiv 1506.02142) or runs that were trained from different
    starts (Lakshminarayanan et al. 2017, arXiv 1612.01474).

    foreground: turns an output with two classes into the probability of foreground [N, H, W]. differ: the members
    differ in channels, so these probabilities are averaged. agreement: see the function, of the batch translated last,
    or None without `foreground`.
    """

    def __init__(self, members: Sequence[Translator], foreground: Foreground | None = None, differ: bool = False):
        self.members, self.foreground, self.differ = members, foreground, differ
        self.agreement: torch.Tensor | None = None

    def translate(self, images: torch.Tensor) -> torch.Tensor:
        outputs = [self._output(member, images) for member in self.members]
        mean = _mean(outputs)
        shown = [self.foreground(output)[:, None] if self.foreground else output / 2 for output in outputs]
        # Differences to the first output lose no digits where all members nearly agree.
        others = [each - shown[0] for each in shown]
        variance = (_mean([each.square() for each in others]) - _mean(others).square()).clamp(min=0)
        self._deviation = variance.mean(1, keepdim=True).sqrt()
        self.agreement = agreement(outputs, mean, self.foreground) if self.foreground else None
        return mean

    def companions(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {LABEL: as_picture(self._deviation)}

    def _output(self, member: Translator, images: torch.Tensor) -> torch.Tensor:
        output = member.translate(images)
        return self.foreground(output)[:, None] * 2 - 1 if self.differ and self.foreground else output


def _mean(values: Sequence[torch.Tensor]) -> torch.Tensor:
    total = values[0]
    for value in values[1:]:
        total = total + value
    return total / len(values)


def agreement(outputs: Sequence[torch.Tensor], mean: torch.Tensor, foreground: Foreground) -> torch.Tensor:
    """The mean Dice of the masks of outputs with the mask of their mean, cut at 0.5: float [N] in 0..1, on the CPU."""
    common = foreground(mean).flatten(1) >= 0.5
    dices = []
    for output in outputs:
        mask = foreground(output).flatten(1) >= 0.5
        sizes = mask.sum(1) + common.sum(1)
        dices.append(torch.where(sizes > 0, 2 * (mask & common).sum(1) / sizes.clamp(min=1), 1.0))
    return torch.stack(dices).mean(0).cpu()


def tiled(model: Trainable, opt: argparse.Namespace) -> Translator:
    """The model, applied in patches if its run was trained on patches (`--patch`)."""
    return Tiled(model, opt.patch, opt.patch_overlap, model.device) if opt.patch else model


def create_translator(
    models: Sequence[BaseModel],
    options: Sequence[argparse.Namespace],
    foreground: Foreground | None,
) -> Translator:
    """The translator of test.py: the runs of `--name`, each with its own options, under `--tta` and `--samples`.

    Images must have the largest number of input channels of all runs (`shared_input`). foreground: see `Ensemble`; None
    where the data does not have two classes. UserError: runs that do not fit together, or `--samples` with a network
    without dropout.
    """
    differ = len({opt.output_nc for opt in options}) > 1
    if differ and foreground is None:
        raise UserError(
            f"--name: the runs differ in --output_nc ({_each(options, 'output_nc')}), and only masks of two classes "
            "could be averaged then; name runs of one --output_nc"
        )
    channels = shared_input(options).input_nc
    members: list[Translator] = []
    for model, opt in zip(models, options, strict=True):
        for one in _passes(model, opt) if opt.samples else [model]:
            member = tiled(one, opt)
            member = Mirrored(member, foreground) if opt.tta else member
            members.append(Grey(member) if opt.input_nc < channels else member)
    return Ensemble(members, foreground, differ) if len(members) > 1 else members[0]


def shared_input(options: Sequence[argparse.Namespace]) -> argparse.Namespace:
    """The options by which the images of an ensemble are read: the first run's, with the most input channels of any.

    UserError where runs expect other images than the first.
    """
    first = options[0]
    alike = {*flags(Fact.SHARED)} | ({"input_nc"} if first.direction == "BtoA" else set())
    for other in options[1:]:
        for flag in sorted(alike):
            ours, theirs = getattr(first, flag), getattr(other, flag)
            if ours != theirs and (flag != "classes" or None not in (ours, theirs)):  # None: the data's own classes
                raise UserError(
                    f"--name: all runs of an ensemble see the same images, but {first.name} has --{flag} "
                    f"{ours} and {other.name} --{flag} {theirs}; leave one out, or give --{flag} for all"
                )
    return argparse.Namespace(**vars(first) | {"input_nc": max(opt.input_nc for opt in options)})


def _passes(model: BaseModel, opt: argparse.Namespace) -> list[BaseModel]:
    """The same networks `opt.samples` times, with dropout from the seeds --seed, --seed + 1, ..."""
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
