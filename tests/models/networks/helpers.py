"""Small networks, and their sizes."""

import torch

from models.networks.define import define_G
from models.networks.smp import SmpGenerator


def size(net: torch.nn.Module) -> tuple[int, int]:
    """Number of tensors in the state dict, and of parameters."""
    return len(net.state_dict()), sum(parameter.numel() for parameter in net.parameters())


def smp(arch: str = "unet", encoder: str = "resnet18", input_nc: int = 1, **more) -> SmpGenerator:
    """A generator of segmentation_models_pytorch that puts out one channel."""
    return define_G(input_nc, 1, 0, f"smp:{arch}:{encoder}", **more)
