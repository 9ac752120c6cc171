"""The 4x4 convolutions of pix2pix's U-Net that halve and double the size, and how they are fast on a CPU.

At the bottom of a U-Net the images have 8x8 pixels and less, and 512 or 1024 channels. There a convolution of oneDNN
spends most of its time on putting its weights into another order, and those of their gradient back into the first one.
As a product of two matrices, which takes the weights as they are, it is up to 4 times as fast (benchmarks/speed.md).
The results are equal up to rounding.
"""

import torch
import torch.nn.functional as F
from torch import nn

FEW = 64
"""Up to so many pixels of the smaller side of a layer, over the batch, the product of matrices is faster."""

FEWEST = 16
"""Up to so many, turning the weights into bfloat16 for --amp takes longer than a product in float32."""


class Halve(nn.Conv2d):
    """float [N, C, H, W] to [N, C', H / 2, W / 2]."""

    def __init__(self, channels: int, out_channels: int, bias: bool = True):
        super().__init__(channels, out_channels, 4, stride=2, padding=1, bias=bias)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        count, _, height, width = input.shape
        pixels = count * (height // 2) * (width // 2)
        if not _few(self, input, pixels):
            return super().forward(input)
        with _as_precise_as_fast(pixels):
            patches = F.unfold(input, 4, padding=1, stride=2).transpose(1, 2)  # [N, pixels, C * 16]
            answers = _product(patches.flatten(0, 1), self.weight.flatten(1).t())
        answers = answers if self.bias is None else answers + self.bias
        return answers.view(count, height // 2, width // 2, -1).permute(0, 3, 1, 2).contiguous()


class Double(nn.ConvTranspose2d):
    """float [N, C, H, W] to [N, C', 2 * H, 2 * W]."""

    def __init__(self, channels: int, out_channels: int, bias: bool = True):
        super().__init__(channels, out_channels, 4, stride=2, padding=1, bias=bias)

    def forward(self, input: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        count, _, height, width = input.shape
        pixels = count * height * width
        if not _few(self, input, pixels):
            return super().forward(input, output_size)
        with _as_precise_as_fast(pixels):
            rows = _product(input.flatten(2).transpose(1, 2).flatten(0, 1), self.weight.flatten(1))
        patches = rows.view(count, height * width, -1).transpose(1, 2)  # [N, C' * 16, pixels]
        doubled = F.fold(patches, (2 * height, 2 * width), 4, padding=1, stride=2)
        return doubled if self.bias is None else doubled + self.bias[:, None, None]


def _few(layer: nn.Module, input: torch.Tensor, pixels: int) -> bool:
    """Whether the product of matrices is faster. A generator that only translates keeps the usual convolution, which
    every exporter knows."""
    return layer.training and input.device.type == "cpu" and 0 < pixels <= FEW


def _as_precise_as_fast(pixels: int) -> torch.autocast:
    """Products in bfloat16 where `--amp` asks for it and it is faster."""
    return torch.autocast("cpu", torch.bfloat16, enabled=torch.is_autocast_enabled("cpu") and pixels > FEWEST)


def _product(images: torch.Tensor, weights: torch.Tensor) -> torch.Tensor:
    """images [pixels, A] times weights [A, B]. Layers in bfloat16 may come before one that is not."""
    return images @ weights if torch.is_autocast_enabled("cpu") else images.to(weights.dtype) @ weights
