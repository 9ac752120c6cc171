"""Uncertainty of an image and of a set, and whether it points at the errors."""

import numpy as np
import pytest
import torch

from util.contracts import VOID
from util.score.evaluate import evaluate
from util.score.uncertainty import as_picture, of_image, of_set


def test_void_pixels_do_not_count_for_uncertainty():
    picture = as_picture(torch.tensor([[[0.5, 0.1, 0.3]]]))
    labels, truth = np.array([[1, 1, 0]], np.uint8), np.array([[VOID, 1, 1]], np.uint8)
    row = of_image(picture, labels, truth)
    whole, share = pytest.approx(0.2), pytest.approx(0.4)
    assert row == {"uncertainty": whole, "uncertainty_relative": share, "uncertainty_auroc": 1}
    unscored = of_image(picture, labels, None)
    assert unscored == {"uncertainty": pytest.approx(0.3), "uncertainty_relative": pytest.approx(0.45)}
    assert of_image(picture, labels, None, binary=False) == {"uncertainty": pytest.approx(0.3)}
    assert np.isnan(of_image(picture, labels * 0, None)["uncertainty_relative"]), (
        "undefined without predicted foreground"
    )
    assert all(np.isnan(x) for x in of_image(picture, labels, np.full((1, 3), VOID, np.uint8)).values())


def test_rank_correlations_of_a_set_agree_with_hand_computed_ones():
    rows = [
        {"uncertainty": u, "uncertainty_relative": r, "uncertainty_auroc": a, "dice": d}
        for u, r, a, d in (
            (0.1, 0.4, 0.9, 0.95),
            (0.2, np.nan, np.nan, 0.9),
            (0.4, 0.2, 0.7, 0.5),
            (0.3, 0.1, 0.8, 0.2),
        )
    ]
    found = of_set(rows, "dice")
    # Ranks 1 2 4 3 against 1 2 3 4: 1 - 6 * (1 + 1) / (4 * 15).
    assert found["spearman"] == pytest.approx(0.8)
    assert 0 < found["spearman_p"] < 1
    assert found["relative_spearman"] == -1
    assert found["mean"] == pytest.approx(0.25)
    assert found["pixel_auroc"] == pytest.approx(0.8)
    assert found["pixel_auroc_images"] == 3


def test_a_rank_correlation_of_equal_values_is_none():
    row = {"uncertainty": 0.0, "uncertainty_auroc": np.nan, "dice": 0.9}
    found = of_set([row] * 5, "dice")
    assert found["spearman"] is None
    assert found["pixel_auroc"] is None
    assert of_set([{"uncertainty": 0.25}]) == {"mean": 0.25}


def test_uncertainty_is_measured_at_the_original_size(pictures, echo):
    """The uncertain half of the picture holds all errors; the ground truth is larger than the network's output."""
    truth = np.zeros((8, 8), np.uint8)
    output = np.full((1, 4, 4), -1, np.float32)
    output[0, :, 2:] = 1

    class Doubtful(type(echo)):
        def companions(self, batch):
            return {"uncertainty": as_picture((batch["A"] + 1) / 8)}

    found = evaluate(Doubtful(), pictures([output], [truth]).loader(), on_image=lambda image: None)
    assert found.rows[0]["uncertainty"] == pytest.approx(0.125)
    assert found.rows[0]["uncertainty_auroc"] > 0.95
    assert found.summary["uncertainty"]["pixel_auroc"] == found.rows[0]["uncertainty_auroc"]
    assert "uncertainty" not in found.columns
