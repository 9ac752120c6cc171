"""Has a discriminator won, or stopped to tell real from fake? What its losses of one epoch say."""

import math
from collections.abc import Mapping

WON = 0.01
"""With every loss of a discriminator below this, it tells all fakes from real images."""
CHANCE = {"lsgan": 0.25, "vanilla": math.log(2)}
"""Its loss if it judges all images alike, by --gan_mode. wgangp has no such level: its losses are not bounded."""
NEAR = 0.01  # relative distance to chance


def verdicts(losses: Mapping[str, float], gan_mode: str) -> dict[str, str]:
    """A line for every discriminator that won or died, with what helps, by a key such as "D_A won".

    losses: means over an epoch by upstream's names. pix2pix's `D` has two, `D_real` and `D_fake`, CycleGAN's have one
    each, `D_A` and `D_B`.
    """
    if gan_mode not in CHANCE:
        return {}
    of_each: dict[str, list[float]] = {}
    for name, value in losses.items():
        if name.startswith("D_"):
            of_each.setdefault("D" if name in ("D_real", "D_fake") else name, []).append(value)
    lines = {}
    for name, values in of_each.items():
        if max(values) < WON:
            lines[f"{name} won"] = (
                f"discriminator {name} has won: its losses stayed below {WON} for an epoch, so the generator learns "
                "from its other losses only. What helps: a smaller --ndf, fewer --n_layers_D (--netD n_layers), "
                f"--gan_mode lsgan{', --instance_noise 0.2' if name != 'D' else ''}"
            )
        elif max(abs(value / CHANCE[gan_mode] - 1) for value in values) < NEAR:
            lines[f"{name} died"] = (
                f"discriminator {name} is at chance: its losses were {CHANCE[gan_mode]:.3f} for an epoch, as if it "
                "judged all images alike, so the generator learns from its other losses only. What helps: a larger "
                "--ndf, more --n_layers_D (--netD n_layers), a lower --lr"
                f"{', less --instance_noise' if name != 'D' else ''}"
            )
    return lines
