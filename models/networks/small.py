"""The U-Net of Bartels et al. 2022 (paper 003): 99,589 parameters for a grey image, 2 of them statistics."""

import torch
import torch.nn.functional as F
from torch import nn

NOISE = 0.1
"""Standard deviation of the noise on the input, which spans -1..1. The paper does not say it."""
MARGIN = 3 / 32
"""Share of each side that is background: 48 of 512 pixels are cut off and replaced by zeros in the paper."""
BACKGROUND = -8.0
"""What goes into the last tanh there: a probability of 1e-7, to which Keras clips the paper's zero in its loss."""


class SmallUnetGenerator(nn.Module):
    """float [N, input_nc, H, W] -> [N, output_nc, H, W] in [-1, 1]; H and W must be multiples of 16.

    Noise on the input (in training), batch norm of it, one 3x3 convolution with leaky ReLU a level of 8, 16, 32, 32 and
    32 channels, one at the bottom, and back up by nearest neighbours beside the skips. The output's border is cut off
    and becomes background. The paper's table gives the layers behind the encoder and the encoder's count and widths
    alone; these convolutions are what makes its 24,388. Weights are drawn as Keras does (Glorot and Bengio 2010).
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
        # Channels in and out behind each skip, the deepest first; the paper has two convolutions at half the size.
        self.up = nn.ModuleList(nn.Conv2d(inner, 32, 3, padding=1) for inner in (64, 64, 48))
        self.middle = nn.Conv2d(32, 32, 3, padding=1)
        self.last = nn.Conv2d(40, 16, 3, padding=1)
        self.head = nn.Conv2d(16, output_nc, 3, padding=1)
        self.tanh = nn.Tanh()
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
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
