"""PatchGAN and PixelGAN discriminators (Isola et al. 2017), with upstream's state-dict keys. They return logits."""

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.utils.parametrizations import spectral_norm

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
        if x.device.type == "cpu":  # a pix2pix step takes 5 % less time (benchmarks/speed.md)
            x = x.contiguous(memory_format=torch.channels_last)
        return self.model(x)


class SpectralDiscriminator(nn.Module):
    """A PatchGAN for masks, whose game neither side wins: float [N, C, H, W] -> logits [N, 1, h, w].

    Spectral norm bounds its slope (Miyato et al. 2018, arXiv 1802.05957). It sees everything softened by a Gaussian of
    0.7 pixels, because real masks have stepped edges, which no generator draws and every discriminator finds at once.
    """

    softening: torch.Tensor

    def __init__(self, input_nc: int, ndf: int, n_layers: int, norm: str):
        super().__init__()
        self.model = PatchDiscriminator(input_nc, ndf, n_layers, "none").model
        for layer in self.model:
            if isinstance(layer, nn.Conv2d):
                spectral_norm(layer)
        at = torch.arange(-2.0, 3.0)
        weights = torch.exp(-(at**2) / (2 * 0.7**2))
        kernel = torch.outer(weights, weights) / weights.sum() ** 2
        self.register_buffer("softening", kernel.expand(input_nc, 1, -1, -1).clone(), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        soft = F.conv2d(F.pad(x, (2, 2, 2, 2), mode="replicate"), self.softening, groups=x.shape[1])
        return self.model(soft)


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


def spectral(input_nc: int, ndf: int, n_layers: int, norm: str) -> SpectralDiscriminator:
    """It has spectral norm in place of `norm`, which divides its weights by their size, however these are drawn."""
    return SpectralDiscriminator(input_nc, ndf, n_layers, norm)


def pixel(input_nc: int, ndf: int, n_layers: int, norm: str) -> PixelDiscriminator:
    """A PixelGAN, which has no use for `n_layers`."""
    return PixelDiscriminator(input_nc, ndf, norm)
