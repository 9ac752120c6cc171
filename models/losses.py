"""Adversarial losses on a discriminator's logits, and losses on a mask's."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import reduce
from operator import add
from pkgutil import resolve_name

import torch
import torch.nn.functional as F
from torch import nn

from models import GAN_LOSSES, SEG_LOSSES
from util.errors import UserError

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]


@dataclass(frozen=True)
class GanLoss:
    """The two sides of an adversarial loss, on a discriminator's logits.

    judged: the discriminator's loss of logits that should be real, or should not. level: a logit above it says "real";
    None where a logit is no verdict. deceived: the generator's loss of its fakes' logits; without it, as if these
    should be real.
    """

    judged: Callable[[torch.Tensor, bool], torch.Tensor]
    level: float | None
    deceived: Callable[[torch.Tensor], torch.Tensor] | None = None

    def __call__(self, logits: torch.Tensor, real: bool) -> torch.Tensor:
        return self.judged(logits, real)

    def deceive(self, logits: torch.Tensor) -> torch.Tensor:
        return self.deceived(logits) if self.deceived else self.judged(logits, True)

    def right(self, logits: torch.Tensor, real: bool) -> torch.Tensor | None:
        """The share of logits, float [], that say what is true. It carries no gradient."""
        if self.level is None:
            return None
        return ((logits.detach() > self.level) == real).float().mean()


def least_squares(logits: torch.Tensor, real: bool) -> torch.Tensor:
    return F.mse_loss(logits, torch.full_like(logits, float(real)))


def cross_entropy(logits: torch.Tensor, real: bool) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def wasserstein(logits: torch.Tensor, real: bool) -> torch.Tensor:
    return -logits.mean() if real else logits.mean()


def hinge(logits: torch.Tensor, real: bool) -> torch.Tensor:
    return F.relu(1 - logits if real else 1 + logits).mean()


LSGAN = GanLoss(least_squares, level=0.5)
"""Mao et al. 2017, arXiv 1611.04076."""
VANILLA = GanLoss(cross_entropy, level=0.0)
"""Goodfellow et al. 2014, arXiv 1406.2661."""
WGANGP = GanLoss(wasserstein, level=None)
"""Gulrajani et al. 2017, arXiv 1704.00028."""
HINGE = GanLoss(hinge, level=0.0, deceived=lambda logits: -logits.mean())
"""Miyato et al. 2018, arXiv 1802.05957, section 4."""


def gan_loss(mode: str) -> GanLoss:
    """The loss of --gan_mode."""
    return resolve_name(GAN_LOSSES[mode])


def total(losses: Iterable[torch.Tensor]) -> torch.Tensor:
    """The sum of scalar losses."""
    return reduce(add, losses)


def gradient_penalty(netD: nn.Module, real: torch.Tensor, fake: torch.Tensor, weight: float = 10.0) -> torch.Tensor:
    """WGAN-GP's penalty (Gulrajani et al. 2017): weight * mean (|grad_x D(x)|_2 - 1)^2 at points between real and fake.

    real, fake: float [N, C, H, W], not requiring gradients. Returns a scalar that can be back-propagated into netD.
    """
    if real.shape != fake.shape:
        sizes = " and ".join(f"{image.shape[-1]} x {image.shape[-2]}" for image in (real, fake))
        raise UserError(
            f"--gan_mode wgangp: it mixes real and fake images, which have {sizes} pixels; crop all to one size"
        )
    mix = torch.rand(real.shape[0], 1, 1, 1, device=real.device)
    between = (mix * real + (1 - mix) * fake).requires_grad_(True)
    (gradient,) = torch.autograd.grad(netD(between).sum(), between, create_graph=True)
    return weight * ((gradient.flatten(1).norm(2, dim=1) - 1) ** 2).mean()


def seg_loss(spec: str, flag: str = "--seg_loss") -> Loss:
    """The loss that `spec` names: terms joined by +, each with a weight before it or none, as in `dice+0.5*bce`.

    The loss takes logits and truth in 0..1, float [N, 1, H, W], and returns a scalar. It applies the sigmoid itself.
    bce: mean cross-entropy. focal: the same times (1 - p_t)^2 (Lin et al. 2017, arXiv 1708.02002). dice, jaccard,
    tversky: 1 - overlap of the whole batch (Milletari et al. 2016, arXiv 1606.04797). tversky weighs a missed pixel by
    0.7 and a false one by 0.3 (Salehi et al. 2017, arXiv 1706.05721).

    The overlap with an empty mask is 0 for every prediction, and so is its slope. The overlap is therefore
    counted over the whole batch, where false foreground in an image with an empty mask lowers the overlap of the
    others. If all masks of a batch are empty, the overlap of the background is taken instead.

    UserError, naming `flag`, for a spec that cannot be read.
    """
    terms = [_term(word.strip(), spec, flag) for word in spec.split("+")]
    if not any(weight for weight, _ in terms):
        raise UserError(f"{flag} {spec}: all its weights are 0, and there is nothing to learn from")
    return lambda logits, truth: total(weight * loss(logits, truth) for weight, loss in terms)


def _term(word: str, spec: str, flag: str) -> tuple[float, Loss]:
    """A term's weight and loss, from a word such as `0.5*bce`."""
    match = re.fullmatch(r"(?:(\d+\.?\d*|\.\d+)\s*\*\s*)?(\w+)", word)
    if not match or match[2] not in SEG_LOSSES:
        raise UserError(
            f"{flag} {spec}: {word!r} is no loss; want {', '.join(SEG_LOSSES)}, or a sum such as dice+0.5*bce"
        )
    return float(match[1] or 1), resolve_name(SEG_LOSSES[match[2]])()


# MONAI takes seconds to import.


def bce() -> Loss:
    return F.binary_cross_entropy_with_logits


def dice() -> Loss:
    from monai.losses.dice import DiceLoss

    return _or_of_background(DiceLoss(sigmoid=True, batch=True))


def jaccard() -> Loss:
    from monai.losses.dice import DiceLoss

    return _or_of_background(DiceLoss(sigmoid=True, batch=True, jaccard=True))


def focal() -> Loss:
    from monai.losses.focal_loss import FocalLoss

    return FocalLoss(gamma=2.0)


def tversky() -> Loss:
    from monai.losses.tversky import TverskyLoss

    return _or_of_background(TverskyLoss(sigmoid=True, batch=True, alpha=0.3, beta=0.7))


def _or_of_background(overlap: Loss) -> Loss:
    """A loss by the overlap of the foreground, or where a batch has none, of the background."""

    def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        empty = ~truth.any()  # a tensor, so that the host does not wait for the device
        return overlap(torch.where(empty, -logits, logits), torch.where(empty, 1 - truth, truth))

    return loss
