"""--model test: one generator of a CycleGAN by itself."""

import pytest
import torch

from models.cycle_gan import CycleGANModel
from models.files import load_networks
from models.single_direction import SingleDirectionModel
from tests.models.helpers import model_options
from util.errors import UserError
from util.run.checkpoint import save_networks

CPU = torch.device("cpu")


def test_model_suffix_chooses_the_generator(tmp_path):
    whole = CycleGANModel(
        model_options("cycle_gan", netG="resnet_6blocks", norm="instance", no_dropout=True), CPU, False
    )
    save_networks(tmp_path, "latest", whole.networks)
    image = torch.rand(1, 3, 32, 32)
    for side in "AB":
        opt = model_options("test", netG="resnet_6blocks", norm="instance", no_dropout=True, model_suffix=f"_{side}")
        model = SingleDirectionModel(opt, CPU, training=False)
        load_networks(model, tmp_path, "latest", opt)
        torch.testing.assert_close(model.translate(image), whole.translate(image, f"G_{side}"))


def test_model_test_refuses_to_train():
    with pytest.raises(UserError, match="--model test applies a trained generator"):
        SingleDirectionModel(model_options(), CPU, training=True)
