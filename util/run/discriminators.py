"""Has a discriminator won, or stopped to tell real from fake? What its accuracy over one epoch says."""

from collections.abc import Mapping

from util.run.log import ACCURACY, split_accuracies

WON = 0.99
"""A discriminator that is right about more than this share of real images and of fakes teaches nothing."""
CHANCE = 0.51
"""Nor does one that is right about less than this share of all."""

GAME = "for masks --netD spectral --n_layers_D 4 --gan_mode hinge (docs/training.md), else"
"""What slows pix2pix's discriminator down. CycleGAN's are D_A and D_B, and see noise."""


def verdicts(means: Mapping[str, float]) -> dict[str, str]:
    """A line for every discriminator that won or died, with what helps, by a key such as "D_A won".

    means: of a step's losses and accuracies over an epoch. Without accuracies (--gan_mode wgangp) nothing is said.
    """
    lines = {}
    for name in dict.fromkeys(key.removeprefix(ACCURACY).rpartition("_")[0] for key in split_accuracies(means)[1]):
        real, fake = (means[f"{ACCURACY}{name}_{kind}"] for kind in ("real", "fake"))
        if min(real, fake) > WON:
            lines[f"{name} won"] = (
                f"discriminator {name} has won: it was right about {min(real, fake):.1%} of what it saw in an epoch, "
                "so the generator learns from its other losses only. What helps: "
                f"{GAME if name == 'D' else '--instance_noise 0.2,'} a smaller --ndf, fewer --n_layers_D "
                "(--netD n_layers)"
            )
        elif (real + fake) / 2 < CHANCE:
            lines[f"{name} died"] = (
                f"discriminator {name} is at chance: it was right about {(real + fake) / 2:.1%} of what it saw in an "
                "epoch, so the generator learns from its other losses only. What helps: a larger --ndf, more "
                f"--n_layers_D (--netD n_layers), a lower --lr{', less --instance_noise' if name != 'D' else ''}"
            )
    return lines
