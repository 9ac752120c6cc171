"""--patch from end to end: training validates on the same patches that test.py scores."""

import pytest

from tests.helpers import read_json, words
from util.run.log import read_metrics

FLAGS = words(
    "--netG unet_64 --ngf 4 --ndf 4 --load_size 96 --crop_size 96 --gpu_ids -1 --display_id 0 "
    "--dataset_mode phantom --phantom_count 4 --n_epochs 1 --n_epochs_decay 0 --no_html"
)


def test_validation_and_test_give_the_same_score_for_patches(run, score):
    folder = run(*FLAGS, "--patch", "64", "--patch_overlap", "0.25")
    assert read_json(folder / "options.json")["patch"] == 64
    validated = read_metrics(folder / "metrics.csv")[-1]["val_dice"]
    assert score()["macro"]["dice"] == pytest.approx(validated, abs=1e-5)
    assert score("--patch", "0")["macro"]["dice"] != pytest.approx(validated, abs=1e-5)
