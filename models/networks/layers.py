"""Normalisation and weight initialisation shared by generators and discriminators."""

from collections.abc import Callable
from functools import partial
from pkgutil import resolve_name
from typing import TypeVar

import torch
from torch import nn

from . import INITS, NORMS

Net = TypeVar("Net", bound=nn.Module)


def norm_layer(norm: str) -> Callable[[int], nn.Module]:
    """The layer that `--norm` names, to be called with its number of channels."""
    return resolve_name(NORMS[norm])


instance_norm = partial(nn.InstanceNorm2d, affine=False, track_running_stats=False)


def no_norm(channels: int) -> nn.Module:
    return nn.Identity()


class Reflect(nn.ReflectionPad2d):
    """Pads by reflection. On a CPU, torch would turn the bfloat16 of --amp into float32 for it, and back."""

    def forward(self, input: torch.Tensor) -> torch.Tensor:
        if not torch.is_autocast_enabled("cpu"):
            return super().forward(input)
        with torch.autocast("cpu", enabled=False):
            return super().forward(input)


def init_normal(weight: torch.Tensor, gain: float) -> None:
    nn.init.normal_(weight, 0.0, gain)


def init_xavier(weight: torch.Tensor, gain: float) -> None:
    nn.init.xavier_normal_(weight, gain)


def init_kaiming(weight: torch.Tensor, gain: float) -> None:
    """He et al. 2015, which has no use for a gain."""
    nn.init.kaiming_normal_(weight, a=0, mode="fan_in")


def init_orthogonal(weight: torch.Tensor, gain: float) -> None:
    nn.init.orthogonal_(weight, gain)


def conv_bias(norm: str) -> bool:
    """Whether convolutions before a norm have a bias: only with instance norm.

    Batch and instance norm subtract the mean, so a bias before them changes nothing. Upstream's checkpoints have one
    with instance norm only, and they must load.
    """
    return norm == "instance"


def init_weights(net: Net, init: str = "normal", gain: float = 0.02) -> Net:
    """Draw convolution weights by `init` (kaiming ignores `gain`) and batch-norm scales from N(1, gain), in place.

    Biases become zero. Returns `net`.
    """
    draw = resolve_name(INITS[init])
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            draw(module.weight, gain)
        elif isinstance(module, (nn.BatchNorm2d, nn.SyncBatchNorm)):
            nn.init.normal_(module.weight, 1.0, gain)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    return net
