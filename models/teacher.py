"""A mean teacher for images without masks (Tarvainen and Valpola 2017, arXiv 1703.01780).

The teacher is the moving average of the generator's weights. It translates an image as testing would. The generator
has to give the same mask for the same image with other grey values (Sohn et al. 2020, arXiv 2001.07685).
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch

DECAY = 0.995
"""Of the moving average (--ema), where images without masks take part and nothing else was asked for."""
SURE = 0.8
"""The teacher's mask counts where its output, in [-1, 1], is further from 0 than this: a probability over .9."""
FAR = 20.0
"""A logit whose probability is 1 in float32."""
WEIGHT = 0.3
"""Of the losses by the teacher's masks, relative to those by masks of experts."""


@dataclass(frozen=True)
class Lesson:
    """What the generator made of changed images, and what the teacher made of the unchanged ones.

    images: the unchanged ones, float [N, C, H, W] in [-1, 1]. fake: [N, K, H, W] in [-1, 1]; gradients flow. logits,
    mask and sure are of fake's shape. mask: the teacher's, -1 or 1. sure: bool, where the mask counts.
    """

    images: torch.Tensor
    fake: torch.Tensor
    logits: torch.Tensor
    mask: torch.Tensor
    sure: torch.Tensor

    def l1(self) -> torch.Tensor:
        """The mean distance to the teacher's mask. Pixels that do not count are as far from it as they are from
        themselves, so the loss grows by itself as the teacher learns."""
        return (self.sure * (self.fake - self.mask).abs()).mean()

    def seg(self, loss: Callable[[torch.Tensor, torch.Tensor], torch.Tensor]) -> torch.Tensor:
        """A loss of masks. Pixels that do not count are background for both sides: that is no error, and where a loss
        measures the overlap of whole masks, only a constant keeps them without a gradient."""
        logits = torch.where(self.sure, self.logits, -FAR)
        return loss(logits, torch.where(self.sure, (self.mask + 1) / 2, 0.0))
