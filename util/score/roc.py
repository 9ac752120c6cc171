"""The area under the ROC curve: how well a value separates positive from negative cases."""

import numpy as np


def auroc(values: np.ndarray, positive: np.ndarray, weights: np.ndarray | None = None) -> np.ndarray:
    """The share of pairs of a positive and a negative case in which the positive one has the higher value.

    A tie counts half. values [N], positive bool [N]. weights [..., N]: how often each case counts, once by default.
    Returns [...], NaN where one of the two kinds is missing.
    """
    order = np.argsort(values)
    weights = (np.ones(len(values)) if weights is None else weights)[..., order]
    starts = np.flatnonzero(np.diff(values[order], prepend=-np.inf))  # equal values are summed up: they are ties
    positives = np.add.reduceat(weights * positive[order], starts, axis=-1)
    negatives = np.add.reduceat(weights * ~positive[order], starts, axis=-1)
    return _area(positives, negatives)


def auroc_of_pixels(values: np.ndarray, positive: np.ndarray) -> float:
    """`auroc` of values [N] from 0 on, rounded to half floats, which keep three digits.

    An X-ray has ten million pixels: counting 65,536 possible values takes a fraction of the time of sorting them.
    """
    # Read as whole numbers, the bits of half floats from 0 on have the same order as the floats.
    bins = values.astype(np.float16).view(np.uint16)
    both = np.bincount(bins)
    positives = np.bincount(bins[positive], minlength=len(both))
    return float(_area(positives, both - positives))


def _area(positives: np.ndarray, negatives: np.ndarray) -> np.ndarray:
    """positives, negatives [..., B]: how many cases of each kind have each of B values, by rising value."""
    below = negatives.cumsum(-1) - negatives / 2
    pairs = positives.sum(-1) * negatives.sum(-1)
    return np.divide((positives * below).sum(-1), pairs, out=np.full(np.shape(pairs), np.nan), where=pairs > 0)
