"""Scores of one image: hand-computed values, the rules for empty masks, and agreement with MONAI and smp."""

import tracemalloc

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from util.contracts import VOID
from util.score import metrics
from util.score.metrics import BINS, Counts, class_scores, confusion, counts, histogram, scores, threshold_curve

masks = arrays(bool, (7, 9))
few = settings(max_examples=30, deadline=None)


def test_pixel_counts_agree_with_hand_computed_ones():
    pred = np.array([[1, 1, 0], [0, 1, 0]], bool)
    truth = np.array([[1, 0, 0], [1, 1, 0]], bool)
    assert counts(pred, truth) == Counts(tp=2, fp=1, fn=1, tn=2)


def test_counts_leave_void_pixels_out():
    pred = np.array([1, 1, 0, 0], bool)
    truth = np.array([1, 0, 1, 0], bool)
    valid = np.array([1, 0, 1, 0], bool)
    assert counts(pred, truth, valid) == Counts(tp=1, fp=0, fn=1, tn=0)


def test_overlap_scores_agree_with_hand_computed_ones():
    s = scores(Counts(tp=6, fp=2, fn=4, tn=8))
    assert s["dice"] == pytest.approx(12 / 18)
    assert s["iou"] == pytest.approx(6 / 12)
    assert s["miou"] == pytest.approx((6 / 12 + 8 / 14) / 2)
    assert s["precision"] == pytest.approx(6 / 8)
    assert s["recall"] == pytest.approx(6 / 10)
    assert s["specificity"] == pytest.approx(8 / 10)
    assert s["accuracy"] == pytest.approx(14 / 20)


def test_two_empty_masks_overlap_perfectly_and_have_neither_precision_nor_recall():
    s = scores(Counts(0, 0, 0, 10))
    assert all(s[name] == 1 for name in ("dice", "iou", "miou", "specificity", "accuracy"))
    assert np.isnan([s["precision"], s["recall"]]).all()


@pytest.mark.parametrize(
    ("c", "undefined", "zero"),
    [(Counts(0, 3, 0, 7), "recall", "precision"), (Counts(0, 0, 3, 7), "precision", "recall")],
    ids=["truth empty", "prediction empty"],
)
def test_exactly_one_empty_mask_scores_zero_and_what_divides_by_it_is_undefined(c, undefined, zero):
    s = scores(c)
    assert [float(s[name]) for name in ("dice", "iou", zero)] == [0.0] * 3
    assert np.isnan(s[undefined])


def test_masks_that_fill_the_image_score_one():
    whole = scores(Counts(10, 0, 0, 0))
    assert np.isnan(whole.pop("specificity"))
    assert {float(x) for x in whole.values()} == {1.0}
    half = scores(Counts(5, 0, 5, 0))  # no true background: every pixel called background is wrong
    assert np.isnan(half["specificity"])
    assert half["miou"] == pytest.approx(0.25)


def test_scores_of_many_images_are_computed_at_once():
    many = scores(Counts(*np.array([[6, 2, 4, 8], [0, 0, 0, 20]]).T))
    assert many["dice"] == pytest.approx([12 / 18, 1])


@few
@given(masks, masks)
def test_dice_and_iou_agree_with_monai(pred, truth):
    from monai.metrics import compute_dice, compute_iou

    a, b = (torch.from_numpy(mask)[None, None].float() for mask in (pred, truth))
    s = scores(counts(pred, truth))
    assert s["dice"] == pytest.approx(compute_dice(a, b, ignore_empty=False).item(), abs=1e-6)
    assert s["iou"] == pytest.approx(compute_iou(a, b, ignore_empty=False).item(), abs=1e-6)


@few
@given(masks, masks)
def test_overlap_scores_agree_with_smp(pred, truth):
    import segmentation_models_pytorch as smp

    if not (pred & truth).any():  # smp has another rule for 0/0
        return
    a, b = (torch.from_numpy(mask)[None, None].long() for mask in (pred, truth))
    stats = smp.metrics.get_stats(a, b, mode="binary")
    s = scores(counts(pred, truth))
    assert s["precision"] == pytest.approx(smp.metrics.precision(*stats, reduction="micro").item(), abs=1e-6)
    assert s["recall"] == pytest.approx(smp.metrics.recall(*stats, reduction="micro").item(), abs=1e-6)
    assert s["accuracy"] == pytest.approx(smp.metrics.accuracy(*stats, reduction="micro").item(), abs=1e-6)


@few
@given(masks, masks)
def test_dice_follows_from_iou(pred, truth):
    s = scores(counts(pred, truth))
    assert s["dice"] == pytest.approx(2 * s["iou"] / (1 + s["iou"]))


