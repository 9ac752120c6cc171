"""How images in [-1, 1] are scaled for a network that was trained on another scale (`--input_norm`)."""

import torch
from torch import nn

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class _Affine(nn.Module):
    """x * scale + shift for each channel. Neither is trained or saved."""

    def __init__(self, scale: torch.Tensor, shift: torch.Tensor):
        super().__init__()
        self.register_buffer("scale", scale.view(-1, 1, 1), persistent=False)
        self.register_buffer("shift", shift.view(-1, 1, 1), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x * self.scale + self.shift


class _ZScore(nn.Module):
    """Mean 0 and standard deviation 1 over each image. A picture of one value becomes 0 (1e-3: an eighth of a
    grey level of 256)."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        centred = x - x.mean((1, 2, 3), keepdim=True)
        return centred / centred.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-3)


def _unit(channels: int) -> nn.Module:
    return _Affine(torch.tensor(0.5), torch.tensor(0.5))


def _imagenet(channels: int) -> nn.Module:
    mean, std = torch.tensor(IMAGENET_MEAN), torch.tensor(IMAGENET_STD)
    if channels != 3:  # grey: all three alike
        mean, std = mean.mean(), std.mean()
    return _Affine(0.5 / std, (0.5 - mean) / std)


# signed: [-1, 1] as it comes; unit: [0, 1]; imagenet: (unit - mean) / std of ImageNet's channels, as torchvision's
# networks want it
INPUT_NORMS = {"signed": None, "unit": _unit, "imagenet": _imagenet, "zscore": lambda channels: _ZScore()}


def add_input_norm(net: nn.Module, name: str, channels: int) -> nn.Module:
    """Have `net` scale its input, float [N, channels, H, W] in [-1, 1], before its first layer. Its state dict stays
    as it is."""
    if INPUT_NORMS[name]:
        net.input_norm = INPUT_NORMS[name](channels)
        net.register_forward_pre_hook(_scaled)
    return net


def _scaled(net: nn.Module, args: tuple[torch.Tensor]) -> tuple[torch.Tensor]:
    return (net.input_norm(*args),)
