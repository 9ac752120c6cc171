"""Dice and IoU of training steps."""

from types import SimpleNamespace

import pytest
import torch

from data.classes import Classes
from util.score.running import RunningScores


def dataset(classes="lungs", paired=True):
    return SimpleNamespace(classes=Classes.load(classes) if classes else None, paired=paired)


def rows(*values):
    """One image for each row of foreground values, like the output of a generator with one channel."""
    return torch.tensor(values)[:, None, None, :] * 2 - 1


def test_means_are_over_images_not_over_pixels_or_steps():
    scores = RunningScores(dataset())
    truth = rows([1.0, 1, 0, 0], [1, 0, 0, 0])
    scores.add({"fake_B": rows([1.0, 1, 0, 0], [0.9, 0.6, 0.1, 0.2]), "real_B": truth})  # Dice 1 and 2/3
    scores.add({"fake_B": rows([0.0, 0, 0, 0]), "real_B": rows([0.0, 0, 0, 1])})  # empty mask: 0
    assert scores.means() == {
        "train_dice": pytest.approx((1 + 2 / 3 + 0) / 3),
        "train_iou": pytest.approx((1 + 1 / 2 + 0) / 3),
    }
    assert scores.means() == {}  # the next epoch starts empty


def test_an_empty_mask_of_an_empty_target_scores_one():
    scores = RunningScores(dataset())
    scores.add({"fake_B": rows([0.0, 0.4]), "real_B": rows([0.0, 0.0])})
    assert scores.means() == {"train_dice": 1, "train_iou": 1}


def test_the_output_is_cut_at_the_given_threshold():
    scores = RunningScores(dataset(), threshold=0.03)
    scores.add({"fake_B": rows([0.03, 0.02]), "real_B": rows([1.0, 0.0])})
    assert scores.means()["train_dice"] == 1


def test_dark_lungs_in_colour_count_as_foreground():
    scores = RunningScores(dataset("lungs_dark"))
    image = -rows([1.0, 0.0]).expand(-1, 3, -1, -1)  # black, then white
    scores.add({"fake_B": image, "real_B": image})
    assert scores.means()["train_dice"] == 1


@pytest.mark.parametrize("data", [dataset(paired=False), dataset(classes=None), dataset(classes="facades")])
def test_data_without_a_ground_truth_of_two_classes_has_no_scores(data):
    scores = RunningScores(data)
    scores.add({"fake_B": torch.zeros(1, 3, 2, 2), "real_B": torch.zeros(1, 3, 2, 2)})
    assert scores.means() == {}


def test_a_model_without_pictures_has_no_scores():
    scores = RunningScores(dataset())
    scores.add({})
    assert scores.means() == {}


def test_a_step_never_waits_for_the_device():
    scores, pictures = RunningScores(dataset()), {"fake_B": rows([1.0, 0.0]), "real_B": rows([1.0, 0.0])}
    scores.add({name: image.to("meta") for name, image in pictures.items()})  # has no values to wait for
    with pytest.raises(NotImplementedError):
        scores.means()
