"""How far opinions about a pixel differ, as a picture and as numbers; and whether that points at the errors."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from util.metrics import VOID

LABEL = "uncertainty"
AUROC = "uncertainty_auroc"
LIMIT = 0.5  # the largest standard deviation that values in 0..1 can have


def as_picture(deviation: torch.Tensor) -> torch.Tensor:
    """Standard deviations in 0..0.5 as a picture in [-1, 1], of the same shape."""
    return deviation * (2 / LIMIT) - 1


def of_image(picture: torch.Tensor, labels: np.ndarray, truth: np.ndarray | None) -> dict[str, float]:
    """What metrics.csv says of one image: `uncertainty`, the mean standard deviation over the pixels that count, and
    with a truth `uncertainty_auroc`, the chance that a wrong pixel is more uncertain than a right one (0.5: as good as
    a coin; NaN where all are right or all wrong).

    picture: float [1, H, W] as `as_picture` gives it; labels, truth: uint8 [H, W] (VOID: does not count).
    """
    deviation = (picture[0].numpy() + 1) * (LIMIT / 2)
    if truth is None:
        return {LABEL: float(deviation.mean())}
    valid = truth != VOID
    if not valid.any():
        return {LABEL: float("nan"), AUROC: float("nan")}
    return {LABEL: float(deviation[valid].mean()), AUROC: auroc(deviation[valid], (labels != truth)[valid])}


def auroc(values: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve of values in 0..0.5 as a sign of `positive` (boolean, same shape), ties counted half.

    An X-ray has ten million of them: they are counted as half floats, which keep three digits, not sorted.
    """
    # The bits of a half float from 0 on rise with its value.
    bins = values.clip(0, LIMIT).astype(np.float16).view(np.uint16)
    of_each = np.bincount(bins)
    hits = np.bincount(bins[positive], minlength=len(of_each))
    misses = of_each - hits
    pairs = float(hits.sum()) * float(misses.sum())
    below = np.concatenate([[0], misses.cumsum()[:-1]])
    return float((hits * (below + misses / 2)).sum() / pairs) if pairs else float("nan")


def of_set(rows: Sequence[dict], score: str = "") -> dict[str, float | int | str | None]:
    """What metrics.json says of all images: the `mean` over images; with a score (a column where 1 is right) also
    `spearman`, the rank correlation of an image's uncertainty with 1 - score, and its p-value; and `pixel_auroc`, the
    mean of `uncertainty_auroc` over the `pixel_auroc_images` that have one. None where undefined."""
    mean = np.array([row[LABEL] for row in rows], dtype=float)
    found: dict[str, float | int | str | None] = {"mean": _mean(mean)}
    if not score:
        return found
    from scipy.stats import spearmanr  # a second to import

    error = 1 - np.array([row[score] for row in rows], dtype=float)
    known = ~(np.isnan(mean) | np.isnan(error))
    rank = p = None
    # Fewer than 3 points, or points without any order, have no correlation.
    if known.sum() > 2 and np.ptp(mean[known]) > 0 and np.ptp(error[known]) > 0:
        rank, p = (float(x) for x in spearmanr(mean[known], error[known]))
    pixels = np.array([row[AUROC] for row in rows], dtype=float)
    return found | {
        "spearman": rank,
        "spearman_p": p,
        "spearman_of": f"mean uncertainty and 1 - {score} of an image",
        "pixel_auroc": _mean(pixels),
        "pixel_auroc_images": int((~np.isnan(pixels)).sum()),
    }


def in_words(found: Mapping, title: str) -> str:
    """What `of_set` found, for a page; title: the score's."""
    words = (f"Uncertainty: the standard deviation of the foreground among passes or runs, 0 (black) to {LIMIT} "
             f"(white). Mean {found['mean']:.4f}.")  # fmt: skip
    if found["pixel_auroc"] is not None:
        words += (f" It points at wrong pixels with AUROC {found['pixel_auroc']:.3f} (0.5: not at all; mean of "
                  f"{found['pixel_auroc_images']} images that have any).")  # fmt: skip
    if found["spearman"] is not None:
        words += (f" Its rank correlation with 1 - {title} over images is {found['spearman']:.2f} "
                  f"(p = {found['spearman_p']:.2g}).")  # fmt: skip
    return words


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if (~np.isnan(values)).any() else None
