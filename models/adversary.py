"""A generator's adversary: a discriminator, what it is shown, its losses, and how often it is right."""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn

from models.losses import gan_loss, gradient_penalty
from util.errors import UserError

TOO_SMALL = ("Kernel size can't be greater than", "Expected more than 1 spatial", "Expected more than 1 value")
"""What torch's convolutions and norms say of a picture with too few pixels."""


@dataclass(frozen=True)
class Judged:
    """What a discriminator made of real images and fakes, as scalars on the device.

    real, fake: its losses. penalty: of gradients, with --gan_mode wgangp. right: the share of its logits that tell real
    from fake, for each of both; empty where a logit is no verdict (wgangp). loss: what it minimises.
    """

    real: torch.Tensor
    fake: torch.Tensor
    penalty: torch.Tensor | None
    right: dict[str, torch.Tensor]
    loss: torch.Tensor


class Adversary:
    """A discriminator's side of the game.

    net: float [N, C, H, W] in [-1, 1] to logits. gan_mode: a key of `models.GAN_LOSSES`. noise: standard deviation of
    the noise on all that it is shown (Sonderby et al. 2017, arXiv 1610.04490).
    """

    def __init__(self, net: nn.Module, gan_mode: str, noise: float = 0.0):
        self.net, self.noise = net, noise
        self.loss = gan_loss(gan_mode)
        self.penalise = gan_mode == "wgangp"

    def judge(self, real: torch.Tensor, fakes: Sequence[torch.Tensor]) -> Judged:
        """Judge real images and at least as many fakes. They carry no gradients, so that the discriminator learns.

        fakes: one batch, or several of different sizes; the first is of the real images' size.
        """
        self.net.requires_grad_(True)
        real, fakes = self._shown(real), [self._shown(fake) for fake in fakes]
        on_real, on_fake = self._logits([real]), self._logits(fakes)
        penalty = gradient_penalty(self.net, real, fakes[0][: len(real)]) if self.penalise else None
        right = {"real": self.loss.right(on_real, True), "fake": self.loss.right(on_fake, False)}
        known = {kind: share for kind, share in right.items() if share is not None}
        loss_real, loss_fake = self.loss(on_real, True), self.loss(on_fake, False)
        loss = (loss_real + loss_fake) / 2  # the half slows it down relative to G (Isola et al. 2017, section 3.3)
        if penalty is not None:
            loss = loss + penalty
        return Judged(loss_real, loss_fake, penalty, known, loss)

    def deceive(self, fakes: Sequence[torch.Tensor]) -> torch.Tensor:
        """The generator's loss. Its gradient passes through the discriminator, which needs none of its own. fakes: as
        in `judge`."""
        self.net.requires_grad_(False)
        return self.loss.deceive(self._logits([self._shown(fake) for fake in fakes]))

    def _logits(self, batches: Sequence[torch.Tensor]) -> torch.Tensor:
        try:
            logits = [self.net(batch) for batch in batches]
        except (RuntimeError, ValueError) as error:
            if not any(words in str(error) for words in TOO_SMALL):
                raise
            sizes = " or ".join(f"{batch.shape[-1]} x {batch.shape[-2]}" for batch in batches)
            raise UserError(
                f"the discriminator needs more pixels than {sizes}, the size of a loaded image; take a larger "
                "--load_size and --crop_size, --netD n_layers with fewer --n_layers_D, or --netD pixel"
            ) from error
        return logits[0] if len(logits) == 1 else torch.cat([each.flatten() for each in logits])

    def _shown(self, images: torch.Tensor) -> torch.Tensor:
        return images + self.noise * torch.randn_like(images) if self.noise else images
