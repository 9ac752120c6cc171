"""The 4x4 convolutions of pix2pix's U-Net that halve and double the size, and how they are fast on a CPU.

At the bottom of a U-Net the images have 8x8 pixels and less, and 512 or 1024 channels. There a convolution of oneDNN
spends most of its time on putting its weights into another order, and those of their gradient back into the first one.
As a product of two matrices, which takes the weights as they are, it is 2 to 5 times as fast (benchmarks/speed.md). The
results are equal up to rounding.
"""

import torch
import torch.nn.functional as F
from torch import nn

FEW = 64
"""Up to so many pixels of the smaller side of a layer, over the batch, the product of matrices is faster."""


class Halve(nn.Conv2d):
    """float [N, C, H, W] to [N, C', H / 2, W / 2]."""

    def __init__(self, channels: int, out_channels: int, bias: bool = True):
        super().__init__(channels, out_channels, 4, stride=2, padding=1, bias=bias)

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        count, _, height, width = input.shape
        if not _few(self, input, count * (height // 2) * (width // 2)):
            return super().forward(input)
        patches = F.unfold(input, 4, padding=1, stride=2).transpose(1, 2)  # [N, pixels, C * 16]
        answers = F.linear(patches.flatten(0, 1), self.weight.flatten(1), self.bias)
        return answers.view(count, height // 2, width // 2, -1).permute(0, 3, 1, 2).contiguous()


class Double(nn.ConvTranspose2d):
    """float [N, C, H, W] to [N, C', 2 * H, 2 * W]."""

    def __init__(self, channels: int, out_channels: int, bias: bool = True):
        super().__init__(channels, out_channels, 4, stride=2, padding=1, bias=bias)

    def forward(self, input: torch.Tensor, output_size: list[int] | None = None) -> torch.Tensor:
        count, _, height, width = input.shape
        if not _few(self, input, count * height * width):
            return super().forward(input, output_size)
        pixels = input.flatten(2).transpose(1, 2).flatten(0, 1)  # [N * pixels, C]
        patches = (pixels @ self.weight.flatten(1)).view(count, height * width, -1).transpose(1, 2)
        doubled = F.fold(patches, (2 * height, 2 * width), 4, padding=1, stride=2)
        return doubled if self.bias is None else doubled + self.bias[:, None, None]


def _few(layer: nn.Module, input: torch.Tensor, pixels: int) -> bool:
    """Whether the product of matrices is faster. A generator that only translates keeps the usual convolution, which
    every exporter knows."""
    return layer.training and input.device.type == "cpu" and 0 < pixels <= FEW
