"""Learning without forgetting: the donor's outputs for new images are a target beside the new one."""

import copy

import pytest
import torch

from models.networks.define import define_G
from models.networks.generator import generate
from models.norm_stats import inference
from models.rivals.lwf import Lwf


@pytest.fixture
def donor():
    torch.manual_seed(0)
    return define_G(3, 3, 4, "unet_64", "batch")


def test_the_loss_is_zero_where_outputs_are_equal_and_else_the_mean_distance(donor):
    images = torch.rand(2, 3, 64, 64) * 2 - 1
    with inference(donor, "image"), torch.no_grad():
        outputs = generate(donor, images)
    teacher = Lwf(copy.deepcopy(donor), "image", 10.0)
    assert teacher.losses(images, outputs)["G_LwF"].item() == 0
    assert teacher.losses(images, outputs + 0.25)["G_LwF"].item() == pytest.approx(2.5)


def test_the_donor_stays_as_it_is_while_the_generator_learns(donor):
    before = {key: tensor.clone() for key, tensor in donor.state_dict().items()}
    net = copy.deepcopy(donor)
    images = torch.rand(1, 3, 64, 64)
    loss = Lwf(donor, "image", 1.0).losses(images, generate(net, images))["G_LwF"]
    loss.backward()
    assert any(parameter.grad.any() for parameter in net.parameters())
    assert all(parameter.grad is None for parameter in donor.parameters())
    assert all(torch.equal(tensor, before[key]) for key, tensor in donor.state_dict().items())
