"""How far opinions about a pixel differ, as a picture and as numbers; and whether that points at the errors."""

from collections.abc import Mapping, Sequence

import numpy as np
import torch

from util.score.metrics import VOID

LABEL = "uncertainty"
RELATIVE = "uncertainty_relative"
AUROC = "uncertainty_auroc"
LIMIT = 0.5  # the largest standard deviation that values in 0..1 can have


def as_picture(deviation: torch.Tensor) -> torch.Tensor:
    """Standard deviations in 0..0.5 as a picture in [-1, 1], of the same shape."""
    return deviation * (2 / LIMIT) - 1


def of_image(
    picture: torch.Tensor, labels: np.ndarray, truth: np.ndarray | None, binary: bool = True
) -> dict[str, float]:
    """What metrics.csv says of one image: `uncertainty`, the mean standard deviation over the pixels that count; of two
    classes `uncertainty_relative`, their sum for each pixel of predicted foreground (large lungs have long borders;
    NaN without foreground); and with a truth `uncertainty_auroc`, the chance that a wrong pixel is more uncertain than
    a right one (0.5: as good as a coin; NaN where all are right or all wrong).

    picture: float [1, H, W] as `as_picture` gives it; labels, truth: uint8 [H, W] (VOID: does not count).
    """
    deviation = ((picture[0].numpy() + 1) * (LIMIT / 2)).clip(0, LIMIT)
    valid = np.ones(labels.shape, bool) if truth is None else truth != VOID
    deviation, labels = deviation[valid], labels[valid]
    row = {LABEL: _ratio(deviation.sum(dtype=np.float64), deviation.size)}
    if binary:
        row[RELATIVE] = _ratio(deviation.sum(dtype=np.float64), np.count_nonzero(labels))
    if truth is not None:
        row[AUROC] = auroc(deviation, labels != truth[valid])
    return row


def auroc(values: np.ndarray, positive: np.ndarray) -> float:
    """Area under the ROC curve of values [N] from 0 on as a sign of `positive` (boolean [N]), ties counted half.

    An X-ray has ten million of them: they are counted as half floats, which keep three digits, not sorted.
    """
    # The bits of a half float from 0 on rise with its value.
    bins = values.astype(np.float16).view(np.uint16)
    of_each = np.bincount(bins)
    hits = np.bincount(bins[positive], minlength=len(of_each))
    misses = of_each - hits
    pairs = float(hits.sum()) * float(misses.sum())
    below = np.concatenate([[0], misses.cumsum()[:-1]])
    return float((hits * (below + misses / 2)).sum() / pairs) if pairs else float("nan")


def of_set(rows: Sequence[dict], score: str = "") -> dict[str, float | int | None]:
    """What metrics.json says of all images: `mean`, of `uncertainty`; with a score (a column where 1 is right) also
    rank correlations with 1 - score over images, Spearman's, of `uncertainty` and of `uncertainty_relative`, each with
    its p-value; and `pixel_auroc`, the mean of `uncertainty_auroc` over the `pixel_auroc_images` that have one. None
    where undefined."""

    def column(name: str) -> np.ndarray:
        return np.array([row[name] for row in rows], dtype=float)

    found: dict[str, float | int | None] = {"mean": _mean(column(LABEL))}
    if not score:
        return found
    for prefix, name in (("", LABEL), ("relative_", RELATIVE)):
        if name in rows[0]:
            rank, p = _spearman(column(name), 1 - column(score))
            found |= {f"{prefix}spearman": rank, f"{prefix}spearman_p": p}
    pixels = column(AUROC)
    return found | {"pixel_auroc": _mean(pixels), "pixel_auroc_images": int((~np.isnan(pixels)).sum())}


def in_words(found: Mapping, title: str) -> str:
    """What `of_set` found, for a page; title: the score's."""
    words = (
        f"Uncertainty: the standard deviation of the result among passes or runs, 0 (black) to {LIMIT} (white). "
        f"Mean {found['mean']:.4f}."
    )
    if found["pixel_auroc"] is not None:
        words += (
            f" It points at wrong pixels with AUROC {found['pixel_auroc']:.3f} (0.5: not at all; mean of "
            f"{found['pixel_auroc_images']} images that have any)."
        )
    if found["spearman"] is not None:
        words += f" Rank correlation with 1 - {title} over images: {found['spearman']:.2f}"
        words += f" (p = {found['spearman_p']:.2g})"
        if found.get("relative_spearman") is not None:
            words += f"; for each pixel of predicted foreground {found['relative_spearman']:.2f}"
            words += f" (p = {found['relative_spearman_p']:.2g})"
        words += "."
    return words


def _spearman(values: np.ndarray, errors: np.ndarray) -> tuple[float | None, float | None]:
    from scipy.stats import spearmanr  # a second to import

    known = ~(np.isnan(values) | np.isnan(errors))
    # Fewer than 3 points, or points without any order, have no correlation.
    if known.sum() < 3 or np.ptp(values[known]) == 0 or np.ptp(errors[known]) == 0:
        return None, None
    rank, p = spearmanr(values[known], errors[known])
    return float(rank), float(p)


def _ratio(part: float, whole: int) -> float:
    return float(part / whole) if whole else float("nan")


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if (~np.isnan(values)).any() else None
