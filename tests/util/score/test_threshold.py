"""--mask_threshold auto: chosen on val, valid only for the same weights and flags."""

import argparse
from pathlib import Path

import numpy as np
import pytest

from data.classes import Classes
from util.errors import UserError
from util.score.metrics import histogram
from util.score.threshold import FILE, applied, best_threshold, keep_threshold, kept_threshold

TRUTH = np.array([[1, 1, 0, 0]], np.uint8)


def histograms(*maps: list[float]) -> np.ndarray:
    return np.stack([histogram(np.array([values]), TRUTH) for values in maps])


def test_the_threshold_with_the_best_mean_dice_nearest_to_one_half_is_chosen():
    # Every threshold above .2 and up to .3 is right; the highest k / 256 among them is 76 / 256.
    assert best_threshold(histograms([0.3, 0.9, 0.2, 0.1])) == (76 / 256, 1.0)
    assert best_threshold(histograms([0.7, 0.9, 0.2, 0.1])) == (0.5, 1.0)
    # One image needs a threshold below .3, the other above .6: Dice 1 and .8, or 2/3 and 1, or between them 2/3, .8.
    threshold, dice = best_threshold(histograms([0.9, 0.3, 0.1, 0.1], [0.9, 0.8, 0.6, 0.1]))
    assert dice == pytest.approx((1 + 0.8) / 2)
    assert threshold == 76 / 256
    assert 0 < best_threshold(histograms([0, 0, 0, 0]))[0] < 1


@pytest.fixture
def weights(tmp_path):
    file = tmp_path / "best_net_G.pth"
    file.write_bytes(b"one")
    return file


def flags(**more) -> argparse.Namespace:
    return argparse.Namespace(**{"epoch": "best", "crop_size": 64, "tta": False, "name": "x"} | more)


def test_a_recorded_threshold_is_read_back_and_replaced(tmp_path, weights, capsys):
    key = applied([flags()], [weights])
    chosen = keep_threshold(tmp_path, key, histograms([0.3, 0.9, 0.2, 0.1]), "data")
    assert chosen == (76 / 256, "val of data, 1 images")
    assert "mean Dice 1.0000 on val of data, 1 images" in capsys.readouterr().out
    assert kept_threshold(tmp_path, applied([flags(name="y")], [weights]), "--name y", "data")[0] == 76 / 256
    keep_threshold(tmp_path, key, histograms([0.7, 0.9, 0.2, 0.1]), "data")
    assert kept_threshold(tmp_path, key, "--name x", "data")[0] == 0.5
    assert (tmp_path / FILE).read_text().count("weights") == 1


def test_other_weights_or_flags_have_no_threshold(tmp_path, weights):
    keep_threshold(tmp_path, applied([flags()], [weights]), histograms([0.3, 0.9, 0.2, 0.1]), "data")
    keep_threshold(tmp_path, applied([flags(tta=True)], [weights]), histograms([0.7, 0.9, 0.2, 0.1]), "data")
    assert kept_threshold(tmp_path, applied([flags()], [weights]), "--name x", "data")[0] == 76 / 256
    assert kept_threshold(tmp_path, applied([flags(tta=True)], [weights]), "--name x", "data")[0] == 0.5
    for key in (applied([flags(crop_size=128)], [weights]), applied([flags(), flags(name="z")], [weights, weights])):
        with pytest.raises(UserError, match="none for these weights and flags.*--name x --epoch best --phase val"):
            kept_threshold(tmp_path, key, "--name x", "data")


def test_a_threshold_chosen_under_other_classes_does_not_hold(tmp_path, weights):
    """lungs_dark shows lungs black on white: three channels give another map of foreground than under lungs."""
    keep_threshold(
        tmp_path, applied([flags(classes="lungs_dark")], [weights]), histograms([0.3, 0.9, 0.2, 0.1]), "data"
    )
    with pytest.raises(UserError, match="none for these weights and flags"):
        kept_threshold(tmp_path, applied([flags(classes="lungs")], [weights]), "--name x", "data")


@pytest.mark.parametrize("name", ["lung", "heart"])
def test_a_threshold_holds_for_classes_of_the_same_colours_whatever_their_name(tmp_path, weights, name):
    def key(name):
        return applied([flags(classes=name)], [weights], Classes.load(name))

    keep_threshold(tmp_path, key("lungs"), histograms([0.3, 0.9, 0.2, 0.1]), "data")
    assert kept_threshold(tmp_path, key(name), "--name x", "data")[0] == 76 / 256
    with pytest.raises(UserError, match="none for these weights and flags"):
        kept_threshold(tmp_path, key("lungs_dark"), "--name x", "data")


def test_each_data_set_has_its_own_threshold_and_one_without_val_takes_the_last(tmp_path, weights):
    key = applied([flags()], [weights])
    keep_threshold(tmp_path, key, histograms([0.3, 0.9, 0.2, 0.1]), "ours")
    keep_threshold(tmp_path, key, histograms([0.7, 0.9, 0.2, 0.1]), "theirs")
    assert kept_threshold(tmp_path, key, "--name x", "ours") == (76 / 256, "val of ours, 1 images")
    assert kept_threshold(tmp_path, key, "--name x", "third") == (0.5, "val of theirs, 1 images")
    assert kept_threshold(tmp_path, key, "--name x", str(Path("ours").absolute()))[0] == 76 / 256
    keep_threshold(tmp_path, key, histograms([0.2, 0.9, 0.2, 0.1]), "./ours/")
    assert kept_threshold(tmp_path, key, "--name x", "ours")[1] == "val of ./ours/, 1 images"


def test_images_of_any_data_take_the_last_threshold_wherever_they_are_segmented(tmp_path, weights, monkeypatch):
    monkeypatch.chdir(tmp_path)
    key = applied([flags()], [weights])
    keep_threshold(tmp_path, key, histograms([0.3, 0.9, 0.2, 0.1]), ".")
    keep_threshold(tmp_path, key, histograms([0.7, 0.9, 0.2, 0.1]), "theirs")
    assert kept_threshold(tmp_path, key, "--name x", None)[0] == 0.5


def test_where_dropout_is_drawn_a_threshold_holds_for_one_seed(weights):
    one, other = (applied([argparse.Namespace(**vars(flags()) | {"samples": 2, "seed": k})], [weights]) for k in (0, 1))
    assert one != other


def test_data_without_masks_and_a_damaged_file_are_refused(tmp_path, weights):
    key = applied([flags()], [weights])
    with pytest.raises(UserError, match="no masks of two classes"):
        keep_threshold(tmp_path, key, None, "data")
    for text in ("[1]", "{", "{}"):
        (tmp_path / FILE).write_text(text)
        with pytest.raises(UserError, match="threshold.json: damaged"):
            kept_threshold(tmp_path, key, "--name x", "data")
