"""PatchGAN and PixelGAN discriminators (Isola et al. 2017), with upstream's state-dict keys. They return logits."""

import torch
from torch import nn

from .layers import conv_bias, norm_layer


class PatchDiscriminator(nn.Module):
    """Judges overlapping patches (70x70 with three layers): float [N, C, H, W] -> logits [N, 1, h, w]."""

    def __init__(self, input_nc: int, ndf: int, n_layers: int, norm: str):
        super().__init__()
        layers = [nn.Conv2d(input_nc, ndf, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        width = ndf
        for n in range(1, n_layers + 1):
            wider = ndf * min(2**n, 8)
            # Without a stride, the last of these layers widens the patch but keeps the map of logits large.
            stride = 1 if n == n_layers else 2
            conv = nn.Conv2d(width, wider, 4, stride=stride, padding=1, bias=conv_bias(norm))
            layers += [conv, norm_layer(norm)(wider), nn.LeakyReLU(0.2)]
            width = wider
        layers.append(nn.Conv2d(width, 1, 4, stride=1, padding=1))
        self.model = nn.Sequential(*layers)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.model(x)


class PixelDiscriminator(nn.Module):
    """Judges every pixel by itself: float [N, C, H, W] -> logits [N, 1, H, W]."""

    def __init__(self, input_nc: int, ndf: int, norm: str):
        super().__init__()
        bias = conv_bias(norm)
        self.net = nn.Sequential(
            nn.Conv2d(input_nc, ndf, 1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(ndf, 2 * ndf, 1, bias=bias),
            norm_layer(norm)(2 * ndf),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * ndf, 1, 1, bias=bias),
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.net(x)


def basic(input_nc: int, ndf: int, n_layers: int, norm: str) -> PatchDiscriminator:
    """Upstream's 70x70 PatchGAN: three layers, whatever `n_layers` says."""
    return PatchDiscriminator(input_nc, ndf, 3, norm)


def pixel(input_nc: int, ndf: int, n_layers: int, norm: str) -> PixelDiscriminator:
    """A PixelGAN, which has no use for `n_layers`."""
    return PixelDiscriminator(input_nc, ndf, norm)
