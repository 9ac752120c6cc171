"""Batch norm by each image's own statistics does not depend on the batch and changes nothing that is stored."""

import argparse

import pytest
import torch

from models import create_model, load_model
from models.networks.generator import generate
from models.norm_stats import has_averages, inference
from models.pix2pix import Pix2PixModel
from tests.models.helpers import model_options
from util.errors import UserError
from util.run.checkpoint import save_networks


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


def test_a_u_net_that_trains_by_each_images_statistics_sees_no_other_image():
    """Its loss of a batch is the mean of the images' own losses, and testing applies the very same function."""
    flags = dict(model="supervised", netG="unet_64", no_dropout=True, norm_stats="image", seg_loss="bce")
    torch.manual_seed(0)
    model = create_model(model_options(**flags, input_nc=3, output_nc=1), torch.device("cpu"), training=True)
    images, masks = torch.rand(2, 3, 64, 64) * 2 - 1, torch.rand(2, 1, 64, 64).round() * 2 - 1
    alone = [model.loss(model.translate(images[i : i + 1]), masks[i : i + 1])["G_seg"] for i in range(2)]
    trained = model.train_step({"A": images, "B": masks})["G_seg"]
    torch.testing.assert_close(trained, (alone[0] + alone[1]) / 2, rtol=1e-4, atol=1e-5)
    assert not has_averages(model.networks["G"])


def test_running_averages_that_were_never_computed_are_not_tested_with(tmp_path):
    flags = dict(model="supervised", netG="unet_64", output_nc=1, checkpoints_dir=str(tmp_path), epoch="latest")
    model = create_model(model_options(**flags, norm_stats="image"), torch.device("cpu"), training=True)
    save_networks(tmp_path / "run", "latest", model.networks)
    load_model(model_options(**flags, norm_stats="image"), torch.device("cpu"))
    with pytest.raises(UserError, match="--norm_stats running: run run has no running averages"):
        load_model(model_options(**flags, norm_stats="running"), torch.device("cpu"))