def square(top: int, left: int, side: int = 10) -> np.ndarray:
    mask = np.zeros((40, 40), bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_surface_distance_of_a_shifted_square_is_the_shift():
    assert metrics.surface(square(5, 5), square(5, 5)) == (0, 0)
    hd95, assd = metrics.surface(square(5, 5), square(5, 8))  # three pixels to the right
    assert hd95 == pytest.approx(3)
    assert 1 < assd < 3  # the upper and lower sides overlap mostly


def test_surface_distance_follows_the_pixel_spacing():
    assert metrics.surface(square(5, 5), square(5, 8), spacing=(0.5, 2.0))[0] == pytest.approx(6)  # 3 pixels of width 2
    assert metrics.surface(square(5, 5), square(8, 5), spacing=(0.5, 2.0))[0] == pytest.approx(1.5)


@pytest.mark.parametrize("which", ["prediction", "truth", "both"])
def test_surface_distance_to_an_empty_mask_is_undefined(which):
    full, empty = square(5, 5), np.zeros((40, 40), bool)
    pair = {"prediction": (empty, full), "truth": (full, empty), "both": (empty, empty)}[which]
    assert np.isnan(metrics.surface(*pair)).all()


def test_the_confusion_matrix_agrees_with_a_hand_computed_one():
    truth = np.array([[0, 0, 1], [2, 2, VOID]], np.uint8)
    pred = np.array([[0, 1, 1], [2, 0, 1]], np.uint8)
    assert confusion(pred, truth, 3).tolist() == [[1, 1, 0], [0, 1, 0], [1, 0, 1]]


def test_class_scores_agree_with_hand_computed_ones():
    s = class_scores(np.array([[1, 1, 0], [0, 1, 0], [1, 0, 1]]))
    assert s["pixel_accuracy"] == pytest.approx(3 / 5)
    assert s["class_accuracy"] == pytest.approx((1 / 2 + 1 + 1 / 2) / 3)
    assert s["class_iou"] == pytest.approx([1 / 3, 1 / 2, 1 / 2])
    assert s["miou"] == pytest.approx((1 / 3 + 1 / 2 + 1 / 2) / 3)
    assert s["fwiou"] == pytest.approx((2 * 1 / 3 + 1 * 1 / 2 + 2 * 1 / 2) / 5)


def test_an_absent_class_is_left_out_and_a_falsely_predicted_one_is_not():
    absent = class_scores(np.diag([3, 3, 0]))
    assert absent["miou"] == 1
    assert np.isnan(absent["class_iou"][2])
    invented = class_scores(np.array([[3, 0, 0], [0, 2, 1], [0, 0, 0]]))
    assert invented["miou"] == pytest.approx((1 + 2 / 3 + 0) / 3)
    assert invented["class_accuracy"] == pytest.approx((1 + 2 / 3) / 2)


@few
@given(arrays(np.uint8, (6, 6), elements=st.integers(0, 1)), arrays(np.uint8, (6, 6), elements=st.integers(0, 1)))
def test_two_classes_have_the_same_scores_as_a_mask(pred, truth):
    as_classes = class_scores(confusion(pred, truth, 2))
    as_mask = scores(counts(pred == 1, truth == 1))
    assert as_classes["pixel_accuracy"] == pytest.approx(as_mask["accuracy"])
    if truth.any() and not truth.all():  # with a class missing the two conventions differ
        assert as_classes["miou"] == pytest.approx(as_mask["miou"])


def test_the_threshold_curve_of_many_images_takes_little_memory():
    histograms = np.ones((4000, 2, BINS + 1), np.uint8)
    tracemalloc.start()
    threshold_curve(histograms)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak / len(histograms) < 15e3, "bytes an image"


def test_the_threshold_curve_equals_thresholding_at_every_edge(monkeypatch):
    monkeypatch.setattr("util.score.metrics.CHUNK", 2)
    random = np.random.default_rng(0)
    # Values exactly on an edge are the hard case: a value equal to the threshold is foreground.
    values = random.integers(0, BINS + 1, (3, 8, 8)) / BINS
    values[0] = random.random((8, 8))
    truth = random.integers(0, 2, (3, 8, 8)).astype(np.uint8)
    truth[:, 0, 0] = VOID
    curve = threshold_curve(np.stack([histogram(v, t) for v, t in zip(values, truth, strict=True)]))
    for k in (0, 1, 77, 128, 255, 256):
        pairs = zip(values, truth, strict=True)
        single = [scores(counts(v >= k / BINS, t == 1, t != VOID)) for v, t in pairs]
        assert curve["threshold"][k] == k / BINS
        assert curve["dice"][k] == pytest.approx(np.mean([s["dice"] for s in single]))
        assert curve["iou"][k] == pytest.approx(np.mean([s["iou"] for s in single]))
