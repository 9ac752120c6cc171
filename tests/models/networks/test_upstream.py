"""Networks of upstream: the same keys, shapes and counts, and real checkpoints load."""

import pytest
import torch

from models.networks import INITS, NORMS
from models.networks.define import define_G
from tests.models.networks.helpers import size


@pytest.mark.parametrize(
    ("netG", "norm", "expected"),
    [
        ("unet_256", "batch", (82, 54_413_955)),
        ("unet_128", "batch", (70, 41_828_995)),
        ("resnet_9blocks", "instance", (48, 11_378_179)),
        ("resnet_9blocks", "batch", (140, 11_383_427)),
        ("resnet_6blocks", "instance", (36, 7_837_699)),
    ],
)
def test_generators_have_as_many_tensors_and_parameters_as_upstreams(netG, norm, expected):
    """Counts of upstream's own checkpoints (ngf 64, colour to colour)."""
    assert size(define_G(3, 3, 64, netG, norm)) == expected


def test_the_unet_has_upstreams_keys():
    keys = define_G(3, 3, 4, "unet_256", "batch").state_dict().keys()
    for key in (
        "model.model.0.weight",
        "model.model.1.model.1.weight",
        "model.model.1.model.2.running_mean",
        "model.model.1.model.3.model.5.weight",
        "model.model.3.bias",
    ):
        assert key in keys
    assert "model.model.0.bias" not in keys  # batch norm follows
    assert "model.model.0.bias" in define_G(3, 3, 4, "unet_256", "instance").state_dict()


@pytest.mark.parametrize(("dropout", "second"), [(True, "6"), (False, "5")])
def test_dropout_shifts_the_resnets_second_convolution(dropout, second):
    keys = define_G(3, 3, 4, "resnet_6blocks", "instance", dropout).state_dict()
    assert {key.split(".")[3] for key in keys if "conv_block" in key} == {"1", second}


def test_dropout_changes_no_key_of_a_unet():
    with_it, without = (define_G(3, 3, 4, "unet_128", "batch", dropout) for dropout in (True, False))
    assert list(with_it.state_dict()) == list(without.state_dict())


def test_a_real_upstream_checkpoint_loads_strictly_and_draws_a_picture(real_data):
    path = real_data / "weights/facades_photo2label_upstream_unet256_ngf16_latest_net_G.pth"
    weights = torch.load(path, weights_only=True)
    net = define_G(3, 3, 16, "unet_256", "batch")
    net.load_state_dict(weights, strict=True)
    assert all(torch.equal(value, weights[key]) for key, value in net.state_dict().items())
    picture = net.eval()(torch.zeros(1, 3, 256, 256))
    assert picture.std() > 0.1


def test_only_instance_norm_gives_convolutions_a_bias():
    for norm in NORMS:
        net = define_G(1, 1, 2, "unet_64", norm)
        biases = sum(conv.bias is not None for conv in net.modules() if isinstance(conv, torch.nn.Conv2d))
        assert biases == (6 if norm == "instance" else 0)


@pytest.mark.parametrize("init", INITS)
def test_init_type_sets_the_spread_of_weights(init):
    torch.manual_seed(0)
    net = define_G(3, 3, 16, "resnet_6blocks", "batch", init_type=init, init_gain=0.02)
    weight = net.state_dict()["model.10.conv_block.1.weight"]
    expected = {
        "normal": 0.02,
        "xavier": 0.02 * (2 / (2 * 64 * 9)) ** 0.5,
        "kaiming": (2 / (64 * 9)) ** 0.5,
        "orthogonal": 0.02 * (1 / (64 * 9)) ** 0.5,
    }[init]
    assert weight.std().item() == pytest.approx(expected, rel=0.1)
    assert net.state_dict()["model.23.bias"].abs().max() == 0
