"""Networks that train in bfloat16 (`--amp`)."""

from types import MethodType

import torch
from torch import nn


def compute_in_bfloat16(net: nn.Module) -> None:
    """Let the layers of `net` compute in bfloat16 while it trains. It still takes and returns float32.

    Weights, their gradients and the optimizer stay in float32, and so do the sums of norms, the losses, validation and
    tests. bfloat16 has float32's range, so losses need no scaling.
    """
    net.forward = MethodType(_in_bfloat16, net)  # a method, so that a copy of the network has its own


def _in_bfloat16(net: nn.Module, images: torch.Tensor) -> torch.Tensor:
    with torch.autocast(images.device.type, torch.bfloat16, enabled=net.training):
        return type(net).forward(net, images).float()


def slow_in_bfloat16(device: torch.device) -> bool:
    """Whether the device is a CPU that is slower in bfloat16 than in float32, as all without AMX are."""
    return device.type == "cpu" and not torch.cpu.get_capabilities().get("amx_bf16", False)
