"""pix2pix's U-Net generator (Isola et al. 2017), with the state-dict keys of pytorch-CycleGAN-and-pix2pix."""

from functools import partial

import torch
from torch import nn

from .generator import Generator
from .halving import Double, Halve
from .layers import conv_bias, norm_layer


class SkipBlock(nn.Module):
    """One level of the U-Net: halve the size, run the level below, double the size, put the input beside the result.

    The order of modules in `model` fixes the state-dict keys. The dropout comes last, so that checkpoints with and
    without it are interchangeable.
    """

    def __init__(self, outer: int, inner: int, below: nn.Module | None, norm: str, dropout: bool):
        super().__init__()
        bias = conv_bias(norm)
        down = [nn.LeakyReLU(0.2), Halve(outer, inner, bias)]
        if below is not None:
            down += [norm_layer(norm)(inner), below]
        # The level below puts its input beside its result, so twice as many channels come up. The innermost has none.
        up_channels = inner if below is None else 2 * inner
        up = [
            nn.ReLU(),
            Double(up_channels, outer, bias),
            norm_layer(norm)(outer),
        ]
        self.model = nn.Sequential(*down, *up, *([nn.Dropout(0.5)] if dropout else []))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return torch.cat([x, self.model(x)], 1)


class OuterBlock(nn.Module):
    """The outermost level: no norm, no skip, tanh."""

    def __init__(self, input_nc: int, output_nc: int, ngf: int, below: nn.Module, norm: str):
        super().__init__()
        self.model = nn.Sequential(
            # No norm follows the first convolution, yet upstream gives it a bias only beside instance norm.
            Halve(input_nc, ngf, conv_bias(norm)),
            below,
            nn.ReLU(),
            Double(2 * ngf, output_nc),
            nn.Tanh(),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class UnetGenerator(Generator):
    """U-Net with `num_downs` halvings: float [N, input_nc, H, W] -> [N, output_nc, H, W] in [-1, 1].

    H and W must be multiples of `multiple`, 2 ** num_downs.
    """

    def __init__(self, input_nc: int, output_nc: int, num_downs: int, ngf: int, norm: str, dropout: bool):
        super().__init__()
        self.multiple = 2**num_downs
        # From the inside out. As in the paper, only the levels of 8 ngf channels have dropout, without the innermost.
        block = SkipBlock(8 * ngf, 8 * ngf, None, norm, dropout=False)
        for _ in range(num_downs - 5):
            block = SkipBlock(8 * ngf, 8 * ngf, block, norm, dropout)
        for width in (4, 2, 1):
            block = SkipBlock(width * ngf, 2 * width * ngf, block, norm, dropout=False)
        self.model = OuterBlock(input_nc, output_nc, ngf, block, norm)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


unet_64 = partial(UnetGenerator, num_downs=6)
unet_128 = partial(UnetGenerator, num_downs=7)
unet_256 = partial(UnetGenerator, num_downs=8)
