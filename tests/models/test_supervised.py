"""--model supervised: any generator trained by a loss of masks alone."""

import pytest
import torch

from models import create_model
from tests.models.helpers import model_options
from util.errors import UserError

CPU = torch.device("cpu")


def supervised(training: bool = True, **changes):
    options = dict(model="supervised", input_nc=1, output_nc=1, lr=1e-3) | changes
    return create_model(model_options(**options), CPU, training)


def square(count: int = 2) -> dict[str, torch.Tensor]:
    """A bright square, and its mask."""
    image = torch.full((count, 1, 64, 64), -0.5)
    image[..., 16:48, 16:48] = 0.5
    return {"A": image, "B": image * 2}


@pytest.mark.parametrize("netG", ["unet_64", "unet_small", "unet_ronneberger"])
def test_every_u_net_learns_a_square(netG):
    torch.manual_seed(0)
    model = supervised(netG=netG, ngf=4)
    losses = [float(model.train_step(square())["G_seg"]) for _ in range(20)]
    assert losses[-1] < 0.9 * losses[0]
    assert set(model.networks) == {"G"}
    assert {name: picture.shape for name, picture in model.pictures().items()} == dict.fromkeys(
        ("real_A", "fake_B", "real_B"), (2, 1, 64, 64)
    )


def test_validation_computes_the_same_loss_as_training():
    model = supervised(netG="unet_small")
    trained = model.train_step(square())["G_seg"].item()
    shown = model.pictures()
    assert model.loss(shown["fake_B"], shown["real_B"])["G_seg"].item() == pytest.approx(trained, rel=1e-4)


def test_data_without_pairs_is_refused():
    with pytest.raises(UserError, match="--model supervised learns from pairs"):
        supervised(dataset_mode="unaligned")
