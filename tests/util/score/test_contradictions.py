"""Rows of scores that cannot all be true are flagged, and possible rows never are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from util.score.contradictions import contradictions
from util.score.metrics import Counts, scores


def overlap(sums: np.ndarray) -> dict[str, np.ndarray]:
    return scores(Counts(*np.moveaxis(sums, -1, 0)))


# Rows as they were published. The comments work out what is wrong.
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
    # Half of the images are empty and score 1, so a macro Dice just above its IoU is possible.
    "pneumothorax": {"iou": 0.7692, "dice": 0.7881},
}


@pytest.mark.parametrize("name", IMPOSSIBLE)
def test_impossible_rows_are_flagged(name):
    assert contradictions(IMPOSSIBLE[name])


@pytest.mark.parametrize("name", POSSIBLE)
def test_possible_rows_are_not_flagged(name):
    assert contradictions(POSSIBLE[name]) == []


def test_pooled_dice_and_iou_must_agree_exactly():
    row = {"iou": 0.7692, "dice": 0.7881}  # pooled over pixels, IoU .7692 means Dice .8695
    assert contradictions(row, averaging="micro")
    assert contradictions({"iou": 0.7692, "dice": 0.8695}, averaging="micro", rounding=5e-5) == []


def test_the_message_names_the_numbers_and_the_allowed_range():
    (message,) = contradictions({"dice": 0.80, "iou": 0.85}, rounding=0)
    assert "dice 0.8 " in message
    assert "IoU 0.85" in message
    assert "0.85 to 0.9189" in message


image = st.tuples(*[st.integers(0, 40)] * 4).filter(lambda c: sum(c) > 0)


@settings(max_examples=200, deadline=None)
@given(st.lists(image, min_size=1, max_size=6))
def test_scores_of_real_counts_are_never_flagged(images):
    pooled = np.array(images, dtype=float)
    shares = (pooled[:, 0] + pooled[:, 2]) / pooled.sum(1)
    macro = {name: float(values.mean()) for name, values in overlap(pooled).items()}
    total = pooled.sum(0)
    micro = {name: float(value) for name, value in overlap(total).items()}
    assert contradictions(macro | {"foreground": float(shares.mean())}, rounding=1e-9) == []
    share = {"foreground": (total[0] + total[2]) / total.sum()}
    assert contradictions(micro | share, "micro", rounding=1e-9) == []
