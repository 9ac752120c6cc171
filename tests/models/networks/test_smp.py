"""Networks of segmentation_models_pytorch as generators."""

import pytest
import torch

from models.networks.define import define_G
from models.networks.generator import generate
from models.norm_stats import inference
from tests.models.networks.helpers import smp
from util.errors import UserError


@pytest.mark.parametrize(
    ("arch", "encoder"),
    [
        ("unet", "mobilenet_v2"),
        ("unetplusplus", "resnet18"),
        ("linknet", "vgg11"),
        ("fpn", "efficientnet-b0"),
        ("deeplabv3plus", "resnet18"),
        ("unet", "densenet121"),
    ],
)
def test_masks_have_the_images_size_whatever_the_network(arch, encoder):
    net = smp(arch, encoder)
    assert isinstance(list(net.modules())[-1], torch.nn.Tanh)
    net.train()
    masks = generate(net, torch.rand(2, 1, 40, 70) * 2 - 1)
    assert masks.shape == (2, 1, 40, 70)
    assert masks.abs().max() <= 1
    masks.mean().backward()
    assert all(p.grad is not None for p in net.encoder.parameters() if p.requires_grad) or arch != "unet"


@pytest.mark.parametrize("arch", ["deeplabv3plus", "pan"])
def test_a_batch_of_one_image_can_be_trained_on(arch):
    """The last batch of an epoch may hold one image. Pooled to one value, it is normalised by stored statistics."""
    net = smp(arch).train()
    net(torch.rand(1, 1, 128, 128)).mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


@pytest.mark.parametrize(("arch", "encoder"), [("pan", "resnet18"), ("unet", "tu-mobilenetv3_small_050")])
def test_norm_stats_image_normalises_as_training_on_that_image_alone_does(arch, encoder):
    """Also where a layer gets a single value, and where timm's norms contain the activation."""
    net, image = smp(arch, encoder), torch.rand(1, 1, 128, 128) * 2 - 1
    with torch.no_grad():
        with inference(net, "image"):
            ours = net(image)
        for module in net.modules():
            if isinstance(module, torch.nn.modules.dropout._DropoutNd):
                module.p = 0.0
        torch.testing.assert_close(ours, net.train()(image), atol=1e-4, rtol=1e-3)


def test_inception_returns_masks_of_the_images_size_although_it_does_not_pad():
    """Without padding, 96 pixels become 45, 20, 9, 4, 1."""
    net = smp(encoder="tu-inception_v3").eval()
    with torch.no_grad():
        assert net(torch.zeros(1, 1, 96, 96)).shape == (1, 1, 96, 96)


@pytest.mark.parametrize(
    ("netG", "message"),
    [
        ("smp:unett:resnet18", "no network 'unett'; there are deeplabv3, deeplabv3plus, "),
        ("smp:unet:resnet35", "no encoder 'resnet35'; there are resnet50, resnet34, "),
        ("smp:unet:inception_v3", "no encoder 'inception_v3'; there are tu-inception_v3, "),
        ("smp:pan:vgg16", "they do not go together: 'VGG' models do not support dilated mode"),
    ],
)
def test_unknown_networks_are_refused_with_the_nearest_names(netG, message):
    with pytest.raises(UserError) as error:
        define_G(1, 1, 0, netG)
    assert message in str(error.value)
    assert "\n" not in str(error.value)
