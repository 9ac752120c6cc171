"""Uncertainty of a result, as a picture and as numbers, and whether it points at the errors."""

from collections.abc import Mapping, Sequence
from typing import cast

import numpy as np
import torch

from util.contracts import VOID
from util.score.roc import auroc_of_pixels

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
    """The columns of metrics.csv for one image.

    `uncertainty` is the mean standard deviation over the pixels that count. With two classes `uncertainty_relative` is
    their sum divided by the number of predicted foreground pixels, since large lungs have long borders; NaN without
    foreground. With a ground truth `uncertainty_auroc` is the probability that a wrong pixel is more uncertain than a
    right one: 0.5 is no better than chance, NaN where all pixels are right or all are wrong.

    picture: float [1, H, W] as `as_picture` gives it; labels, truth: uint8 [H, W], VOID pixels do not count.
    """
    deviation = ((picture[0].numpy() + 1) * (LIMIT / 2)).clip(0, LIMIT)
    valid = np.ones(labels.shape, bool) if truth is None else truth != VOID
    deviation, labels = deviation[valid], labels[valid]
    row = {LABEL: _ratio(deviation.sum(dtype=np.float64), deviation.size)}
    if binary:
        row[RELATIVE] = _ratio(deviation.sum(dtype=np.float64), int(np.count_nonzero(labels)))
    if truth is not None:
        row[AUROC] = auroc_of_pixels(deviation, labels != truth[valid])
    return row


def of_set(rows: Sequence[dict], score: str = "") -> dict[str, float | int | None]:
    """The part of metrics.json about all images; None where undefined.

    `mean` is that of `uncertainty`. With a score (a column where 1 is best) there are also: `spearman` and
    `relative_spearman`, the rank correlations over images of `uncertainty` and `uncertainty_relative` with 1 - score,
    each with its p-value; and `pixel_auroc`, the mean of `uncertainty_auroc` over the `pixel_auroc_images` in which it
    is defined.
    """

    def column(name: str) -> np.ndarray:
        return np.array([row[name] for row in rows], dtype=float)

    result: dict[str, float | int | None] = {"mean": _mean(column(LABEL))}
    if not score:
        return result
    for prefix, name in (("", LABEL), ("relative_", RELATIVE)):
        if name in rows[0]:
            rank, p = _spearman(column(name), 1 - column(score))
            result |= {f"{prefix}spearman": rank, f"{prefix}spearman_p": p}
    pixels = column(AUROC)
    return result | {"pixel_auroc": _mean(pixels), "pixel_auroc_images": int((~np.isnan(pixels)).sum())}


def in_words(summary: Mapping, title: str) -> str:
    """The result of `of_set` in sentences, for a page. title: the score's name."""
    text = (
        f"Uncertainty: the standard deviation of the result among passes or runs, from 0 (black) to {LIMIT} (white). "
        f"Mean {summary['mean']:.4f}."
    )
    if summary["pixel_auroc"] is not None:
        text += (
            f" It points at wrong pixels with AUROC {summary['pixel_auroc']:.3f} (0.5 is no better than chance; mean "
            f"over {summary['pixel_auroc_images']} images with wrong pixels)."
        )
    if summary["spearman"] is not None:
        text += f" Rank correlation with 1 - {title} over images: {summary['spearman']:.2f}"
        text += f" (p = {summary['spearman_p']:.2g})"
        if summary.get("relative_spearman") is not None:
            text += f"; divided by the predicted foreground {summary['relative_spearman']:.2f}"
            text += f" (p = {summary['relative_spearman_p']:.2g})"
        text += "."
    return text


def _spearman(values: np.ndarray, errors: np.ndarray) -> tuple[float | None, float | None]:
    from scipy.stats import spearmanr  # a second to import

    defined = ~(np.isnan(values) | np.isnan(errors))
    # Fewer than 3 points, or points of one value, have no correlation.
    if defined.sum() < 3 or np.ptp(values[defined]) == 0 or np.ptp(errors[defined]) == 0:
        return None, None
    rank, p = cast("tuple[float, float]", spearmanr(values[defined], errors[defined]))
    return float(rank), float(p)


def _ratio(part: float, whole: int) -> float:
    return float(part / whole) if whole else float("nan")


def _mean(values: np.ndarray) -> float | None:
    return float(np.nanmean(values)) if (~np.isnan(values)).any() else None
