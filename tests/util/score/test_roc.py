"""The area under the ROC curve by hand, and as the share of pairs in the right order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from util.score.roc import auroc, auroc_of_pixels


@pytest.mark.parametrize("area", [auroc, auroc_of_pixels])
def test_the_area_agrees_with_a_hand_computed_one(area):
    """Two positives among five: 0.3 beats all three negatives, 0.1 beats one and ties with one."""
    values = np.array([0.3, 0.1, 0.1, 0.2, 0.0])
    positive = np.array([True, True, False, False, False])
    assert area(values, positive) == pytest.approx((3 + 1.5) / 6)
    assert area(-values + 0.5, positive) == pytest.approx(1.5 / 6)
    assert area(np.zeros(5), positive) == 0.5
    assert np.isnan(area(values, np.ones(5, bool)))
    assert np.isnan(area(values, np.zeros(5, bool)))


def test_weights_count_a_case_as_often_as_they_say():
    score, positive = np.array([0.1, 0.4, 0.4, 0.8]), np.array([False, True, False, True])
    assert auroc(score, positive) == pytest.approx((1.5 + 2) / 4)
    weights = np.array([[1, 2, 0, 1], [1, 0, 1, 0]])
    one, none = auroc(score, positive, weights)
    assert one == auroc(score[[0, 1, 1, 3]], positive[[0, 1, 1, 3]]) == 1
    assert np.isnan(none)


@pytest.mark.parametrize("area", [auroc, auroc_of_pixels])
@given(st.lists(st.tuples(st.integers(0, 64), st.booleans()), min_size=1, max_size=60))
def test_the_area_is_the_share_of_pairs_in_the_right_order(area, cases):
    values, positive = np.array([v for v, _ in cases]) / 128, np.array([p for _, p in cases])
    pairs = np.sign(values[positive][:, None] - values[~positive][None])
    expected = (pairs / 2 + 0.5).mean() if pairs.size else np.nan
    assert area(values, positive) == pytest.approx(expected, nan_ok=True)


def test_half_floats_keep_the_order_of_values_far_below_a_percent():
    assert auroc_of_pixels(np.array([1e-4, 2e-4]), np.array([False, True])) == 1
