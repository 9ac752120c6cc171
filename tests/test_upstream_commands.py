"""The commands of upstream's scripts/test_before_push.py, word by word, and flags that have another name today.

They were compared with that script; its older versions say --niter instead of --n_epochs.
"""

import shlex
import shutil

import numpy as np
import pytest
import torch
from PIL import Image

import options.test
import options.train
from data.phantom.facades import facade
from models.networks.define import define_G
from tests.helpers import python
from util.errors import UserError
from util.run.device import pick_device

# Upstream's newest version has no visdom and so no --display_id, which the versions before have.
WORK = [
    "test.py --model test --dataroot ./datasets/mini --name horse2zebra_pretrained --no_dropout --num_test 1 "
    "--no_dropout",
    "test.py --dataroot ./datasets/facades/ --direction BtoA --model pix2pix --name facades_label2photo_pretrained "
    "--num_test 1",
    "train.py --model cycle_gan --name temp_cyclegan --dataroot ./datasets/mini --n_epochs 1 --n_epochs_decay 0 "
    "--save_latest_freq 10 --print_freq 1 --display_id -1",
    'test.py --model test --name temp_cyclegan --dataroot ./datasets/mini --num_test 1 --model_suffix "_A" '
    "--no_dropout",
    "train.py --model pix2pix --name temp_pix2pix --dataroot ./datasets/mini_pix2pix --n_epochs 1 --n_epochs_decay 5 "
    "--save_latest_freq 10 --display_id -1",
    "test.py --model pix2pix --name temp_pix2pix --dataroot ./datasets/mini_pix2pix --num_test 1",
]
REFUSED = {
    "train.py --model template --name temp2 --dataroot ./datasets/mini_pix2pix --n_epochs 1 --n_epochs_decay 0 "
    "--save_latest_freq 10 --display_id -1": "--model template: .*docs/overview.md",
    "test.py --model template --name temp2 --dataroot ./datasets/mini_pix2pix --num_test 1": "--model template: ",
    "train.py --model colorization --name temp_color --dataroot ./datasets/mini_colorization --n_epochs 1 "
    "--n_epochs_decay 0 --save_latest_freq 5 --display_id -1": "--model colorization: not built",
    "test.py --model colorization --name temp_color --dataroot ./datasets/mini_colorization --num_test 1": "not built",
}


def parse(command: str):
    script, *flags = shlex.split(command)
    return {"train.py": options.train, "test.py": options.test}[script].parse(flags)


@pytest.mark.parametrize("command", WORK)
def test_the_flags_of_upstreams_commands_are_accepted(command):
    assert parse(command).name in command


@pytest.mark.parametrize("command", REFUSED)
def test_models_that_pix2mask_does_not_have_are_refused_in_a_line(command):
    with pytest.raises(UserError, match=REFUSED[command]):
        parse(command)


@pytest.mark.slow
def test_six_of_upstreams_ten_commands_work_unchanged(tmp_path):
    """On pictures that are drawn here, and random weights in place of the published ones."""
    photo, labels = facade(0)
    pair = Image.fromarray(np.concatenate([photo, np.stack([labels * 20] * 3, 2)], 1))
    for split in ("train", "test"):
        for paired in ("mini_pix2pix", "facades"):
            folder = tmp_path / "datasets" / paired / split
            folder.mkdir(parents=True)
            pair.save(folder / "1.png")
        for side in "AB":
            folder = tmp_path / "datasets" / "mini" / f"{split}{side}"
            folder.mkdir(parents=True)
            pair.crop((0, 0, 256, 256)).save(folder / "1.png")
    for name, net, norm, dropout in (
        ("horse2zebra_pretrained", "resnet_9blocks", "instance", False),
        ("facades_label2photo_pretrained", "unet_256", "batch", True),
    ):
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        network = define_G(3, 3, 64, net, norm, dropout)
        torch.save(network.state_dict(), tmp_path / "checkpoints" / name / "latest_net_G.pth")
    for command in WORK:
        script, *flags = shlex.split(command)
        done = python(options.train.__file__.replace("options/train.py", script), *flags, cwd=tmp_path)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    for name in ("horse2zebra_pretrained", "facades_label2photo_pretrained", "temp_cyclegan", "temp_pix2pix"):
        assert (tmp_path / "results" / name / "test_latest" / "index.html").is_file()
        assert list((tmp_path / "results" / name / "test_latest" / "images").glob("*_fake*.png"))
    shutil.rmtree(tmp_path / "checkpoints")  # 1 GB


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("train.py --dataset_mode phantom --niter 5", "--niter, .*: take --n_epochs$"),
        ("test.py --name x --ntest=3", "--ntest, .*: take --num_test$"),
        ("train.py --dataset_mode phantom --use_wandb", "--use_wandb, .*visdom"),
        ("train.py --dataset_mode phantom --norm sync_batch", "--norm: sync_batch: take syncbatch"),
        ("train.py --dataset_mode phantom --which_model_netG unet_256", "take --netG$"),
    ],
)
def test_flags_of_other_versions_name_todays_way(command, message):
    with pytest.raises(UserError, match=message):
        parse(command)


def test_several_gpus_name_torchrun():
    with pytest.raises(UserError, match=r"--gpu_ids 0,1: .*torchrun --nproc_per_node 2 train.py"):
        pick_device("0,1")
