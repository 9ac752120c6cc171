"""Generators and discriminators by name. Plain arguments, no options."""

from collections.abc import Callable
from functools import partial

from torch import nn

from .discriminators import PatchDiscriminator, PixelDiscriminator
from .layers import INITS, NORMS, init_weights
from .mobile_resnet import MobileResnetGenerator, widths_of
from .resnet import ResnetGenerator
from .unet import UnetGenerator

__all__ = ["DISCRIMINATORS", "GENERATORS", "INITS", "NORMS", "define_D", "define_G", "widths_of"]

GENERATORS: dict[str, Callable[..., nn.Module]] = {
    "unet_64": partial(UnetGenerator, num_downs=6),
    "unet_128": partial(UnetGenerator, num_downs=7),
    "unet_256": partial(UnetGenerator, num_downs=8),
    "resnet_6blocks": partial(ResnetGenerator, num_blocks=6),
    "resnet_9blocks": partial(ResnetGenerator, num_blocks=9),
    "mobile_resnet_9blocks": MobileResnetGenerator,
}


def _basic(input_nc: int, ndf: int, n_layers: int, norm: str) -> nn.Module:
    return PatchDiscriminator(input_nc, ndf, 3, norm)


def _pixel(input_nc: int, ndf: int, n_layers: int, norm: str) -> nn.Module:
    return PixelDiscriminator(input_nc, ndf, norm)


DISCRIMINATORS: dict[str, Callable[..., nn.Module]] = {
    "basic": _basic,
    "n_layers": PatchDiscriminator,
    "pixel": _pixel,
}


def define_G(
    input_nc: int,
    output_nc: int,
    ngf: int,
    netG: str,
    norm: str = "batch",
    dropout: bool = True,
    init_type: str = "normal",
    init_gain: float = 0.02,
    widths: tuple[int, ...] | None = None,
) -> nn.Module:
    """A generator with freshly drawn weights. Its `multiple` says what H and W must be divisible by.

    widths: of a mobile ResNet whose layers do not follow from `ngf` (`widths_of`); None for every other network.
    """
    more = {"widths": widths} if widths else {}
    net = GENERATORS[netG](input_nc=input_nc, output_nc=output_nc, ngf=ngf, norm=norm, dropout=dropout, **more)
    return init_weights(net, init_type, init_gain)


def define_D(
    input_nc: int,
    ndf: int,
    netD: str,
    n_layers_D: int = 3,
    norm: str = "batch",
    init_type: str = "normal",
    init_gain: float = 0.02,
) -> nn.Module:
    """A discriminator with freshly drawn weights; `n_layers_D` counts only for `--netD n_layers`."""
    return init_weights(DISCRIMINATORS[netD](input_nc, ndf, n_layers_D, norm), init_type, init_gain)
