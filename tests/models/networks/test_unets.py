"""The U-Nets of papers: parameters, noise, borders, and weights of their own."""

import pytest
import torch

from models.networks.define import define_G
from tests.models.networks.helpers import size


def test_the_small_unet_has_as_many_parameters_as_the_papers():
    """99,589 parameters, of which 99,587 are trained: Keras also counts batch norm's mean and variance."""
    net = define_G(1, 1, 64, "unet_small")
    statistics = sum(buffer.numel() for name, buffer in net.named_buffers() if "num_batches" not in name)
    assert sum(parameter.numel() for parameter in net.parameters()) == 99_587
    assert sum(parameter.numel() for parameter in net.parameters()) + statistics == 99_589
    encoder = [*net.norm.parameters(), *net.down.parameters()]
    assert sum(parameter.numel() for parameter in encoder) + statistics == 24_388


def test_the_small_unet_adds_noise_only_in_training_and_makes_the_border_background():
    net = define_G(1, 1, 64, "unet_small")
    images = torch.rand(2, 1, 64, 32) * 2 - 1
    assert not torch.equal(net(images), net(images))
    masks = net.eval()(images)
    assert torch.equal(masks, net(images))
    inner = torch.zeros(64, 32, dtype=torch.bool)
    inner[6:58, 3:29] = True
    assert (masks[..., ~inner] == masks.min()).all()
    assert masks.min() < -0.9999997
    assert masks[..., inner].min() > -0.99


def test_the_ronneberger_unet_has_as_many_parameters_as_the_papers():
    """Two convolutions in each level of 64 to 1024 channels, transposed convolutions of 2 x 2, no norm."""
    down = sum(9 * a * b + b + 9 * b * b + b for a, b in ((1, 64), (64, 128), (128, 256), (256, 512), (512, 1024)))
    up = sum(4 * 2 * b * b + b + 9 * 2 * b * b + b + 9 * b * b + b for b in (512, 256, 128, 64))
    with torch.device("meta"):
        net = define_G(1, 1, 64, "unet_ronneberger", "none")
    assert size(net)[1] == down + up + 64 + 1 == 31_030_593


def test_init_type_leaves_the_papers_unets_their_own_weights():
    """--init_type is meant for the GANs' networks. A spread of 0.02 would fade the image in a network without norms."""
    net = define_G(1, 1, 8, "unet_ronneberger", "none")
    assert net.down[1][0].weight.std().item() == pytest.approx((2 / (9 * 8)) ** 0.5, rel=0.1)
