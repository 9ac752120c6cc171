"""--unlabelled as a user runs it: train, resume, adapt a frozen donor, test."""

import numpy as np
import pytest
import torch
from PIL import Image

from data.phantom.chests import chest
from tests.helpers import words
from util.errors import UserError
from util.run.log import read_metrics

TINY = words(
    "--netG unet_64 --ngf 4 --ndf 4 --load_size 70 --crop_size 64 --gpu_ids -1 --display_id 0 --num_threads 0 "
    "--dataset_mode masks --batch_size 2 --n_epochs_decay 0 --val_freq 0 --unlabelled rest --augment strong"
)


@pytest.fixture
def chests(tmp_path):
    """Drawn X-rays: four with masks and six without."""
    for i in range(10):
        image, mask = chest(i, size=64)
        for folder, array in {"images": image, "masks": np.asarray(mask, np.uint8) * 255}.items():
            if folder == "images" or i < 4:
                (tmp_path / "chests" / folder).mkdir(parents=True, exist_ok=True)
                Image.fromarray(array).save(tmp_path / "chests" / folder / f"c{i}.png")
    names = "\n".join(f"images/c{i}.png,train" for i in range(10))
    (tmp_path / "chests" / "splits.csv").write_text(f"image,split\n{names}\n")
    return str(tmp_path / "chests")


@pytest.mark.parametrize(
    "flags",
    [
        pytest.param(words("--lambda_L1 1000"), id="pix2pix"),
        pytest.param(words("--model supervised --netG unet_small --input_nc 1"), id="supervised"),
    ],
)
def test_a_run_resumes_to_the_bit(run, chests, flags):
    whole = run(*TINY, "--dataroot", chests, *flags, "--n_epochs", "2", name="whole")
    run(*TINY, "--dataroot", chests, *flags, "--n_epochs", "1", name="parts")
    torch.manual_seed(12345)
    parts = run("--continue_train", "--n_epochs", "2", name="parts")
    first, second = (torch.load(folder / "latest_net_G.pth", weights_only=True) for folder in (whole, parts))
    assert all(torch.equal(first[key], second[key]) for key in first)
    columns = {column for row in read_metrics(whole / "metrics.csv") for column in row}
    assert columns & {"U_L1", "U_seg"}
    assert "6 without" in (whole / "web" / "index.html").read_text()
    assert len((whole / "learnt_from.txt").read_text().splitlines()) >= 10


def test_images_of_another_size_are_judged_too(run, chests, tmp_path):
    """With --preprocess none images keep their size, so D cannot see those with and without masks in one batch."""
    (tmp_path / "wide").mkdir()
    for i in range(3):
        Image.fromarray(chest(20 + i, size=96)[0][:64]).save(tmp_path / "wide" / f"w{i}.png")
    for path in (tmp_path / "chests" / "images").glob("c[4-9].png"):
        path.unlink()
    names = "\n".join(f"images/c{i}.png,train" for i in range(4))
    (tmp_path / "chests" / "splits.csv").write_text(f"image,split\n{names}\n")
    flags = ["--unlabelled", str(tmp_path / "wide"), "--preprocess", "none", "--augment", "none"]
    folder = run(*TINY, "--dataroot", chests, *flags, "--batch_size", "1", "--n_epochs", "1", name="sizes")
    assert read_metrics(folder / "metrics.csv")[0]["U_L1"] >= 0


def test_a_task_on_a_frozen_donor_learns_from_them_too(run, chests, apply):
    donor = run(*TINY, "--dataroot", chests, "--n_epochs", "1", name="donor")
    flags = ["--pretrained", str(donor), "--adapt", "masks", "--lambda_L1", "1000", "--n_epochs", "2"]
    task = run(*TINY, "--dataroot", chests, *flags, name="task")
    assert (task / "latest_task_G.safetensors").is_file()
    assert all("U_L1" in row for row in read_metrics(task / "metrics.csv"))


def test_cycle_gan_says_that_it_needs_no_such_flag(run, chests):
    with pytest.raises(UserError, match="--unlabelled"):
        run(*TINY, "--dataroot", chests, *words("--model cycle_gan --n_epochs 1"))
