"""Adversarial losses on a discriminator's logits, and losses on a mask's."""

import re
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn

from util.errors import UserError

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
SEG_LOSS = "dice+0.5*bce"  # the default of --seg_loss
SEG_LOSSES = ("bce", "dice", "jaccard", "focal", "tversky")


def _lsgan(logits: torch.Tensor, real: bool) -> torch.Tensor:
    return F.mse_loss(logits, torch.full_like(logits, float(real)))


def _vanilla(logits: torch.Tensor, real: bool) -> torch.Tensor:
    return F.binary_cross_entropy_with_logits(logits, torch.full_like(logits, float(real)))


def _wgangp(logits: torch.Tensor, real: bool) -> torch.Tensor:
    return -logits.mean() if real else logits.mean()


# least squares (Mao et al. 2017), cross-entropy (Goodfellow et al. 2014), Wasserstein (Gulrajani et al. 2017)
GAN_LOSSES = {"lsgan": _lsgan, "vanilla": _vanilla, "wgangp": _wgangp}


def gradient_penalty(netD: nn.Module, real: torch.Tensor, fake: torch.Tensor, weight: float = 10.0) -> torch.Tensor:
    """WGAN-GP's penalty (Gulrajani et al. 2017): weight * mean (|grad_x D(x)|_2 - 1)^2 at points between real and fake.

    real, fake: float [N, C, H, W], not requiring gradients. Returns a scalar that can be back-propagated into netD.
    """
    mix = torch.rand(real.shape[0], 1, 1, 1, device=real.device)
    between = (mix * real + (1 - mix) * fake).requires_grad_(True)
    (gradient,) = torch.autograd.grad(netD(between).sum(), between, create_graph=True)
    return weight * ((gradient.flatten(1).norm(2, dim=1) - 1) ** 2).mean()


def seg_loss(spec: str, flag: str = "--seg_loss") -> Loss:
    """The loss that `spec` names: terms joined by +, each with a weight before it or none, as in `dice+0.5*bce`.

    It takes logits and truth, float [N, 1, H, W], the truth in 0..1, and returns a scalar. Sigmoid is applied within.
    bce: mean cross-entropy. focal: the same times (1 - p_t)^2 (Lin et al. 2017, arXiv 1708.02002). dice, jaccard,
    tversky: 1 - overlap of the whole batch (Milletari et al. 2016, arXiv 1606.04797); tversky counts a missed pixel 0.7
    and a false one 0.3 times (Salehi et al. 2017, arXiv 1706.05721).

    No overlap with an empty truth has a slope. Counted over the whole batch its empty masks are felt through the
    others; where all are empty, the overlap of the background takes its place, which they can lose.
    UserError names `flag` where the spec cannot be read.
    """
    terms = [_term(word.strip(), spec, flag) for word in spec.split("+")]
    if not any(weight for weight, _ in terms):
        raise UserError(f"{flag} {spec}: all its weights are 0, and there is nothing to learn from")
    return lambda logits, truth: sum(weight * loss(logits, truth) for weight, loss in terms)


def _term(word: str, spec: str, flag: str) -> tuple[float, Loss]:
    found = re.fullmatch(r"(?:(\d+\.?\d*|\.\d+)\s*\*\s*)?(\w+)", word)
    if not found or found[2] not in SEG_LOSSES:
        raise UserError(
            f"{flag} {spec}: {word!r} is no loss; want {', '.join(SEG_LOSSES)}, or a sum such as dice+0.5*bce"
        )
    return float(found[1] or 1), _one(found[2])


def _one(name: str) -> Loss:
    if name == "bce":
        return F.binary_cross_entropy_with_logits
    from monai.losses import DiceLoss, FocalLoss, TverskyLoss  # seconds to import: only for those who need it

    if name == "focal":
        return FocalLoss(gamma=2.0)
    if name == "tversky":
        return _or_of_background(TverskyLoss(sigmoid=True, batch=True, alpha=0.3, beta=0.7))
    return _or_of_background(DiceLoss(sigmoid=True, batch=True, jaccard=name == "jaccard"))


def _or_of_background(overlap: Loss) -> Loss:
    def loss(logits: torch.Tensor, truth: torch.Tensor) -> torch.Tensor:
        empty = ~truth.any()  # stays on the device
        return overlap(torch.where(empty, -logits, logits), torch.where(empty, 1 - truth, truth))

    return loss
