"""How far a mask and a network's mask of the same image disagree: by area, by distance, weighted by confidence."""

from dataclasses import dataclass
from typing import cast

import numpy as np


@dataclass(frozen=True)
class Disagreement:
    """area: the pixels in which the masks differ, each by the network's confidence in it, as a share of the larger
    mask. distance: their mean distance from the outline of the data set's mask, in pixels, weighted in the same way.
    score: the sum of confidence times distance over these pixels, as a share of the larger mask, where the distance is
    in units of the square root of this mask's area and at most 1. It ranks: a wide rim counts for more than a thin one,
    and a missing lung for more than a wide rim. dice: of the two masks, unweighted. between: the share of the area that
    lies between the middles of the two largest parts of the network's mask and below its upper third, where the heart
    is in an X-ray of the chest.
    """

    score: float
    area: float
    distance: float
    dice: float
    between: float


def disagreement(mask: np.ndarray, predicted: np.ndarray, confidence: np.ndarray, pixel: float = 1.0) -> Disagreement:
    """Compare two boolean masks [H, W]. confidence: of the network in each pixel, 0..1. pixel: its length, the unit in
    which the distance is returned."""
    from scipy.ndimage import distance_transform_edt

    size = max(np.count_nonzero(mask), np.count_nonzero(predicted))
    if size == 0:
        return Disagreement(0.0, 0.0, 0.0, 1.0, 0.0)
    differs = mask != predicted
    weight = np.where(differs, confidence, 0)
    total = float(weight.sum())
    unit = size**0.5
    if mask.any() and not mask.all():
        inside, outside = (np.asarray(distance_transform_edt(side)) for side in (mask, ~mask))
        far = np.minimum(np.maximum(inside, outside), unit)
    else:
        far = np.full(mask.shape, unit)  # no outline
    overlap = np.count_nonzero(mask & predicted)
    weighted = float((weight * far).sum())
    return Disagreement(
        score=weighted / unit / size,
        area=total / size,
        distance=pixel * weighted / total if total else 0.0,
        dice=2 * overlap / (np.count_nonzero(mask) + np.count_nonzero(predicted)),
        between=float((weight * _between(predicted)).sum()) / total if total else 0.0,
    )


def _between(predicted: np.ndarray) -> np.ndarray:
    """Where the heart is, bool [H, W]; nowhere if the mask is not in two parts, the smaller a quarter of the larger."""
    from scipy.ndimage import label

    region = np.zeros(predicted.shape, bool)
    parts, _ = cast("tuple[np.ndarray, int]", label(predicted))
    sizes = np.bincount(parts.ravel())[1:]
    if len(sizes) < 2:
        return region
    second, first = 1 + np.argsort(sizes, kind="stable")[-2:]
    if sizes[second - 1] < sizes[first - 1] / 4:
        return region
    rows = np.flatnonzero(((parts == first) | (parts == second)).any(axis=1))
    left, right = sorted(round(float(np.nonzero(parts == part)[1].mean())) for part in (first, second))
    region[rows[0] + len(rows) // 3 : rows[-1] + 1, left : right + 1] = True
    return region
