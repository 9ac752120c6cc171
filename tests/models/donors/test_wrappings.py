"""Donors and encoders in the wrappings of other programs."""

import pytest
import torch
from safetensors.torch import save_file
from torchvision import models as torchvision_models

from models.donors.architecture import Architecture, infer_architecture
from models.donors.build import build_generator
from models.donors.encoders import load_encoder
from models.donors.wrappings import read_generator
from models.networks.define import define_G
from tests.models.helpers import model_options
from tests.models.networks.helpers import smp
from util.errors import UserError

DISCRIMINATOR = {"discriminator.model.0.weight": torch.zeros(4, 6, 4, 4), "loss.weight": torch.zeros(1)}


def same(net, other) -> bool:
    return all(torch.equal(value, other.state_dict()[key]) for key, value in net.state_dict().items())


def save(path, state):
    if path.suffix == ".safetensors":
        save_file({key: value.contiguous() for key, value in state.items()}, path)
    else:
        torch.save({"state_dict": state, "epoch": 3, "hyper_parameters": {"lr": 0.1}}, path)


@pytest.mark.parametrize("netG", ["unet_64", "resnet_6blocks"])
@pytest.mark.parametrize("prefix", ["", "generator.", "net.", "model.", "_orig_mod.", "module.", "net._orig_mod."])
@pytest.mark.parametrize("file", ["theirs.ckpt", "theirs.safetensors"])
def test_a_donor_is_found_under_the_names_that_lightning_and_torch_compile_give(tmp_path, netG, prefix, file):
    source = define_G(3, 3, 4, netG)
    state = {prefix + key: value for key, value in source.state_dict().items()}
    save(tmp_path / file, state | (DISCRIMINATOR if prefix in ("generator.", "net.", "model.") else {}))
    opt = model_options(netG=netG)
    net, _ = build_generator(opt, "G", Architecture.of(opt), tmp_path / file)
    assert same(net, source)


@pytest.mark.parametrize("prefix", ["", "model.", "module."])
def test_a_network_of_segmentation_models_pytorch_is_a_donor(tmp_path, prefix):
    source = smp(input_nc=3)
    save(tmp_path / "x.ckpt", {prefix + key: value for key, value in source.net.state_dict().items()})
    opt = model_options(netG="smp:unet:resnet18", output_nc=1)
    net, _ = build_generator(opt, "G", Architecture.of(opt), tmp_path / "x.ckpt")
    assert same(net, source)


def test_of_two_generators_in_a_file_none_is_chosen(tmp_path):
    state = define_G(3, 3, 4, "unet_64").state_dict()
    save(tmp_path / "x.ckpt", {f"G_{side}.{key}": value for side in "AB" for key, value in state.items()})
    with pytest.raises(UserError, match=r"holds several generators \(G_A., G_B.\)"):
        read_generator(tmp_path / "x.ckpt")


@pytest.mark.parametrize("prefix", ["model.", "backbone.", "net.encoder.", "model.encoder.", "module.encoder."])
def test_an_encoder_is_found_under_a_prefix(tmp_path, prefix):
    theirs = torchvision_models.resnet18().state_dict()
    save(tmp_path / "x.ckpt", {prefix + key: value for key, value in theirs.items()} | {"head.weight": torch.zeros(1)})
    net = smp(input_nc=3)
    load_encoder(net, str(tmp_path / "x.ckpt"), "smp:unet:resnet18", tmp_path)
    assert all(torch.equal(value, theirs[key]) for key, value in net.encoder.state_dict().items())


def test_a_grey_encoder_sees_the_mean_of_three_channels(tmp_path):
    grey, colour = smp(input_nc=1).eval(), smp(input_nc=3).eval()
    torch.save(grey.state_dict(), tmp_path / "grey.pth")
    note = load_encoder(colour, str(tmp_path / "grey.pth"), "smp:unet:resnet18", tmp_path)
    assert "the mean of 3 input channels" in note
    image = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        expected = grey.encoder(image.mean(1, keepdim=True))[-1]
        torch.testing.assert_close(colour.encoder(image)[-1], expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("netG", ["unet_64", "resnet_6blocks"])
def test_a_grey_donor_is_fitted_to_three_channels(tmp_path, netG):
    source = define_G(1, 1, 4, netG, "none", dropout=False).eval()
    torch.save(source.state_dict(), tmp_path / "grey.pth")
    opt = model_options(netG=netG, norm="none", no_dropout=True)
    net, note = build_generator(opt, "G", Architecture.of(opt), tmp_path / "grey.pth")
    assert "the mean of 3 input channels" in note
    assert "repeated for 3 output channels" in note
    image = torch.rand(1, 3, 64, 64)
    expected = source(image.mean(1, keepdim=True)).expand(-1, 3, -1, -1)
    torch.testing.assert_close(net.eval()(image), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "state",
    [
        {"model.1.weight": torch.zeros(4, 3, 7, 7), "model.x.weight": torch.zeros(1)},
        {"model.1.weight": torch.zeros(4, 3, 7, 7), "model.26.weight": torch.tensor(0.0)},
        {"model.1.weight": torch.zeros(0, 3, 7, 7)},
        {"model.1.weight": torch.zeros(4, 3, 7, 7).byte(), "model.26.weight": torch.zeros(3, 4, 7, 7)},
        {"model.1.weight": torch.zeros(4, 3, 7, 7), "model.26.weight": torch.zeros(3, 4, 7, 7)},
        {"model.model.0.weight": torch.zeros(4), "model.model.3.weight": torch.zeros(4, 3, 4, 4)},
        {"model.model.0.weight": torch.tensor(1.0), "model.model.3.weight": torch.tensor(1.0)},
    ],
)
def test_shapes_that_no_generator_has_are_no_generator(state):
    assert infer_architecture(state) is None


@pytest.mark.parametrize("netG", ["unet_64", "resnet_6blocks"])
@pytest.mark.parametrize("output_nc", [1, 3])
def test_a_donor_without_its_last_bias_is_refused(tmp_path, netG, output_nc):
    state = define_G(3, 3, 4, netG).state_dict()
    last = [key for key in state if key.endswith("bias") and state[key].shape == (3,)][0]
    torch.save({key: value for key, value in state.items() if key != last}, tmp_path / "x.pth")
    opt = model_options(netG=netG, output_nc=output_nc)
    with pytest.raises(UserError, match=r"x.pth: does not fit"):
        build_generator(opt, "G", Architecture.of(opt), tmp_path / "x.pth")
