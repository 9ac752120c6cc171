"""Build a generator or a discriminator with freshly drawn weights."""

from pkgutil import resolve_name

from torch import nn

from . import DISCRIMINATORS, GENERATORS, UNETS
from .generator import Generator
from .input_norm import add_input_norm
from .layers import init_weights
from .smp import SmpGenerator


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
) -> Generator:
    """A generator with freshly drawn weights. H and W of its images must be divisible by its `multiple`.

    netG: a key of GENERATORS or UNETS, or smp:<arch>:<encoder> (`SmpGenerator`). The last two draw their weights in
    their own way and ignore `init_type`; of them only unet_ronneberger uses `ngf`, `norm` and `dropout`.
    widths: of a mobile ResNet whose layers do not follow from `ngf` (`widths_of`); None for every other network.
    input_norm: a key of INPUT_NORMS, how images in [-1, 1] are scaled for the network.
    """
    if netG.startswith("smp:"):
        _, arch, encoder = netG.split(":")
        return add_input_norm(SmpGenerator(input_nc, output_nc, arch, encoder), input_norm, input_nc)
    settings = dict(input_nc=input_nc, output_nc=output_nc, ngf=ngf, norm=norm, dropout=dropout)
    if netG in UNETS:
        return add_input_norm(resolve_name(UNETS[netG])(**settings), input_norm, input_nc)
    net = resolve_name(GENERATORS[netG])(**settings, **({"widths": widths} if widths else {}))
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
    """A discriminator with freshly drawn weights. `--netD n_layers` and `spectral` use `n_layers_D`."""
    net = resolve_name(DISCRIMINATORS[netD])(input_nc, ndf, n_layers_D, norm)
    return init_weights(net, init_type, init_gain)
