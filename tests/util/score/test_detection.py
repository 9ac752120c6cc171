"""Detection: images with and without a finding, counted by hand."""

import numpy as np
import pytest

from util.score.detection import detection, image_score


def row(tp: int, fp: int, fn: int, score: float, patient: str) -> dict:
    return {
        "tp": tp,
        "fp": fp,
        "fn": fn,
        "image_score": score,
        "patient": patient,
        "dice": 2 * tp / (2 * tp + fp + fn) if tp + fp + fn else 1.0,
    }


ROWS = [
    row(6, 2, 2, 0.9, "a"),  # detected, Dice .75
    row(0, 0, 8, 0.3, "b"),  # missed, Dice 0
    row(0, 0, 0, 0.1, "c"),  # rightly empty: 1
    row(0, 5, 0, 0.6, "d"),  # a false alarm: 0
    row(0, 0, 0, 0.3, "e"),  # rightly empty: 1
]


def test_detection_scores_agree_with_hand_computed_ones():
    found = detection(ROWS)
    assert (found["positives"], found["negatives"]) == (2, 3)
    assert found["dice_positives"] == pytest.approx(0.75 / 2)
    assert found["dice_all"] == pytest.approx(2.75 / 5)
    assert found["sensitivity"] == 1 / 2
    assert found["specificity"] == pytest.approx(2 / 3)
    assert found["auc"] == pytest.approx((3 + 1.5) / 6)  # .9 beats all three; .3 beats .1 and ties with .3
    for name, (low, high) in found["interval"].items():
        assert 0 <= low <= found[name] <= high <= 1


def test_detection_needs_images_with_and_without_foreground():
    assert detection(ROWS[:2]) is None
    assert detection(ROWS[2:]) is None


def test_images_of_one_patient_are_drawn_together():
    # Every patient has the same three images, so every draw of patients gives the same scores.
    alike = [dict(r, patient=f"p{i}") for i in range(6) for r in (ROWS[0], ROWS[1], ROWS[3])]
    found = detection(alike)
    for name, (low, high) in found["interval"].items():
        assert low == pytest.approx(found[name])
        assert high == pytest.approx(found[name])


def test_the_image_score_is_the_mean_of_the_highest_thousandth():
    values = np.zeros((40, 50))
    values[3, 4], values[20, 7], values[1, 1] = 0.9, 0.5, 0.4
    assert image_score(values) == pytest.approx(0.7)
    assert image_score(np.array([[0.2, 0.3]])) == pytest.approx(0.3)
