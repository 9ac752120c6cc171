"""--model supervised as a user runs it: train, resume, test, start from a donor, adapt a frozen donor."""

import json
from pathlib import Path

import pytest
import torch

from models.networks.define import define_G
from models.piggyback import __main__ as piggyback
from models.piggyback.files import read_task
from tests.helpers import words
from util.errors import UserError

TINY = words(
    "--model supervised --load_size 70 --crop_size 64 --gpu_ids -1 --display_id 0 "
    "--dataset_mode phantom --phantom_count 4 --val_freq 2 --batch_size 2 --lr 0.01 "
    "--n_epochs_decay 0 --no_html"
)
SMALL = [*TINY, "--netG", "unet_small"]


def state(folder: Path) -> dict[str, torch.Tensor]:
    return torch.load(folder / "latest_net_G.pth", weights_only=True)


@pytest.mark.parametrize("netG", ["unet_small", pytest.param("smp:unet:mobilenet_v2", marks=pytest.mark.slow)])
def test_a_run_resumes_exactly_and_is_tested_by_its_name_alone(run, score, netG):
    """The small U-Net draws noise in training, so the state of its random generator is saved too."""
    flags = [*TINY, "--netG", netG, "--input_norm", "zscore"]
    whole = run(*flags, "--n_epochs", "2", name="whole")
    run(*flags, "--n_epochs", "1", name="parts")
    torch.manual_seed(12345)
    parts = run("--continue_train", "--n_epochs", "2", name="parts")
    first, second = state(whole), state(parts)
    assert first.keys() == second.keys()
    assert all(torch.equal(first[key], second[key]) for key in first)
    recorded = json.loads((whole / "options.json").read_text())
    assert (recorded["norm_stats"], recorded["input_norm"], recorded["netG"]) == ("running", "zscore", netG)
    assert {path.name for path in whole.glob("*_net_*.pth")} == {"latest_net_G.pth", "best_net_G.pth"}
    settings = score(name="whole")["settings"]
    assert (settings["norm_stats"], settings["input_norm"]) == ("running", "zscore")


def test_an_smp_network_can_be_pix2pix_generator(run):
    folder = run(*TINY, "--model", "pix2pix", "--netG", "smp:unet:mobilenet_v2", "--n_epochs", "1", "--ndf", "4")
    assert {path.name for path in folder.glob("latest_net_*.pth")} == {"latest_net_G.pth", "latest_net_D.pth"}
    assert json.loads((folder / "options.json").read_text())["norm_stats"] == "running"


def test_a_gan_generator_starts_from_its_donor_fitted_to_grey_images_and_masks(run, tmp_path, capsys):
    (tmp_path / "donor").mkdir()
    torch.save(define_G(3, 3, 4, "unet_64").state_dict(), tmp_path / "donor" / "latest_net_G.pth")
    run(*TINY, "--netG", "unet_64", "--ngf", "4", "--pretrained", "donor", "--n_epochs", "0", "--n_epochs_decay", "1")
    printed = capsys.readouterr().out
    assert "its first layer is summed to 1 input channel" in printed
    assert "averaged to 1 output channel" in printed


def test_a_task_on_a_frozen_unet_resumes_verifies_and_exports(run, score, start, tmp_path, capsys):
    donor = run(*SMALL, "--n_epochs", "1", "--input_norm", "unit", name="donor")
    before = (donor / "latest_net_G.pth").read_bytes()
    flags = [*SMALL, "--pretrained", "donor", "--adapt", "masks", "--input_norm", "unit"]
    folder = run(*flags, "--n_epochs", "1")
    run("--continue_train", "--n_epochs", "2")
    assert (donor / "latest_net_G.pth").read_bytes() == before
    architecture = read_task(folder / "latest_task_G.safetensors").header["donor"]["architecture"]
    assert (architecture["netG"], architecture["input_nc"], architecture["input_norm"]) == ("unet_small", 1, "unit")
    assert score("--task", "base", name="run")["macro"] == score(name="donor")["macro"]
    for command in ("verify", "export"):
        assert start(piggyback.main, command, "run", "--checkpoints_dir", tmp_path) == 0
    assert "plain weights: the adapted generator's outputs, bit for bit: yes" in capsys.readouterr().out
    assert (tmp_path / "run_plain" / "latest_net_G.pth").is_file()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (
            ["--netG", "unet_ronneberger", "--ngf", "4"],
            "--netG unet_ronneberger: {donor}, which --pretrained names, was trained with --netG unet_small; give that",
        ),
        (
            ["--netG", "unet_small", "--input_norm", "unit"],
            "--input_norm unit: {donor}, which --pretrained names, was trained with --input_norm signed; give that",
        ),
        (["--netG", "unet_small", "--input_nc", "3"], "nor one of --netG unet_small --input_nc 3 --output_nc 1"),
        (["--netG", "unet_small", "--encoder_weights", "imagenet"], "--pretrained gives all weights; leave one out"),
    ],
)
def test_a_donor_with_another_architecture_or_input_norm_names_the_flag_to_change(run, tmp_path, flags, message):
    (tmp_path / "donor").mkdir()
    torch.save(define_G(1, 1, 4, "unet_small").state_dict(), tmp_path / "donor" / "latest_net_G.pth")
    (tmp_path / "donor" / "options.json").write_text('{"netG": "unet_small", "input_norm": "signed"}')
    with pytest.raises(UserError) as error:
        run(*TINY, *flags, "--pretrained", "donor")
    assert message.format(donor=tmp_path / "donor") in str(error.value)
    (tmp_path / "donor" / "options.json").write_text('{"netG":')
    with pytest.raises(UserError, match="options.json: damaged"):
        run(*TINY, *flags, "--pretrained", "donor")
