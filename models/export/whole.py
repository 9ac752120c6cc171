"""A trained run as one module: an image at its original size in, mask and probability at that size out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import nn
from torch.nn.functional import interpolate

from models.networks.generator import Generator

LUMA = (0.299, 0.587, 0.114)  # ITU-R 601, as data sets turn colour into grey


@dataclass(frozen=True)
class Steps:
    """What happens to an image beside the network.

    channels: of the network's input, 1 or 3. size: side of the square that images are resized to; None: they keep their
    size. scale_width: `size` is the width, and the height follows. stretch: the two percentiles of grey values that
    become black and white (--intensity). background, foreground: their colours, [C] in -1..1, at which an output has
    probability 0 and 1. threshold: pixels of this probability or more are foreground. top, area: the mask is empty
    unless at least `area` pixels reach `top`. mirror: take the mean with the mirror image's output (--tta).
    """

    channels: int
    size: int | None
    scale_width: bool
    stretch: tuple[float, float] | None
    background: Sequence[float]
    foreground: Sequence[float]
    threshold: float
    top: float = 0.0
    area: int = 0
    mirror: bool = False

    @property
    def one_size(self) -> bool:
        """Whether the network sees images of one size only."""
        return self.size is not None and not self.scale_width


class Whole(nn.Module):
    """A generator and the steps around it, as one module that can be exported.

    Takes an image, float [N, 1 or 3, H, W], whose values run from 0 (black) to `white`, a float [] (255, or 65535 for
    16 bits). Returns the mask, uint8 [N, H, W] of 0 and 1, and the probability, float [N, H, W] in 0..1.

    The steps are test.py's, in the same order, and round to whole grey values where it does. Without that, up to 0.08 %
    of a mask's pixels changed.
    """

    luma: torch.Tensor
    background: torch.Tensor
    line: torch.Tensor

    def __init__(self, net: Generator, steps: Steps) -> None:
        super().__init__()
        self.net, self.steps = net, steps
        line = torch.tensor(steps.foreground) - torch.tensor(steps.background)
        self.register_buffer("background", torch.tensor(steps.background).view(-1, 1, 1), persistent=False)
        self.register_buffer("line", (line / line.dot(line)).view(-1, 1, 1), persistent=False)
        self.register_buffer("luma", torch.tensor(LUMA).view(-1, 1, 1), persistent=False)

    def forward(self, image: torch.Tensor, white: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        height, width = image.shape[-2:]
        # A grey image becomes three equal channels. `expand` would fix the number of channels in the exported file.
        shown = image.index_select(1, torch.arange(3, device=image.device).clamp(max=image.shape[1] - 1))
        if self.steps.channels == 1:
            shown = (shown * self.luma).sum(1, keepdim=True).round()
        copies = 1 if self.steps.channels == 1 else 3 // image.shape[1]
        shown = self._stretched(self._resized(shown, white), white, copies) / (white / 2) - 1
        output = self._generated(shown)
        if self.steps.mirror:
            output = (output + self._generated(shown.flip(-1)).flip(-1)) / 2
        values = ((output - self.background) * self.line).sum(1, keepdim=True).clamp(0, 1)
        values = interpolate(values, (height, width), mode="bilinear", antialias=True, align_corners=False)[:, 0]
        mask = values >= self.steps.threshold
        if self.steps.area:
            mask = mask & ((values >= self.steps.top).sum((1, 2), keepdim=True) >= self.steps.area)
        return mask.to(torch.uint8), values

    def _resized(self, image: torch.Tensor, white: torch.Tensor) -> torch.Tensor:
        """As `data.transforms.resize_picture`. torch rounds 8 bits after each direction, 16 bits are rounded once."""
        size = self.steps.size
        if size is None:
            return image
        height = _rounded(size * image.shape[-2], image.shape[-1]) if self.steps.scale_width else size
        exact = interpolate(image, (image.shape[-2], size), mode="bicubic", antialias=True)
        across = torch.where(white <= 255, _whole(exact, white), exact)
        return _whole(interpolate(across, (height, size), mode="bicubic", antialias=True), white)

    def _stretched(self, image: torch.Tensor, white: torch.Tensor, copies: int) -> torch.Tensor:
        """Each image's percentiles become black and white, as `data.enhance.stretch` has it. copies: how often each
        value is there, because a grey image became three channels."""
        if self.steps.stretch is None:
            return image
        values = image.flatten(1).sort(1).values
        low, high = (_percentile(values, share / 100, copies).view(-1, 1, 1, 1) for share in self.steps.stretch)
        flat = high <= low
        stretched = (image - low) * (white / torch.where(flat, torch.ones_like(high), high - low))
        return torch.where(flat, image, _whole(stretched, white))

    def _generated(self, images: torch.Tensor) -> torch.Tensor:
        """As `models.networks.generator.generate`, with the padding as an index, which is right for images of any size.
        A branch on their size would be fixed when the file is written."""
        height, width = images.shape[-2:]
        down, right = -height % self.net.multiple, -width % self.net.multiple
        if self.steps.one_size and not (down or right):
            return self.net(images)
        sizes, more = (torch.stack([torch.scalar_tensor(x) for x in pair]) for pair in ((height, width), (down, right)))
        fits = (more < sizes).all()
        rows, columns = _padded(height, down, fits), _padded(width, right, fits)
        return self.net(images.index_select(2, rows).index_select(3, columns))[..., :height, :width]


def _padded(length: int, more: int, fits: torch.Tensor) -> torch.Tensor:
    """Indices of `length` places and `more` behind them, which reflect those before or, if they do not fit, repeat the
    last."""
    places = torch.arange(length + more, device=fits.device)
    behind = torch.where(fits, 2 * (length - 1) - places, length - 1)
    return torch.where(places < length, places, behind)


def _percentile(values: torch.Tensor, share: float, copies: int) -> torch.Tensor:
    """Of sorted values [N, K], each of them `copies` times: linear between neighbours, as numpy computes it. All is
    done in tensors, because a Python number would be fixed when the file is written."""
    last = torch.scalar_tensor(values.shape[1] // copies - 1, dtype=torch.float64)
    place = share * last
    below = place.floor()
    low, high = (
        values.index_select(1, (at * copies).to(torch.int64).view(1)) for at in (below, torch.minimum(below + 1, last))
    )
    return low + (high - low) * (place - below).to(values.dtype)


def _whole(image: torch.Tensor, white: torch.Tensor) -> torch.Tensor:
    """The nearest grey values."""
    return torch.minimum(image.round().clamp(min=0), white)


def _rounded(number: int, divisor: int) -> int:
    """number / divisor, rounded as Python's `round` does (halves to the even neighbour), at least 1. `round` itself
    cannot be exported."""
    doubled = 2 * number + divisor
    up, rest = doubled // (2 * divisor), doubled % (2 * divisor)
    half = 1 - torch.sym_min(1, rest)
    return cast(int, torch.sym_max(1, up - half * (up % 2)))
