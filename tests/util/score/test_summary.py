"""Means over images, intervals by patient, and paired differences."""

import numpy as np
import pytest

from util.score.metrics import Counts, scores
from util.score.summary import paired_difference, summarize


def overlap(sums: np.ndarray) -> dict[str, np.ndarray]:
    return scores(Counts(*np.moveaxis(sums, -1, 0)))


def summary_of(counts: list[tuple[int, int, int, int]], patients: list[str], **extra: list[float]) -> dict:
    pooled = np.array(counts)
    values = {"dice": overlap(pooled)["dice"]} | {name: np.array(column) for name, column in extra.items()}
    return summarize(values, pooled, overlap, patients)


def test_macro_is_the_mean_of_images_and_micro_pools_pixels():
    s = summary_of([(1, 1, 0, 8), (90, 0, 10, 0)], ["a", "b"])
    assert s["macro"]["dice"] == pytest.approx((2 / 3 + 180 / 190) / 2)
    assert s["micro"]["dice"] == pytest.approx(182 / 193)
    assert (s["images"], s["patients"]) == (2, 2)


def test_an_interval_contains_the_mean_and_is_the_same_every_time():
    random = np.random.default_rng(0)
    counts = [(int(tp), 10, 10, 100) for tp in random.integers(20, 90, 30)]
    one, two = (summary_of(counts, [str(i) for i in range(30)]) for _ in range(2))
    low, high = one["interval"]["macro"]["dice"]
    assert low < one["macro"]["dice"] < high
    assert one == two


def test_an_interval_agrees_with_scipys_bootstrap():
    from scipy.stats import bootstrap

    values = np.random.default_rng(1).beta(20, 2, 40)
    s = summarize({"dice": values}, np.ones((40, 4)), overlap, [str(i) for i in range(40)])
    theirs = bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(2))
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert s["interval"]["macro"]["dice"] == pytest.approx(theirs.confidence_interval, abs=0.1 * width)


def test_images_of_one_patient_are_drawn_together():
    counts = [(50, 10, 10, 100), (90, 2, 2, 100)] * 10
    apart = summary_of(counts, [str(i) for i in range(20)])["interval"]["macro"]["dice"]
    # Each of ten patients has a poor and a good image, so every draw of patients has the same mean.
    paired = summary_of(counts, [str(i // 2) for i in range(20)])["interval"]["macro"]["dice"]
    assert paired[1] - paired[0] == pytest.approx(0, abs=1e-12)
    assert apart[1] - apart[0] > 0.02


def test_undefined_values_are_left_out_and_counted():
    s = summary_of([(1, 0, 0, 1)] * 3, ["a", "b", "c"], hd95_px=[2.0, np.nan, 4.0])
    assert s["macro"]["hd95_px"] == 3.0
    assert s["undefined"] == {"hd95_px": 1}


def test_a_score_undefined_for_every_image_has_no_mean():
    s = summary_of([(0, 0, 5, 1)] * 2, ["a", "b"], hd95_px=[np.nan, np.nan])
    assert s["macro"]["hd95_px"] is None
    assert s["interval"]["macro"]["hd95_px"] is None


def test_a_paired_test_detects_a_small_gain_on_every_image():
    """The images differ far more from each other than the two networks do."""
    reference = np.linspace(0.5, 0.95, 20)
    gain = 0.01 + 0.001 * np.arange(20)
    found = paired_difference(reference + gain, reference, [str(i) for i in range(20)])
    assert found["mean"] == pytest.approx(0.0195)
    assert (found["better"], found["worse"]) == (20, 0)
    assert 0.01 < found["interval"][0] < 0.0195 < found["interval"][1] < 0.029
    assert found["p"] == pytest.approx(2 / 2**20)  # two of all 2^20 combinations of signs


def test_the_paired_test_counts_a_patient_with_many_images_once():
    """With two patients p is at least 1/2, however many images they have."""
    found = paired_difference([0.9] * 9 + [0.8], [0.5] * 10, ["a"] * 9 + ["b"])
    assert found["p"] == 0.5
    assert found["mean"] == pytest.approx(0.39)
    assert found["interval"] == pytest.approx([0.3, 0.4])


def test_equal_scores_have_no_difference_and_p_is_1():
    found = paired_difference([0.9, 0.8], [0.9, 0.8], ["a", "b"])
    assert found == {"mean": 0, "interval": [0, 0], "p": 1, "better": 0, "worse": 0}
