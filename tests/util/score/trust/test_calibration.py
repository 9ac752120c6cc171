import numpy as np
import pytest

from util.score.trust import calibration
from util.show.trust import curve


def test_the_error_of_a_picture_is_what_one_computes_by_hand():
    values = np.array([[0.1, 0.1, 0.1, 0.1], [0.9, 0.9, 0.9, 0.9]])
    right = np.array([[0, 0, 0, 1], [1, 1, 0, 0]], bool)
    # One in four of the first bin is foreground where 0.1 says one in ten; two in four of the other instead of 0.9.
    assert calibration.error(calibration.count(values, right)) == pytest.approx((4 * 0.15 + 4 * 0.4) / 8)


def test_a_value_of_one_belongs_to_the_last_bin_and_a_perfect_mask_has_no_error():
    mask = np.array([0.0, 1.0, 1.0])
    counts = calibration.count(mask, mask == 1)
    assert counts[-1].tolist() == [2, 2, 2]
    assert calibration.error(counts) == 0


def test_a_set_has_the_mean_of_its_images_and_the_error_of_all_pixels():
    first = calibration.count(np.full(10, 0.5), np.arange(10) < 10)  # off by +0.5
    other = calibration.count(np.full(10, 0.5), np.arange(10) < 0)  # off by -0.5
    found = calibration.of_set(np.stack([first, other]))
    assert found["ece"] == {"mean": pytest.approx(0.5), "pooled": pytest.approx(0)}
    assert found["curve"] == [{"pixels": 1.0, "value": 0.5, "right": 0.5}]


def test_a_set_in_which_no_pixel_counts_has_no_error():
    nothing = calibration.count(np.array([]), np.array([], bool))
    assert calibration.of_set(nothing[None]) == {
        "bins": calibration.BINS,
        "ece": {"mean": None, "pooled": None},
        "curve": [],
    }


def test_the_curve_has_a_dot_for_every_bin_with_pixels():
    bins = [{"pixels": 0.75, "value": 0.0, "right": 0.0}, {"pixels": 0.25, "value": 1.0, "right": 0.5}]
    svg = curve(bins, ("value", "share"))
    assert svg.count("<circle") == 2
    assert 'cx="40.0" cy="230.0"' in svg  # at the origin
    assert 'cx="260.0" cy="120.0"' in svg  # at the right end, halfway up
