"""GAN Compression's generator (Li et al. 2020, arXiv 2003.08936), with its state-dict keys."""

from collections.abc import Mapping

import torch
from torch import nn

from .generator import Generator
from .layers import Reflect, conv_bias, norm_layer

BLOCKS = 9
PREFIX = "model.10.conv_block.1.conv.0.weight"  # only a separable block has this key


class SeparableConv(nn.Module):
    """A 3x3 convolution of each channel by itself, a norm, and a 1x1 convolution across channels."""

    def __init__(self, input_nc: int, output_nc: int, norm: str):
        super().__init__()
        bias = conv_bias(norm)
        self.conv = nn.Sequential(
            nn.Conv2d(input_nc, input_nc, 3, groups=input_nc, bias=bias),
            norm_layer(norm)(input_nc),
            nn.Conv2d(input_nc, output_nc, 1, bias=bias),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.conv(x)


class MobileResnetBlock(nn.Module):
    """Two separable convolutions with `inner` channels between them, added to their input. Dropout shifts no key."""

    def __init__(self, channels: int, inner: int, norm: str, dropout: bool):
        super().__init__()
        self.conv_block = nn.Sequential(
            Reflect(1),
            SeparableConv(channels, inner, norm),
            norm_layer(norm)(inner),
            nn.ReLU(),
            nn.Dropout(0.5) if dropout else nn.Identity(),
            Reflect(1),
            SeparableConv(inner, channels, norm),
            norm_layer(norm)(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_block(x)


class MobileResnetGenerator(Generator):
    """`ResnetGenerator` with separable convolutions in its blocks: float [N, input_nc, H, W] -> [N, output_nc, H, W].

    widths: output channels of stem, first and second halving, each block's inner layer, first and second doubling.
    None: those of a ResNet with `ngf` filters. GAN Compression searches for the widths that a generator can do
    without, which leaves uneven ones; `widths_of` reads those from the weights.
    H and W must be multiples of `multiple` (4). Output in [-1, 1].
    """

    multiple = 4

    def __init__(
        self, input_nc: int, output_nc: int, ngf: int, norm: str, dropout: bool, widths: tuple[int, ...] | None = None
    ):
        super().__init__()
        bias = conv_bias(norm)
        stem, half, trunk, *inner, double, last = widths or uniform_widths(ngf)
        layers = [Reflect(3), nn.Conv2d(input_nc, stem, 7, bias=bias), norm_layer(norm)(stem), nn.ReLU()]
        for before, after in ((stem, half), (half, trunk)):
            down = nn.Conv2d(before, after, 3, stride=2, padding=1, bias=bias)
            layers += [down, norm_layer(norm)(after), nn.ReLU()]
        layers += [MobileResnetBlock(trunk, width, norm, dropout) for width in inner]
        for before, after in ((trunk, double), (double, last)):
            up = nn.ConvTranspose2d(before, after, 3, stride=2, padding=1, output_padding=1, bias=bias)
            layers += [up, norm_layer(norm)(after), nn.ReLU()]
        layers += [Reflect(3), nn.Conv2d(last, output_nc, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


def uniform_widths(ngf: int) -> tuple[int, ...]:
    """The widths of `ResnetGenerator` with `ngf` filters."""
    return (ngf, 2 * ngf, 4 * ngf, *[4 * ngf] * BLOCKS, 2 * ngf, ngf)


def widths_of(state: Mapping[str, torch.Tensor]) -> tuple[int, ...] | None:
    """The widths of a mobile ResNet of nine blocks, from its state dict; None for the weights of another network."""
    blocks = [f"model.{10 + i}.conv_block.1.conv.2.weight" for i in range(BLOCKS)]
    down, up = ["model.1.weight", "model.4.weight", "model.7.weight", *blocks], ["model.19.weight", "model.22.weight"]
    if not state.keys() >= {PREFIX, *down, *up}:
        return None
    if any(state[key].ndim != 4 or not state[key].numel() for key in (*down, *up)):  # damaged
        return None
    return (*(state[key].shape[0] for key in down), *(state[key].shape[1] for key in up))
