"""The U-Net of Ronneberger et al. 2015 (arXiv 1505.04597), from scratch."""

import torch
from torch import nn

from .generator import Generator
from .layers import conv_bias, norm_layer


def _two_convs(inner: int, outer: int, norm: str) -> nn.Sequential:
    layers: list[nn.Module] = []
    for channels in (inner, outer):
        # This network's weights are not upstream's: without a norm, which would shift the channels, there is a bias.
        bias = norm == "none" or conv_bias(norm)
        layers += [nn.Conv2d(channels, outer, 3, padding=1, bias=bias), norm_layer(norm)(outer), nn.ReLU()]
    return nn.Sequential(*layers)


class RonnebergerGenerator(Generator):
    """Five levels of ngf, 2 ngf, ... 16 ngf channels: float [N, input_nc, H, W] -> [N, output_nc, H, W] in [-1, 1].

    As in the paper, each level has two 3x3 convolutions; sizes are halved by max pooling and doubled by 2x2 transposed
    convolutions; dropout ends the contracting path; weights are drawn as in He et al. (2015). Unlike in the paper, the
    convolutions are padded, so that the mask is as large as the image. The paper has no normalisation (norm "none").
    """

    multiple = 16

    def __init__(self, input_nc: int, output_nc: int, ngf: int, norm: str, dropout: bool):
        super().__init__()
        widths = [ngf * 2**level for level in range(5)]
        self.down = nn.ModuleList(
            _two_convs(inner, outer, norm) for inner, outer in zip([input_nc, *widths], widths, strict=False)
        )
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in widths[-2::-1])
        self.merge = nn.ModuleList(_two_convs(2 * width, width, norm) for width in widths[-2::-1])
        self.pool = nn.MaxPool2d(2)
        self.dropout = nn.Dropout(0.5 if dropout else 0.0)
        self.head = nn.Conv2d(ngf, output_nc, 1)
        self.tanh = nn.Tanh()
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.kaiming_normal_(layer.weight, nonlinearity="relu")
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for level, convs in enumerate(self.down):
            x = convs(self.pool(x) if level else x)
            skips.append(self.dropout(x) if level >= 3 else x)
        x = skips.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([skips.pop(), up(x)], 1))
        return self.tanh(self.head(x))
