import pytest

from util.run.discriminators import verdicts


@pytest.mark.parametrize(
    ("means", "keys"),
    [
        ({"G_GAN": 7.0, "D_real": 0.004, "acc_D_real": 0.995, "acc_D_fake": 1.0}, ["D won"]),
        ({"acc_D_real": 0.995, "acc_D_fake": 0.9}, []),
        ({"acc_D_real": 0.0, "acc_D_fake": 1.0}, ["D died"]),  # it calls everything fake
        ({"acc_D_real": 0.4, "acc_D_fake": 0.5}, ["D died"]),  # thrown over
        ({"acc_D_real": 0.7, "acc_D_fake": 0.6}, []),
        (
            {"acc_D_A_real": 1.0, "acc_D_A_fake": 1.0, "acc_D_B_real": 0.5, "acc_D_B_fake": 0.5},
            ["D_A won", "D_B died"],
        ),
        ({"D_real": -20.0, "D_fake": -30.0, "D_GP": 0.1}, []),  # wgangp: a logit is no verdict
        ({"G_seg": 0.001}, []),
    ],
)
def test_a_discriminator_that_won_or_is_at_chance_is_known_by_its_accuracy(means, keys):
    assert list(verdicts(means)) == keys


def test_what_helps_names_flags_that_the_model_has():
    assert "--instance_noise" in verdicts({"acc_D_A_real": 1.0, "acc_D_A_fake": 1.0})["D_A won"]
    assert "--instance_noise" not in verdicts({"acc_D_real": 1.0, "acc_D_fake": 1.0})["D won"]
