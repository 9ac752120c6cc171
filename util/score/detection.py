"""Detection: does an image have any foreground? Scores of masks, and of the maps that they were cut from."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from util.score.roc import auroc
from util.score.summary import draw_patients, interval, owners, summarize

TOP = 1000  # one pixel in a thousand decides an image's score


def image_score(values: np.ndarray) -> float:
    """How sure a map of foreground values 0..1 is that the image has foreground: the mean of its highest thousandth.

    The mean is steadier than the single highest pixel. A thousandth is small enough for small findings: 95 % of the
    pneumothoraces of SIIM-ACR cover more than that.
    """
    values = values.ravel()
    most = max(1, len(values) // TOP)
    return float(np.partition(values, -most)[-most:].mean(dtype=np.float64))


def detection(rows: Sequence[Mapping[str, Any]]) -> dict | None:
    """Image-level scores of rows with tp, fp, fn, dice, image_score and patient.

    Positives are images whose ground truth has foreground, negatives those without; None unless there are both. A mask
    with any foreground counts as a detection: that gives sensitivity and specificity. auc: how often the image_score of
    a positive is above that of a negative. dice_positives: mean over the positives. dice_all: mean over all images;
    an image scores 1 where truth and mask are both empty, and 0 where one of them is. Each score has a 95 % interval by
    bootstrap over patients.
    """
    tp, fp, fn, dice, score = (
        np.array([row[name] for row in rows], float) for name in ("tp", "fp", "fn", "dice", "image_score")
    )
    positive, detected = tp + fn > 0, tp + fp > 0
    if positive.all() or not positive.any():
        return None
    values = {
        "dice_positives": np.where(positive, dice, np.nan),
        "dice_all": dice,
        "sensitivity": np.where(positive, detected, np.nan),
        "specificity": np.where(positive, np.nan, ~detected),
    }
    patients = [row["patient"] for row in rows]
    means = summarize(values, np.zeros((len(rows), 0)), lambda sums: {}, patients)  # no pixels to pool
    owner, count = owners(patients)
    draws = np.concatenate([auroc(score, positive, weights[:, owner]) for weights in draw_patients(count)])
    return {
        "positives": int(positive.sum()),
        "negatives": int((~positive).sum()),
        **means["macro"],
        "auc": float(auroc(score, positive)),
        "interval": means["interval"]["macro"] | {"auc": interval(draws)},
    }
