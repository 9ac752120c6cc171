"""Donors: found, recognised by their tensors, fitted, or refused with the flag to change."""

from dataclasses import replace

import pytest
import torch

from models.donors.architecture import infer_architecture
from models.donors.build import build_generator
from models.donors.find import find_donor, find_twin
from models.networks import GENERATORS, define_G
from tests.models.helpers import model_options
from tests.util.web import serving
from util.errors import UserError
from util.fetch import catalogue
from util.run.checkpoint import read_state_dict


def donor(tmp_path, netG="unet_64", norm="batch", ngf=4, dropout=True, input_nc=3, output_nc=3, half=False):
    net = define_G(input_nc, output_nc, ngf, netG, norm, dropout)
    state = net.state_dict()
    if half:
        state = {key: value.half() if value.is_floating_point() else value for key, value in state.items()}
    torch.save(state, tmp_path / "latest_net_G.pth")
    return net


@pytest.mark.parametrize("netG", GENERATORS)
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
@pytest.mark.parametrize("dropout", [True, False])
def test_architecture_is_read_off_the_weights(netG, norm, dropout):
    made = infer_architecture(define_G(1, 3, 6, netG, norm, dropout).state_dict())
    ngf = None if netG.startswith("mobile") else 6  # its widths are read one by one
    assert (made.netG, made.input_nc, made.output_nc, made.ngf, made.norm) == (netG, 1, 3, ngf, norm)
    assert made.no_dropout == (not dropout if netG.startswith("resnet") else None)


def test_a_discriminator_is_no_donor():
    from models.networks import define_D

    assert infer_architecture(define_D(6, 8, "basic").state_dict()) is None
    assert infer_architecture(define_D(6, 8, "pixel").state_dict()) is None


@pytest.mark.parametrize("where", ["file", "folder", "experiment"])
def test_donor_by_file_folder_or_experiment(tmp_path, where):
    (tmp_path / "run").mkdir()
    file = tmp_path / "run" / "latest_net_G.pth"
    file.touch()
    name = {"file": str(file), "folder": str(tmp_path / "run"), "experiment": "run"}[where]
    assert find_donor(name, tmp_path) == file


def test_the_shipped_donor_is_found_from_anywhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    opt = model_options(netG="unet_256", ngf=16)
    assert "facades_photo2label" in build_generator(opt, "G", find_donor("facades_photo2label", tmp_path))[1]


