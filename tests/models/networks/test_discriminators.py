"""Discriminators: upstream's keys and counts, and the patches that they judge."""

import copy

import pytest
import torch

from models.networks import DISCRIMINATORS
from models.networks.define import define_D
from tests.models.networks.helpers import size


def test_the_patch_discriminator_is_upstreams():
    net = define_D(6, 64, "basic")
    assert size(net) == (22, 2_768_705)
    assert {key.split(".")[1] for key in net.state_dict()} == {"0", "2", "3", "5", "6", "8", "9", "11"}


def test_the_pixel_discriminator_has_upstreams_keys():
    assert {key.split(".")[1] for key in define_D(6, 8, "pixel").state_dict()} == {"0", "2", "3", "5"}


@pytest.mark.parametrize("netD", DISCRIMINATORS)
def test_discriminators_return_a_map_of_logits(netD):
    out = define_D(4, 4, netD, n_layers_D=2, norm="instance")(torch.rand(2, 4, 64, 64))
    assert out.shape[:2] == (2, 1)
    assert out.shape[2] > 1


def test_a_patch_discriminator_of_three_layers_judges_patches_of_70_pixels():
    """A change of one pixel reaches only the logits whose 70x70 patch contains it."""
    net = define_D(1, 4, "basic", norm="none").eval()
    image = torch.zeros(1, 1, 256, 256)
    changed = image.clone()
    changed[..., 128, 128] = 100
    rows = (net(image) != net(changed)).any(3).any(1)[0].nonzero().flatten()
    assert net(image).shape[-1] == 30
    # Patches start every 8 pixels; 70 pixels wide, 8 or 9 of them contain a given pixel.
    assert len(rows) in (8, 9)
    assert (rows.diff() == 1).all()


def test_the_spectral_discriminator_is_no_steeper_than_its_layers_are_many():
    """Each layer's matrix has norm 1 once its power iteration has settled, so a small change stays small."""
    torch.manual_seed(0)
    net = define_D(1, 8, "spectral", n_layers_D=4)
    for _ in range(50):
        net(torch.randn(1, 1, 64, 64))  # each pass in training mode is a step of the power iteration
    net.eval()
    for layer in net.modules():
        if isinstance(layer, torch.nn.Conv2d):
            assert torch.linalg.matrix_norm(layer.weight.flatten(1), 2).item() == pytest.approx(1, abs=0.05)


def test_the_spectral_discriminator_hardly_sees_what_changes_from_pixel_to_pixel():
    """A Gaussian of 0.7 pixels leaves 3 % of a chessboard of single pixels, and what lasts for many pixels as it is."""
    torch.manual_seed(0)
    soft = define_D(1, 8, "spectral").eval()
    sharp = copy.deepcopy(soft)
    sharp.softening.zero_()
    sharp.softening[..., 2, 2] = 1
    at = torch.arange(64)
    chessboard = (1.0 - 2.0 * ((at[:, None] + at) % 2)).expand(1, 1, 64, 64)
    half = torch.where(at < 32, -1.0, 1.0).expand(1, 1, 64, 64)
    with torch.no_grad():
        seen = {
            name: [(net(image) - net(torch.zeros_like(image))).abs().max().item() for net in (soft, sharp)]
            for name, image in {"chessboard": chessboard, "half": half}.items()
        }
    assert seen["chessboard"][0] < 0.1 * seen["chessboard"][1]
    assert seen["half"][0] > 0.8 * seen["half"][1]
