import math

import pytest

from util.run.discriminators import verdicts


@pytest.mark.parametrize(
    ("losses", "mode", "keys"),
    [
        ({"G_GAN": 7.0, "G_L1": 3.0, "D_real": 0.004, "D_fake": 0.005}, "vanilla", ["D won"]),
        ({"D_real": 0.004, "D_fake": 0.05}, "vanilla", []),
        ({"D_real": math.log(2), "D_fake": 0.69}, "vanilla", ["D died"]),
        ({"D_real": 0.60, "D_fake": 0.78}, "vanilla", []),
        ({"D_A": 0.001, "G_A": 1.0, "D_B": 0.2501, "G_B": 0.25}, "lsgan", ["D_A won", "D_B died"]),
        ({"D_real": -20.0, "D_fake": -30.0, "D_GP": 0.1}, "wgangp", []),
        ({"G_seg": 0.001}, "lsgan", []),
    ],
)
def test_a_discriminator_that_won_or_is_at_chance_is_known_by_its_losses(losses, mode, keys):
    assert list(verdicts(losses, mode)) == keys


def test_what_helps_names_flags_that_the_model_has():
    assert "--instance_noise" in verdicts({"D_A": 0.0}, "lsgan")["D_A won"]
    assert "--instance_noise" not in verdicts({"D_real": 0.0, "D_fake": 0.0}, "lsgan")["D won"]
