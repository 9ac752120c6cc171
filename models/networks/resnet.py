"""CycleGAN's ResNet generator (Johnson et al. 2016, Zhu et al. 2017), with upstream's state-dict keys."""

from functools import partial

import torch
from torch import nn

from .generator import Generator
from .layers import Reflect, conv_bias, norm_layer


class ResnetBlock(nn.Module):
    """Two 3x3 convolutions added to their input. As upstream, dropout shifts the key of the second one from 5 to 6."""

    def __init__(self, channels: int, norm: str, dropout: bool):
        super().__init__()
        bias = conv_bias(norm)
        self.conv_block = nn.Sequential(
            Reflect(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(norm)(channels),
            nn.ReLU(),
            *([nn.Dropout(0.5)] if dropout else []),
            Reflect(1),
            nn.Conv2d(channels, channels, 3, bias=bias),
            norm_layer(norm)(channels),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv_block(x)


class ResnetGenerator(Generator):
    """Two halvings, `num_blocks` residual blocks, two doublings: float [N, input_nc, H, W] -> [N, output_nc, H, W].

    H and W must be multiples of `multiple` (4). Output in [-1, 1].
    """

    multiple = 4

    def __init__(self, input_nc: int, output_nc: int, num_blocks: int, ngf: int, norm: str, dropout: bool):
        super().__init__()
        bias = conv_bias(norm)
        layers = [Reflect(3), nn.Conv2d(input_nc, ngf, 7, bias=bias), norm_layer(norm)(ngf), nn.ReLU()]
        for width in (ngf, 2 * ngf):
            down = nn.Conv2d(width, 2 * width, 3, stride=2, padding=1, bias=bias)
            layers += [down, norm_layer(norm)(2 * width), nn.ReLU()]
        layers += [ResnetBlock(4 * ngf, norm, dropout) for _ in range(num_blocks)]
        for width in (4 * ngf, 2 * ngf):
            up = nn.ConvTranspose2d(width, width // 2, 3, stride=2, padding=1, output_padding=1, bias=bias)
            layers += [up, norm_layer(norm)(width // 2), nn.ReLU()]
        layers += [Reflect(3), nn.Conv2d(ngf, output_nc, 7), nn.Tanh()]
        self.model = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


resnet_6blocks = partial(ResnetGenerator, num_blocks=6)
resnet_9blocks = partial(ResnetGenerator, num_blocks=9)
