"""How images in [-1, 1] are scaled for a network that was trained on another scale (`--input_norm`)."""

from pkgutil import resolve_name

import torch
from torch import nn

from . import INPUT_NORMS
from .generator import Generator

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Affine(nn.Module):
    """x * scale + shift for each channel. Neither is trained or saved."""

    scale: torch.Tensor
    shift: torch.Tensor

    def __init__(self, scale: torch.Tensor, shift: torch.Tensor):
        super().__init__()
        self.register_buffer("scale", scale.view(-1, 1, 1), persistent=False)
        self.register_buffer("shift", shift.view(-1, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale + self.shift


class _ZScore(nn.Module):
    """Mean 0 and standard deviation 1 over each image.

    An image of a single value becomes 0: the deviation counts as 1e-3 or more, an eighth of one of 256 grey levels.
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        centred = x - x.mean((1, 2, 3), keepdim=True)
        return centred / centred.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-3)


def signed(channels: int) -> None:
    """[-1, 1], unchanged."""


def unit(channels: int) -> nn.Module:
    """[0, 1]."""
    return _Affine(torch.tensor(0.5), torch.tensor(0.5))


def imagenet(channels: int) -> nn.Module:
    """`unit` less the mean of ImageNet's channels, over their deviation, as torchvision's networks expect it."""
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    if channels != 3:  # a grey image stands for three equal channels
        mean, std = mean.mean(), std.mean()
    return _Affine(0.5 / std, (0.5 - mean) / std)


def zscore(channels: int) -> nn.Module:
    """Each image by its own mean and standard deviation."""
    return _ZScore()


def add_input_norm(net: Generator, name: str, channels: int) -> Generator:
    """Let `net` scale its input, float [N, channels, H, W] in [-1, 1], before its first layer.

    name: a key of INPUT_NORMS. The state dict keeps its keys, so weights trained elsewhere still fit. Returns `net`.
    """
    if layer := resolve_name(INPUT_NORMS[name])(channels):
        net.input_norm = layer
        net.register_forward_pre_hook(_scaled)
    return net


def _scaled(net: Generator, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (net.input_norm(*args),)
