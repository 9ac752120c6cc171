"""Normalisation and weight initialisation shared by generators and discriminators."""

from collections.abc import Callable
from functools import partial

from torch import nn


def _no_norm(channels: int) -> nn.Module:
    return nn.Identity()


NORMS: dict[str, Callable[[int], nn.Module]] = {
    "instance": partial(nn.InstanceNorm2d, affine=False, track_running_stats=False),
    "batch": nn.BatchNorm2d,
    "syncbatch": nn.SyncBatchNorm,
    "none": _no_norm,
}

INITS: dict[str, Callable] = {
    "normal": lambda weight, gain: nn.init.normal_(weight, 0.0, gain),
    "xavier": lambda weight, gain: nn.init.xavier_normal_(weight, gain),
    "kaiming": lambda weight, gain: nn.init.kaiming_normal_(weight, a=0, mode="fan_in"),
    "orthogonal": lambda weight, gain: nn.init.orthogonal_(weight, gain),
}


def conv_bias(norm: str) -> bool:
    """Whether convolutions before a norm have a bias: only with instance norm, as upstream's checkpoints have it."""
    return norm == "instance"


def init_weights(net: nn.Module, init: str = "normal", gain: float = 0.02) -> nn.Module:
    """Draw convolution weights by `init` (kaiming ignores `gain`), zero biases, batch-norm scales from N(1, gain)."""
    for module in net.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            INITS[init](module.weight, gain)
        elif isinstance(module, (nn.BatchNorm2d, nn.SyncBatchNorm)):
            nn.init.normal_(module.weight, 1.0, gain)
        else:
            continue
        if module.bias is not None:
            nn.init.zeros_(module.bias)
    return net
