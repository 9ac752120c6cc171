"""The U-Net of Bartels et al. 2022 (paper 003). For a grey image it has 99,589 parameters; 2 of them are statistics."""

import torch
import torch.nn.functional as F
from torch import nn

from .generator import Generator

NOISE = 0.1
"""Standard deviation of the noise on the input, which spans -1..1. The paper does not give it."""
MARGIN = 3 / 32
"""Share of the image that becomes background at each side. The paper replaces 48 of 512 pixels by zeros."""
BACKGROUND = -8.0
"""Input of the last tanh there: a probability of 1e-7, to which Keras clips the paper's zero in its loss."""


class SmallUnetGenerator(Generator):
    """float [N, input_nc, H, W] -> [N, output_nc, H, W] in [-1, 1]; H and W must be multiples of 16.

    In training, noise is added to the input. Batch norm follows, then one 3x3 convolution with leaky ReLU for each
    level, of 8, 16, 32, 32 and 32 channels, and one at the bottom. The way up enlarges by nearest neighbours and puts
    the skips beside the result. The output's border is cut off and becomes background. The paper gives
    the encoder's widths and its 24,388 parameters; these layers match both. Weights
    are drawn as Keras does (Glorot and Bengio 2010).
    """

    multiple = 16

    def __init__(self, input_nc: int, output_nc: int):
        super().__init__()
        self.norm = nn.BatchNorm2d(input_nc)
        widths = [8, 16, 32, 32, 32]
        self.down = nn.ModuleList(
            nn.Conv2d(inner, outer, 3, padding=1) for inner, outer in zip([input_nc, *widths], widths, strict=False)
        )
        self.bottom = nn.Conv2d(32, 32, 3, padding=1)
        # Input channels behind each skip, the deepest first. At half the size the paper has a second convolution.
        self.up = nn.ModuleList(nn.Conv2d(inner, 32, 3, padding=1) for inner in (64, 64, 48))
        self.middle = nn.Conv2d(32, 32, 3, padding=1)
        self.last = nn.Conv2d(40, 16, 3, padding=1)
        self.head = nn.Conv2d(16, output_nc, 3, padding=1)
        self.tanh = nn.Tanh()
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d) and layer.bias is not None:
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        height, width = x.shape[-2:]
        x = self.norm(x + NOISE * torch.randn_like(x) if self.training else x)
        skips = []
        for level, conv in enumerate(self.down):
            x = F.leaky_relu(conv(F.max_pool2d(x, 2) if level else x), 0.3)
            skips.append(x)
        x = F.leaky_relu(self.bottom(skips.pop()), 0.3)
        for conv in self.up:
            x = F.leaky_relu(conv(_beside(x, skips.pop())), 0.3)
        x = F.leaky_relu(self.middle(x), 0.3)
        x = F.leaky_relu(self.last(_beside(x, skips.pop())), 0.3)
        down, right = round(height * MARGIN), round(width * MARGIN)
        inner = self.head(x)[..., down : height - down, right : width - right]
        return self.tanh(F.pad(inner, (right, right, down, down), value=BACKGROUND))


def _beside(x: torch.Tensor, skip: torch.Tensor) -> torch.Tensor:
    return torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skip], 1)


def unet_small(input_nc: int, output_nc: int, ngf: int, norm: str, dropout: bool) -> SmallUnetGenerator:
    """The network by the arguments of all generators. Its widths and norm are the paper's, and it has no dropout."""
    return SmallUnetGenerator(input_nc, output_nc)
