"""GAN Compression's generator: its widths, its keys, and its real weights."""

import pytest
import torch

from data.read.images import read_image
from data.transforms import to_network
from models.networks.define import define_G
from models.networks.mobile_resnet import widths_of
from tests.models.networks.helpers import size


def horse2zebra(real_data) -> torch.nn.Module:
    """GAN Compression's generator from its own weights."""
    path = real_data / "weights/horse2zebra_gancompression_mobile_resnet9_latest_net_G.pth"
    state = torch.load(path, weights_only=True)
    net = define_G(3, 3, 64, "mobile_resnet_9blocks", "instance", False, widths=widths_of(state))
    net.load_state_dict(state, strict=True)
    return net.eval()


def test_the_widths_of_a_real_mobile_resnet_are_read_from_its_weights(real_data):
    net = horse2zebra(real_data)
    assert size(net) == (84, 356_867)
    assert widths_of(net.state_dict()) == (16, 32, 128, 64, 64, 64, 128, 128, 128, 128, 128, 128, 32, 16)


def test_a_real_mobile_resnet_gives_a_horse_stripes(real_data):
    """Mean, spread and mean absolute step from pixel to pixel of the results.

    The expected values were stored when somebody had looked at the pictures and seen the stripes.
    """
    expected = {"002": (0.0533, 0.5300, 0.1008), "003": (-0.1323, 0.4611, 0.0997)}
    for name, statistics in expected.items():
        image = to_network(read_image(real_data / f"horse2zebra/testA/{name}.jpeg"), 3)[None]
        with torch.no_grad():
            zebra = horse2zebra(real_data)(image)
        step = (zebra[..., 1:] - zebra[..., :-1]).abs().mean()
        measured = (zebra.mean().item(), zebra.std().item(), step.item())
        assert measured == pytest.approx(statistics, abs=2e-3), name


def test_by_default_a_mobile_resnet_has_the_plain_resnets_widths():
    plain, mobile = (define_G(3, 3, 5, f"{kind}resnet_9blocks", "instance", False) for kind in ("", "mobile_"))
    assert widths_of(mobile.state_dict()) == (5, 10, 20, *[20] * 9, 10, 5)
    assert widths_of(plain.state_dict()) is None
    assert size(mobile)[1] < size(plain)[1] / 3


def test_dropout_changes_no_key_of_a_mobile_resnet():
    nets = [define_G(3, 3, 4, "mobile_resnet_9blocks", "batch", dropout) for dropout in (True, False)]
    assert list(nets[0].state_dict()) == list(nets[1].state_dict())


def test_weights_of_a_layer_without_channels_are_of_no_mobile_resnet():
    state = define_G(3, 3, 5, "mobile_resnet_9blocks").state_dict()
    assert widths_of(state | {"model.7.weight": torch.zeros(0, 10, 3, 3)}) is None
