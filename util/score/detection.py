"""Is there anything? Images with and without foreground, told apart by their masks and by their maps."""

from collections.abc import Mapping, Sequence

import numpy as np

from util.score.summary import draw_patients, interval, owners, summarize

TOP = 1000  # one pixel in so many


def image_score(values: np.ndarray) -> float:
    """How sure a map of foreground values 0..1 is that there is foreground: the mean of its highest thousandth.

    Steadier than the one highest pixel, and no larger than small findings: 95 % of the pneumothoraces of SIIM-ACR take
    more than a thousandth of their image.
    """
    values = values.ravel()
    most = max(1, len(values) // TOP)
    return float(np.partition(values, -most)[-most:].mean(dtype=np.float64))


def detection(rows: Sequence[Mapping[str, object]]) -> dict | None:
    """Image-level scores of rows with tp, fp, fn, dice, image_score, patient; None unless there are images of both
    kinds, with foreground in the truth (positives) and without.

    An image counts as found if its mask has any foreground: sensitivity and specificity. auc: how often a positive
    image's score is above a negative one's. dice_positives: mean over the positives; dice_all: over all images, 1 where
    truth and mask are both empty, 0 where one is. Each with a 95 % interval, by bootstrap over patients.
    """
    tp, fp, fn, dice, score = (
        np.array([row[n] for row in rows], float) for n in ("tp", "fp", "fn", "dice", "image_score")
    )
    positive, found = tp + fn > 0, tp + fp > 0
    if positive.all() or not positive.any():
        return None
    values = {
        "dice_positives": np.where(positive, dice, np.nan),
        "dice_all": dice,
        "sensitivity": np.where(positive, found, np.nan),
        "specificity": np.where(positive, np.nan, ~found),
    }
    patients = [row["patient"] for row in rows]
    means = summarize(values, np.zeros((len(rows), 0)), lambda sums: {}, patients)
    owner, count = owners(patients)
    draws = np.concatenate([auc(score, positive, weights[:, owner]) for weights in draw_patients(count)])
    return {
        "positives": int(positive.sum()),
        "negatives": int((~positive).sum()),
        **means["macro"],
        "auc": float(auc(score, positive)),
        "interval": means["interval"]["macro"] | {"auc": interval(draws)},
    }


def auc(score: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """Area under the ROC curve of scores [N], positive bool [N]: the share of pairs of a positive and a negative image
    in which the positive one scores higher, ties counting half.

    weights [..., N]: how often each image counts; returns [...], NaN where one kind is missing.
    """
    order = np.argsort(score)
    weights = (np.ones(len(score)) if weights is None else weights)[..., order]
    starts = np.flatnonzero(np.diff(score[order], prepend=-np.inf))
    yes = np.add.reduceat(weights * positive[order], starts, axis=-1)
    no = np.add.reduceat(weights * ~positive[order], starts, axis=-1)
    below = no.cumsum(-1) - no / 2
    pairs = yes.sum(-1) * no.sum(-1)
    return np.divide((yes * below).sum(-1), pairs, out=np.full(np.shape(pairs), np.nan), where=pairs > 0)
