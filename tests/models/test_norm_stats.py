"""Batch norm by each image's own statistics does not depend on the batch and changes nothing that is stored."""

import argparse

import pytest
import torch

from models.networks.generator import generate
from models.norm_stats import inference
from models.pix2pix import Pix2PixModel
from tests.models.helpers import model_options


@pytest.fixture
def net():
    torch.manual_seed(1)
    model = Pix2PixModel(model_options(), torch.device("cpu"), training=True)
    for _ in range(3):  # so that the running statistics differ from those of any image
        model.train_step({"A": torch.rand(2, 3, 64, 64) * 2 - 1, "B": torch.rand(2, 3, 64, 64) * 2 - 1})
    return model.networks["G"]


@pytest.mark.parametrize("norm_stats", ["image", "running"])
def test_an_images_result_does_not_depend_on_its_batch(net, norm_stats):
    images = torch.rand(3, 3, 64, 64) * 2 - 1
    with torch.no_grad(), inference(net, norm_stats):
        together = net(images)
        alone = torch.cat([net(image) for image in images.split(1)])
    torch.testing.assert_close(together, alone, atol=1e-5, rtol=1e-4)


def test_image_statistics_are_those_of_training_at_batch_size_1(net):
    """Without dropout, train mode on one image and `image` agree."""
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad(), inference(net, "image"):
        ours = net(image)
    for module in net.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.0
    with torch.no_grad():
        torch.testing.assert_close(ours, net.train()(image), atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("norm_stats", ["image", "running"])
def test_inference_changes_nothing_that_the_network_stores(net, norm_stats):
    net.train()
    before = {key: value.clone() for key, value in net.state_dict().items()}
    with torch.no_grad(), inference(net, norm_stats, dropout=True):
        net(torch.rand(1, 3, 64, 64))
    assert all(torch.equal(before[key], value) for key, value in net.state_dict().items())
    assert all(module.training for module in net.modules())
    assert not any("forward" in vars(module) for module in net.modules())


def test_image_and_running_statistics_give_different_results(net):
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        with inference(net, "image"):
            first = generate(net, image)
        with inference(net, "running"):
            assert (first - generate(net, image)).abs().max() > 1e-3


def test_dropout_in_testing_is_drawn_from_the_seed_and_not_from_the_global_state():
    model = Pix2PixModel(
        argparse.Namespace(**vars(model_options()) | {"stochastic": True}), torch.device("cpu"), training=False
    )
    images = torch.rand(2, 3, 64, 64)
    state = torch.get_rng_state()
    first = model.translate(images)
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(first, model.translate(images))
    torch.testing.assert_close(first[1:], model.translate(images[1:]))  # an image alone gets the same dropout
    model.noise_seed = 1
    assert not torch.equal(first, model.translate(images))


def test_dropout_of_whole_channels_is_kept_on_too():
    net = torch.nn.Sequential(torch.nn.Dropout2d(0.5), torch.nn.Dropout(0.5))
    with inference(net, "image", dropout=True):
        assert all(layer.training for layer in net)
    with inference(net, "image"):
        assert not any(layer.training for layer in net)
