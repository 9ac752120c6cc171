"""Adversarial losses on a discriminator's logits."""

import torch
import torch.nn.functional as F
from torch import nn


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
