"""--patch from end to end: what training validates is what test.py scores."""

import json
import sys

import pytest

import options.test
import train
from data import create_dataset
from models import create_model
from models.apply.translators import create_translator
from models.files import load_networks
from options.runs import resolve_named
from util.run.log import read_metrics
from util.score.evaluate import evaluate

FLAGS = words(
    "--netG unet_64 --ngf 4 --ndf 4 --load_size 96 --crop_size 96 --gpu_ids -1 --display_id 0 "
    "--dataset_mode phantom --phantom_count 4 --n_epochs 1 --n_epochs_decay 0 --no_html"
)


def test_validation_and_test_see_the_same_patches(monkeypatch, tmp_path):
    where = ["--checkpoints_dir", str(tmp_path), "--name", "run"]
    monkeypatch.setattr(sys, "argv", ["train.py", *where, *FLAGS, "--patch", "64", "--patch_overlap", "0.25"])
    assert train.main() == 0
    assert json.loads((tmp_path / "run" / "options.json").read_text())["patch"] == 64
    validated = read_metrics(tmp_path / "run" / "metrics.csv")[-1]["val_dice"]

    def tested(*flags: str) -> float:
        (opt,) = resolve_named(options.test.TEST.typed([*where, "--gpu_ids", "-1", "--phase", "val", *flags]))
        model = create_model(opt, "cpu", training=False)
        load_networks(model, tmp_path / "run", "latest", opt)
        return evaluate(create_translator([model], [opt], None), create_dataset(opt, "val", train=False)).score

    assert tested() == pytest.approx(validated, abs=1e-5)
    assert tested("--patch", "0") != pytest.approx(validated, abs=1e-5)
