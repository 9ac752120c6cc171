"""Scores of one mask or of many: overlap, surface distance, classes, thresholds.

Every overlap score of a two-class mask derives from four pixel counts. All functions are plain numpy, except for
MONAI's surface distances, and take arrays of many images at once where that makes sense.
"""

import warnings
from typing import NamedTuple

import numpy as np

from util.contracts import VOID

SCORES = ("dice", "iou", "miou", "precision", "recall", "specificity", "accuracy")
BINS = 256  # a power of two, so that `value * BINS` is exact and bin edges are exact thresholds
CHUNK = 500  # images at a time: the counts of every threshold for all images would take 36 KB an image


class Counts(NamedTuple):
    """Pixel counts with the foreground as the positive class: numbers for one image, or arrays for many."""

    tp: int | np.ndarray
    fp: int | np.ndarray
    fn: int | np.ndarray
    tn: int | np.ndarray


def counts(pred: np.ndarray, truth: np.ndarray, valid: np.ndarray | None = None) -> Counts:
    """Compare two boolean masks of one shape, pixel by pixel; pixels where `valid` is False are left out."""
    if valid is not None:
        pred, truth = pred[valid], truth[valid]
    tp = int(np.count_nonzero(pred & truth))
    predicted, actual = int(np.count_nonzero(pred)), int(np.count_nonzero(truth))
    return Counts(tp, predicted - tp, actual - tp, pred.size - predicted - actual + tp)


def scores(c: Counts) -> dict[str, np.ndarray]:
    """Scores in 0..1 from pixel counts, elementwise, float64.

    Dice and IoU of two empty masks are 1. `iou` is the IoU of the foreground, `miou` the mean of foreground and
    background. Where there is nothing to count, a score is undefined, NaN: precision if no pixel is predicted, recall
    if the ground truth is empty, specificity if it fills the image, accuracy without pixels.
    """
    tp, fp, fn, tn = (np.asarray(x, dtype=np.float64) for x in c)
    wrong = fp + fn
    iou = _share(tp, tp + wrong, empty=1)
    return {
        "dice": _share(2 * tp, 2 * tp + wrong, empty=1),
        "iou": iou,
        "miou": (iou + _share(tn, tn + wrong, empty=1)) / 2,
        "precision": _share(tp, tp + fp, empty=np.nan),
        "recall": _share(tp, tp + fn, empty=np.nan),
        "specificity": _share(tn, tn + fp, empty=np.nan),
        "accuracy": _share(tp + tn, tp + tn + wrong, empty=np.nan),
    }


def _share(part: np.ndarray, whole: np.ndarray, empty: float) -> np.ndarray:
    return np.where(whole > 0, part / np.where(whole > 0, whole, 1), empty)


def surface(pred: np.ndarray, truth: np.ndarray, spacing: tuple[float, float] = (1.0, 1.0)) -> tuple[float, float]:
    """Distances between the outlines of two boolean masks [H, W]: (HD95, ASSD), by MONAI.

    Their unit is that of `spacing`, the height and width of a pixel. HD95 is the larger of the two directed 95th
    percentiles, ASSD the symmetric mean. Both are NaN (undefined) where a mask is empty.
    """
    if not pred.any() or not truth.any():
        return float("nan"), float("nan")
    import torch
    from monai.metrics.hausdorff_distance import compute_hausdorff_distance
    from monai.metrics.surface_distance import compute_average_surface_distance

    warnings.filterwarnings("ignore", message="monai.metrics.utils get_mask_edges")  # about its own code
    a, b = (torch.from_numpy(np.ascontiguousarray(mask))[None, None] for mask in (pred, truth))
    hd95 = compute_hausdorff_distance(a, b, include_background=True, percentile=95, spacing=spacing)
    assd = compute_average_surface_distance(a, b, include_background=True, symmetric=True, spacing=spacing)
    return float(hd95), float(assd)


def confusion(pred: np.ndarray, truth: np.ndarray, classes: int) -> np.ndarray:
    """Confusion matrix int64 [classes, classes] of two label maps: rows are the truth, columns the prediction.

    Pixels whose truth is `VOID` are left out.
    """
    valid = truth != VOID
    pairs = truth[valid].astype(np.int64) * classes + pred[valid]
    return np.bincount(pairs, minlength=classes * classes).reshape(classes, classes)


def class_scores(matrix: np.ndarray) -> dict[str, np.ndarray]:
    """Multi-class scores in 0..1 of confusion matrices [..., K, K], after Long et al. 2015 (arXiv 1411.4038).

    `pixel_accuracy`; `class_accuracy`, the mean over the classes in the truth; `miou`, the mean over the classes in
    truth or prediction; `fwiou`, the IoU weighted by each class's share of the truth; and `class_iou` [..., K], NaN for
    a class in neither. All scores of an empty matrix are NaN.
    """
    matrix = np.asarray(matrix, dtype=np.float64)
    hit = np.diagonal(matrix, axis1=-2, axis2=-1)
    actual, predicted = matrix.sum(-1), matrix.sum(-2)
    union = actual + predicted - hit
    with np.errstate(invalid="ignore", divide="ignore"):
        total = actual.sum(-1)
        recall, iou = hit / actual, hit / union
        return {
            "pixel_accuracy": hit.sum(-1) / total,
            "class_accuracy": np.nansum(recall, -1) / (actual > 0).sum(-1),
            "miou": np.nansum(iou, -1) / (union > 0).sum(-1),
            "fwiou": np.nansum(iou * actual, -1) / total,
            "class_iou": iou,
        }


def histogram(values: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Histograms of one image's foreground values 0..1 [H, W]: one of true background, one of true foreground.

    Returns int64 [2, BINS + 1]; bin j counts j / BINS <= value < (j + 1) / BINS, so that `value >= k / BINS`
    is exactly "bin >= k". Pixels whose truth is `VOID` are left out.
    """
    valid = truth != VOID
    bins = (np.clip(values[valid], 0, 1) * BINS).astype(np.int64)
    bins += (truth[valid] != 0) * (BINS + 1)
    return np.bincount(bins, minlength=2 * (BINS + 1)).reshape(2, BINS + 1)


def threshold_curve(histograms: np.ndarray) -> dict[str, np.ndarray]:
    """Mean Dice and IoU over images for every threshold k / BINS, k = 0..BINS, from `histogram`s [N, 2, BINS + 1]."""
    histograms = np.asarray(histograms)
    curves = {name: np.empty((len(histograms), BINS + 1)) for name in ("dice", "iou")}
    for start in range(0, len(histograms), CHUNK):
        some = slice(start, start + CHUNK)
        above = histograms[some, :, ::-1].cumsum(-1)[..., ::-1]
        below = histograms[some].sum(-1, keepdims=True) - above
        counted = scores(Counts(tp=above[:, 1], fp=above[:, 0], fn=below[:, 1], tn=below[:, 0]))
        for name, curve in curves.items():
            curve[some] = counted[name]
    return {"threshold": np.arange(BINS + 1) / BINS} | {name: curve.mean(0) for name, curve in curves.items()}
