"""Generators started from a donor's weights: loaded, fitted to other channels, or refused with the flag to change."""

import argparse
from pathlib import Path

import pytest
import torch

from models.donors.architecture import Architecture
from models.donors.build import build_generator
from models.donors.find import find_donor
from models.networks.define import define_G
from models.networks.generator import Generator
from tests.models.helpers import model_options
from util.errors import UserError
from util.run.checkpoint import read_state_dict


def build(opt: argparse.Namespace, donor: Path) -> tuple[Generator, str]:
    """A new run's generator, started from the donor's file, and the note on where it starts from."""
    return build_generator(opt, "G", Architecture.of(opt), donor)


def donor(tmp_path, netG="unet_64", norm="batch", ngf=4, dropout=True, input_nc=3, output_nc=3, half=False):
    net = define_G(input_nc, output_nc, ngf, netG, norm, dropout)
    state = net.state_dict()
    if half:
        state = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    torch.save(state, tmp_path / "latest_net_G.pth")
    return net


def test_the_shipped_donor_is_found_from_any_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opt = model_options(netG="unet_256", ngf=16)
    assert "facades_photo2label" in build(opt, find_donor("facades_photo2label", tmp_path))[1]


@pytest.mark.parametrize("half", [False, True])
def test_a_donors_weights_are_loaded_as_float32(tmp_path, half):
    source = donor(tmp_path, half=half)
    net, _ = build(model_options(), find_donor(str(tmp_path), tmp_path))
    for ours, theirs in zip(net.state_dict().values(), source.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3 if half else 0, rtol=1e-3 if half else 0)
        assert ours.dtype == theirs.dtype


@pytest.mark.parametrize(
    ("architecture", "flags", "message"),
    [
        ({"ngf": 8}, {}, "--ngf 8.*change --ngf$"),
        ({"norm": "instance"}, {}, "--norm instance.*change --norm$"),
        ({"norm": "batch"}, {"norm": "instance"}, "--norm batch: change --norm$"),
        ({"netG": "unet_128"}, {}, "--netG unet_128.*change --netG$"),
        ({"netG": "resnet_6blocks", "dropout": False}, {"netG": "resnet_6blocks"}, "change --no_dropout$"),
        ({"netG": "resnet_6blocks", "ngf": 8}, {}, "change --netG, --ngf$"),
    ],
)
def test_a_donor_of_another_architecture_is_refused_with_the_flag_to_change(tmp_path, architecture, flags, message):
    donor(tmp_path, **architecture)
    opt = model_options(**flags)
    with pytest.raises(UserError, match=message):
        build(opt, tmp_path / "latest_net_G.pth")


def test_weights_of_no_known_generator_are_refused(tmp_path):
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "latest_net_G.pth")
    with pytest.raises(UserError, match="no generator known here"):
        build(model_options(), tmp_path / "latest_net_G.pth")


@pytest.mark.parametrize("netG", ["unet_64", "resnet_6blocks"])
def test_one_input_channel_equals_repeating_the_grey_image(tmp_path, netG):
    source = donor(tmp_path, netG, "none", dropout=False).eval()
    opt = model_options(netG=netG, norm="none", no_dropout=True, input_nc=1)
    net, note = build(opt, tmp_path / "latest_net_G.pth")
    net.eval()
    grey = torch.rand(1, 1, 64, 64)
    torch.testing.assert_close(net(grey), source(grey.expand(-1, 3, -1, -1)), atol=1e-5, rtol=1e-4)
    assert "1 input channel" in note


@pytest.mark.parametrize("netG", ["unet_64", "resnet_6blocks"])
def test_one_output_channel_is_the_mean_of_the_donors_channels(tmp_path, netG):
    source = donor(tmp_path, netG, "none", dropout=False).eval()
    opt = model_options(netG=netG, norm="none", no_dropout=True, output_nc=1)
    net, note = build(opt, tmp_path / "latest_net_G.pth")
    net.eval()
    image = torch.rand(1, 3, 64, 64)
    mean = torch.atanh(source(image)).mean(1, keepdim=True)
    torch.testing.assert_close(net(image), torch.tanh(mean), atol=1e-4, rtol=1e-3)
    assert "1 output channel" in note


def test_checkpoints_older_than_pytorch_0_4_load_without_their_instance_norm_statistics(tmp_path):
    net = define_G(3, 3, 4, "unet_64", "instance")
    state = dict(net.state_dict())
    state["model.model.1.model.2.running_mean"] = torch.zeros(8)
    state["model.model.1.model.2.running_var"] = torch.ones(8)
    torch.save(state, tmp_path / "latest_net_G.pth")
    ours, _ = build(model_options(norm="instance"), tmp_path / "latest_net_G.pth")
    assert ours.state_dict().keys() == net.state_dict().keys()
    assert all(torch.equal(value, net.state_dict()[key]) for key, value in ours.state_dict().items())


def test_a_real_donor_loads_and_another_width_is_refused(real_data):
    donor = real_data / "weights/facades_photo2label_upstream_unet256_ngf16_latest_net_G.pth"
    net, _ = build(model_options(netG="unet_256", ngf=16), donor)
    weights = read_state_dict(donor)
    assert all(torch.equal(value, weights[key]) for key, value in net.state_dict().items())
    with pytest.raises(UserError, match="--ngf 16.*change --ngf$"):
        build(model_options(netG="unet_256", ngf=64), donor)


def test_scratch_takes_the_donors_widths_but_not_its_weights(tmp_path):
    widths = (4, 6, 10, *[3] * 9, 5, 4)
    source = define_G(3, 3, 0, "mobile_resnet_9blocks", "instance", widths=widths)
    torch.save(source.state_dict(), tmp_path / "latest_net_G.pth")
    opt = model_options(netG="mobile_resnet_9blocks", norm="instance", adapt="scratch")
    net, note = build(opt, tmp_path / "latest_net_G.pth")
    assert "random weights" in note
    for ours, theirs in zip(net.parameters(), source.parameters(), strict=True):
        assert ours.shape == theirs.shape
        assert not torch.equal(ours, theirs) or not ours.any()  # fresh biases are zero in both
