"""Generators applied to images of any size."""

import pytest
import torch

from models.networks import GENERATORS
from models.networks.define import define_G
from models.networks.generator import generate, generate_with_logits


@pytest.mark.parametrize("netG", GENERATORS)
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_images_of_any_size_are_padded_and_cropped_back(netG, norm):
    """Gradients reach the image."""
    net = define_G(1, 3, 2, netG, norm).eval()
    image = torch.rand(1, 1, 70, 90, requires_grad=True)
    out = generate(net, image)
    assert out.shape == (1, 3, 70, 90)
    assert out.abs().max() <= 1
    out.sum().backward()
    assert image.grad.abs().sum() > 0


def test_images_that_fit_are_not_padded():
    net = define_G(1, 1, 2, "unet_64", "none").eval()
    image = torch.rand(2, 1, 64, 128)
    assert torch.equal(generate(net, image), net(image))


def test_the_sigmoid_of_the_logits_gives_the_pictures():
    net = define_G(1, 1, 4, "unet_small").eval()
    images = torch.rand(1, 1, 40, 24) * 2 - 1  # padded to 48 x 32 and cropped again
    pictures, logits = generate_with_logits(net, images)
    assert logits.shape == pictures.shape == images.shape
    torch.testing.assert_close(torch.sigmoid(logits), (pictures + 1) / 2)
    assert torch.equal(pictures, generate(net, images))
    assert not any(module._forward_pre_hooks for module in net.modules())


def test_a_loss_on_logits_has_a_slope_where_the_tanh_is_saturated():
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.Tanh())
    net.multiple = 1
    torch.nn.init.constant_(net[0].bias, 50.0)
    _, logits = generate_with_logits(net, torch.zeros(1, 1, 4, 4))
    torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits)).backward()
    assert net[0].bias.grad.item() == pytest.approx(2.0)
