"""Calibration: of the pixels with a value of about v, is a share v foreground?

A generator's output is a brightness that was trained to look like a mask. Nothing makes it a probability; the error and
the curve show how far it is from one. With more than two classes the value is how sure the nearest colour is, and the
question is how often it is the right one.
"""

import numpy as np

BINS = 15
"""Bins of equal width, as many as in Guo et al. 2017 (arXiv 1706.04599)."""


def count(values: np.ndarray, right: np.ndarray) -> np.ndarray:
    """float64 [BINS, 3]: the pixels in each bin of the values, the sum of their values, how many of them are right.

    values: 0..1, of the pixels that count. right: bool, of the same shape: foreground, or the right class.
    """
    values = values.ravel()
    bins = np.minimum((values * BINS).astype(np.intp), BINS - 1)
    weights = (None, values, right.ravel())
    return np.stack([np.bincount(bins, weight, BINS) for weight in weights], axis=1).astype(np.float64)


def error(counts: np.ndarray) -> np.ndarray:
    """The expected calibration error, 0..1, of counts [..., BINS, 3]: the distance of mean value and share of right
    pixels in a bin, averaged over the pixels. NaN without pixels."""
    pixels, values, right = np.moveaxis(counts, -1, 0)
    total = pixels.sum(-1)
    return np.where(total > 0, np.abs(values - right).sum(-1) / np.where(total > 0, total, 1), np.nan)


def of_set(counts: np.ndarray) -> dict:
    """The part of metrics.json about the counts of all images, [N, BINS, 3]: the error as a mean over images and of
    all pixels together, and for each bin with pixels its share of all pixels, their mean value, the share of right
    ones."""
    errors, total = error(counts), counts.sum(0)
    filled = total[total[:, 0] > 0]
    shares = np.stack([filled[:, 0] / total[:, 0].sum(), filled[:, 1] / filled[:, 0], filled[:, 2] / filled[:, 0]], 1)
    names = ("pixels", "value", "right")
    return {
        "bins": BINS,
        "ece": {
            "mean": None if np.isnan(errors).all() else float(np.nanmean(errors)),
            "pooled": None if not len(filled) else float(error(total)),
        },
        "curve": [dict(zip(names, map(float, row), strict=True)) for row in shares],
    }
