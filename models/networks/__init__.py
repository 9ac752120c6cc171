"""Generators and discriminators by name. Plain arguments, no options."""

from collections.abc import Callable
from functools import partial

from torch import nn

from .discriminators import PatchDiscriminator, PixelDiscriminator
from .input_norm import INPUT_NORMS, add_input_norm
from .layers import INITS, NORMS, init_weights
from .mobile_resnet import MobileResnetGenerator, widths_of
from .resnet import ResnetGenerator
from .ronneberger import RonnebergerGenerator
from .small import SmallUnetGenerator
from .smp import SmpGenerator
from .unet import UnetGenerator

__all__ = [
    "DISCRIMINATORS",
    "GENERATORS",
    "INITS",
    "INPUT_NORMS",
    "NORMS",
    "UNETS",
    "SmpGenerator",
    "define_D",
    "define_G",
    "widths_of",
]

GENERATORS: dict[str, Callable[..., nn.Module]] = {
    "unet_64": partial(UnetGenerator, num_downs=6),
    "unet_128": partial(UnetGenerator, num_downs=7),
    "unet_256": partial(UnetGenerator, num_downs=8),
    "resnet_6blocks": partial(ResnetGenerator, num_blocks=6),
    "resnet_9blocks": partial(ResnetGenerator, num_blocks=9),
    "mobile_resnet_9blocks": MobileResnetGenerator,
}
# Networks that draw their own weights, as those who published them did.
UNETS: dict[str, Callable[..., nn.Module]] = {
    "unet_ronneberger": RonnebergerGenerator,
    "unet_small": lambda input_nc, output_nc, ngf, norm, dropout: SmallUnetGenerator(input_nc, output_nc),
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
    input_norm: str = "signed",
) -> nn.Module:
    """A generator with freshly drawn weights. Its `multiple` says what H and W must be divisible by.

    netG: of GENERATORS, of UNETS, or smp:<arch>:<encoder> (`SmpGenerator`); the latter two draw weights in their own
    way, whatever `init_type`, and only unet_ronneberger of them minds `ngf`, `norm` and `dropout`.
    widths: of a mobile ResNet whose layers do not follow from `ngf` (`widths_of`); None for every other network.
    input_norm: of INPUT_NORMS, how images in [-1, 1] are scaled for the network.
    """
    make = dict(input_nc=input_nc, output_nc=output_nc)
    if netG.startswith("smp:"):
        _, arch, encoder = netG.split(":")
        return add_input_norm(SmpGenerator(**make, arch=arch, encoder=encoder), input_norm, input_nc)
    make |= dict(ngf=ngf, norm=norm, dropout=dropout)
    if netG in UNETS:
        return add_input_norm(UNETS[netG](**make), input_norm, input_nc)
    net = GENERATORS[netG](**make, **({"widths": widths} if widths else {}))
    return add_input_norm(init_weights(net, init_type, init_gain), input_norm, input_nc)


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
