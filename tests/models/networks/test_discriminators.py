"""Discriminators: upstream's keys and counts, and the patches that they judge."""

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
