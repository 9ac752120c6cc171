"""Means, intervals by patient, and rows of numbers that cannot be true."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from util.score.metrics import Counts, scores
from util.score.summary import contradictions, paired_difference, summarize


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


def test_interval_surrounds_the_mean_and_is_the_same_every_time():
    random = np.random.default_rng(0)
    counts = [(int(tp), 10, 10, 100) for tp in random.integers(20, 90, 30)]
    one, two = (summary_of(counts, [str(i) for i in range(30)]) for _ in range(2))
    low, high = one["interval"]["macro"]["dice"]
    assert low < one["macro"]["dice"] < high
    assert one == two


def test_interval_agrees_with_scipy():
    from scipy.stats import bootstrap

    values = np.random.default_rng(1).beta(20, 2, 40)
    s = summarize({"dice": values}, np.ones((40, 4)), overlap, [str(i) for i in range(40)])
    theirs = bootstrap((values,), np.mean, n_resamples=2000, method="percentile", rng=np.random.default_rng(2))
    width = theirs.confidence_interval.high - theirs.confidence_interval.low
    assert s["interval"]["macro"]["dice"] == pytest.approx(theirs.confidence_interval, abs=0.1 * width)


def test_images_of_one_patient_are_drawn_together():
    counts = [(50, 10, 10, 100), (90, 2, 2, 100)] * 10
    apart = summary_of(counts, [str(i) for i in range(20)])["interval"]["macro"]["dice"]
    # Ten patients with a poor and a good image each: every draw of patients has the same mean.
    paired = summary_of(counts, [str(i // 2) for i in range(20)])["interval"]["macro"]["dice"]
    assert paired[1] - paired[0] == pytest.approx(0, abs=1e-12)
    assert apart[1] - apart[0] > 0.02


def test_undefined_values_are_counted_not_hidden():
    s = summary_of([(1, 0, 0, 1)] * 3, ["a", "b", "c"], hd95_px=[2.0, np.nan, 4.0])
    assert s["macro"]["hd95_px"] == 3.0
    assert s["undefined"] == {"hd95_px": 1}


def test_a_score_undefined_everywhere_has_no_mean():
    s = summary_of([(0, 0, 5, 1)] * 2, ["a", "b"], hd95_px=[np.nan, np.nan])
    assert s["macro"]["hd95_px"] is None
    assert s["interval"]["macro"]["hd95_px"] is None


# Rows as published; what is wrong with each is worked out in the comment.
IMPOSSIBLE = {
    "IoU above Dice": {"dice": 0.80, "iou": 0.85},
    # Dice .91 needs IoU >= .835; and precision .84, recall .91 allow Dice .874 at most.
    "Dice and IoU both .91": {"iou": 0.91, "accuracy": 0.91, "precision": 0.84, "recall": 0.91, "dice": 0.91},
    # A quarter of the pixels is lung and 2.3 % of the pixels are wrong: nine tenths of the lung must be found.
    "Dice .02 at accuracy .98": {"accuracy": 0.977, "dice": 0.0230, "foreground": 0.26},
    "Dice above what its IoU allows": {"dice": 0.95, "iou": 0.80},
    "Dice above accuracy's reach": {"dice": 0.9, "accuracy": 0.7},
}
POSSIBLE = {
    "CycleGAN 120 epochs": {"iou": 0.908, "accuracy": 0.97, "precision": 0.94, "recall": 0.96, "dice": 0.95},
    "ResNet101 U-Net": {"iou": 0.8850, "dice": 0.9388},
    "VGG16 U-Net": {"accuracy": 0.975, "dice": 0.950, "foreground": 0.26},
    # Half the images empty and scored 1: a macro Dice hardly above its IoU is possible.
    "pneumothorax": {"iou": 0.7692, "dice": 0.7881},
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_rows_that_cannot_be_are_flagged(name):
    assert contradictions(IMPOSSIBLE[name])


@pytest.mark.parametrize("name", POSSIBLE)
def test_rows_that_can_be_are_not_flagged(name):
    assert contradictions(POSSIBLE[name]) == []


def test_pooled_scores_must_agree_exactly():
    row = {"iou": 0.7692, "dice": 0.7881}  # pooled over pixels, IoU .7692 is Dice .8695 and nothing else
    assert contradictions(row, averaging="micro")
    assert contradictions({"iou": 0.7692, "dice": 0.8695}, averaging="micro", rounding=5e-5) == []


def test_the_message_names_the_numbers_and_what_would_be_allowed():
    (message,) = contradictions({"dice": 0.80, "iou": 0.85}, rounding=0)
    assert "dice 0.8 " in message
    assert "IoU 0.85" in message
    assert "0.85 to 0.9189" in message


def test_a_small_gain_on_every_image_is_seen_in_pairs():
    """Images differ far more than the two networks do."""
    reference = np.linspace(0.5, 0.95, 20)
    gain = 0.01 + 0.001 * np.arange(20)
    found = paired_difference(reference + gain, reference, [str(i) for i in range(20)])
    assert found["mean"] == pytest.approx(0.0195)
    assert (found["better"], found["worse"]) == (20, 0)
    assert 0.01 < found["interval"][0] < 0.0195 < found["interval"][1] < 0.029
    assert found["p"] == pytest.approx(2 / 2**20)  # of all signs that 20 ranks can have


def test_a_patient_with_many_images_counts_once_in_the_test():
    """Two patients, however many images: the least p there can be is 1/2."""
    found = paired_difference([0.9] * 9 + [0.8], [0.5] * 10, ["a"] * 9 + ["b"])
    assert found["p"] == 0.5
    assert found["mean"] == pytest.approx(0.39)
    assert found["interval"] == pytest.approx([0.3, 0.4])


def test_the_same_scores_differ_in_nothing():
    found = paired_difference([0.9, 0.8], [0.9, 0.8], ["a", "b"])
    assert found == {"mean": 0, "interval": [0, 0], "p": 1, "better": 0, "worse": 0}


image = st.tuples(*[st.integers(0, 40)] * 4).filter(lambda c: sum(c) > 0)


@settings(max_examples=200, deadline=None)
@given(st.lists(image, min_size=1, max_size=6))
def test_no_true_result_is_ever_flagged(images):
    pooled = np.array(images, dtype=float)
    shares = (pooled[:, 0] + pooled[:, 2]) / pooled.sum(1)
    macro = {name: float(values.mean()) for name, values in overlap(pooled).items()}
    total = pooled.sum(0)
    micro = {name: float(value) for name, value in overlap(total).items()}
    assert contradictions(macro | {"foreground": float(shares.mean())}, rounding=1e-9) == []
    share = {"foreground": (total[0] + total[2]) / total.sum()}
    assert contradictions(micro | share, "micro", rounding=1e-9) == []