def test_missing_donor(tmp_path):
    with pytest.raises(UserError, match="--pretrained nothing: neither"):
        find_donor("nothing", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no latest_net_G.pth"):
        find_donor("empty", tmp_path)


@pytest.mark.parametrize("half", [False, True])
def test_loaded_weights_are_the_donors(tmp_path, half):
    source = donor(tmp_path, half=half)
    net, _ = build_generator(model_options(), "G", find_donor(str(tmp_path), tmp_path))
    for ours, theirs in zip(net.state_dict().values(), source.state_dict().values(), strict=True):
        torch.testing.assert_close(ours, theirs, atol=1e-3 if half else 0, rtol=1e-3 if half else 0)
        assert ours.dtype == theirs.dtype


@pytest.mark.parametrize(
    ("made", "flags", "message"),
    [
        ({"ngf": 8}, {}, "--ngf 8.*change --ngf$"),
        ({"norm": "instance"}, {}, "--norm instance.*change --norm$"),
        ({"norm": "batch"}, {"norm": "instance"}, "--norm batch: change --norm$"),
        ({"netG": "unet_128"}, {}, "--netG unet_128.*change --netG$"),
        ({"netG": "resnet_6blocks", "dropout": False}, {"netG": "resnet_6blocks"}, "change --no_dropout$"),
        ({"netG": "resnet_6blocks", "ngf": 8}, {}, "change --netG, --ngf$"),
    ],
)
def test_mismatch_names_the_flag(tmp_path, made, flags, message):
    donor(tmp_path, **made)
    opt = model_options(**flags)
    with pytest.raises(UserError, match=message):
        build_generator(opt, "G", tmp_path / "latest_net_G.pth")


def test_donor_of_something_else(tmp_path):
    torch.save({"fc.weight": torch.zeros(2, 2)}, tmp_path / "latest_net_G.pth")
    with pytest.raises(UserError, match="no generator known here"):
        build_generator(model_options(), "G", tmp_path / "latest_net_G.pth")


@pytest.mark.parametrize("netG", ["unet_64", "resnet_6blocks"])
def test_grey_input_equals_repeating_the_grey(tmp_path, netG):
    source = donor(tmp_path, netG, "none", dropout=False).eval()
    opt = model_options(netG=netG, norm="none", no_dropout=True, input_nc=1)
    net, said = build_generator(opt, "G", tmp_path / "latest_net_G.pth")
    net.eval()
    grey = torch.rand(1, 1, 64, 64)
    torch.testing.assert_close(net(grey), source(grey.expand(-1, 3, -1, -1)), atol=1e-5, rtol=1e-4)
    assert "1 input channel" in said


@pytest.mark.parametrize("netG", ["unet_64", "resnet_6blocks"])
def test_one_channel_head_is_the_mean_of_the_donors(tmp_path, netG):
    source = donor(tmp_path, netG, "none", dropout=False).eval()
    opt = model_options(netG=netG, norm="none", no_dropout=True, output_nc=1)
    net, said = build_generator(opt, "G", tmp_path / "latest_net_G.pth")
    net.eval()
    image = torch.rand(1, 3, 64, 64)
    mean = torch.atanh(source(image)).mean(1, keepdim=True)
    torch.testing.assert_close(net(image), torch.tanh(mean), atol=1e-4, rtol=1e-3)
    assert "1 output channel" in said


def test_checkpoints_from_before_instance_norm_forgot_its_statistics(tmp_path):
    net = define_G(3, 3, 4, "unet_64", "instance")
    state = dict(net.state_dict())
    state["model.model.1.model.2.running_mean"] = torch.zeros(8)
    state["model.model.1.model.2.running_var"] = torch.ones(8)
    torch.save(state, tmp_path / "latest_net_G.pth")
    build_generator(model_options(norm="instance"), "G", tmp_path / "latest_net_G.pth")


def test_real_donor(real_data):
    donor = real_data / "weights/facades_photo2label_upstream_unet256_ngf16_latest_net_G.pth"
    build_generator(model_options(netG="unet_256", ngf=16), "G", donor)
    with pytest.raises(UserError, match="--ngf 16.*change --ngf$"):
        build_generator(model_options(netG="unet_256", ngf=64), "G", donor)


def test_scratch_takes_the_donors_make_but_not_its_weights(tmp_path):
    widths = (4, 6, 10, *[3] * 9, 5, 4)
    source = define_G(3, 3, 0, "mobile_resnet_9blocks", "instance", widths=widths)
    torch.save(source.state_dict(), tmp_path / "latest_net_G.pth")
    opt = model_options(netG="mobile_resnet_9blocks", norm="instance", adapt="scratch")
    net, said = build_generator(opt, "G", tmp_path / "latest_net_G.pth")
    assert "random weights" in said
    for ours, theirs in zip(net.parameters(), source.parameters(), strict=True):
        assert ours.shape == theirs.shape
        assert not torch.equal(ours, theirs) or not ours.any()  # fresh biases are zero in both


def test_the_twin_of_a_cyclegan_lies_beside_it(tmp_path):
    for side in "AB":
        (tmp_path / f"latest_net_G_{side}.pth").touch()
    assert find_donor(str(tmp_path), tmp_path).name == "latest_net_G_A.pth"
    assert find_twin(str(tmp_path), tmp_path).name == "latest_net_G_B.pth"
    (tmp_path / "latest_net_G_B.pth").unlink()
    assert find_twin(str(tmp_path), tmp_path) is None


def test_a_run_of_a_published_name_has_no_published_twin(tmp_path):
    (tmp_path / "sat2map").mkdir()
    (tmp_path / "sat2map" / "latest_net_G.pth").touch()
    assert find_twin("sat2map", tmp_path) is None


def test_a_twin_that_cannot_be_had_names_the_way_without(tmp_path, monkeypatch):
    (tmp_path / "horse2zebra_pretrained").mkdir()
    (tmp_path / "horse2zebra_pretrained" / "latest_net_G.pth").touch()
    known = catalogue.DONORS["zebra2horse"]
    with serving() as web:
        file = replace(known.file, url=web.put("/zebra2horse.pth", status=404))
        monkeypatch.setitem(catalogue.DONORS, "zebra2horse", replace(known, file=file))
        with pytest.raises(UserError, match="says 404 .*zebra2horse_pretrained.*--pretrained_B same"):
            find_twin("horse2zebra", tmp_path)


def test_a_published_name_is_downloaded_once(tmp_path, monkeypatch, capsys):
    net = donor(tmp_path, "resnet_6blocks", "instance", dropout=False)
    known = catalogue.DONORS["horse2zebra"]
    (tmp_path / "runs" / "horse2zebra").mkdir(parents=True)  # a run of that name that has no weights yet
    with serving() as web:
        url = web.put("/horse2zebra.pth", (tmp_path / "latest_net_G.pth").read_bytes())
        monkeypatch.setitem(catalogue.DONORS, "horse2zebra", replace(known, file=replace(known.file, url=url)))
        path = find_donor("horse2zebra", tmp_path / "runs")
        said = capsys.readouterr().out
        assert find_donor("horse2zebra", tmp_path / "runs") == find_donor("horse2zebra_pretrained", tmp_path / "runs")
    assert path == tmp_path / "runs" / "horse2zebra_pretrained" / "latest_net_G.pth"
    assert said.count("\n") == 1
    assert "downloading http://127.0.0.1" in said
    assert len(web.asked) == 1
    assert torch.equal(read_state_dict(path)["model.1.weight"], net.state_dict()["model.1.weight"])


def test_a_published_donor_has_its_published_twin(tmp_path):
    """As data.download puts them."""
    for name in ("horse2zebra", "zebra2horse"):
        (tmp_path / f"{name}_pretrained").mkdir()
        (tmp_path / f"{name}_pretrained" / "latest_net_G.pth").touch()
    assert find_twin("horse2zebra", tmp_path) == tmp_path / "zebra2horse_pretrained" / "latest_net_G.pth"
