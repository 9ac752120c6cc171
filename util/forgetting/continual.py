"""The figures of continual learning, computed from one result matrix.

R [T, T] holds scores, higher is better: R[i, j] is the score on task j after task i was learnt, counted from 0. Row 0
is the donor. Above the diagonal, where a task was not learnt yet, R may be NaN. All functions are plain numpy.
"""

import numpy as np

from util.score import metrics


def average_score(R: np.ndarray) -> float:
    """Mean over all tasks after the last one was learnt (Lopez-Paz and Ranzato 2017, arXiv 1706.08840)."""
    return float(_checked(R)[-1].mean())


def backward_transfer(R: np.ndarray) -> float:
    """How much later tasks changed the score of earlier ones, mean over all but the last; negative: something was lost.

    mean_j R[T-1, j] - R[j, j], over T - 1 tasks (Lopez-Paz and Ranzato 2017, arXiv 1706.08840).
    """
    R = _checked(R)
    return float((R[-1] - np.diagonal(R))[:-1].mean())


def forgetting(R: np.ndarray) -> float:
    """How far earlier tasks fell from their best score so far, mean over all but the last; 0: nothing was lost.

    mean_j max_{i < T-1} R[i, j] - R[T-1, j] (Chaudhry et al. 2018, arXiv 1801.10112). With two tasks it is
    -`backward_transfer`.
    """
    R = _checked(R)
    return float((np.nanmax(R[:-1, :-1], 0) - R[-1, :-1]).mean())


def intransigence(R: np.ndarray, reference: np.ndarray) -> float:
    """How much worse new tasks were learnt than by a reference that is free to forget, mean over all but the first.

    mean_{j > 0} reference[j] - R[j, j] (after Chaudhry et al. 2018); reference [T]: the score of full fine-tuning on
    each task when it had just learnt it. Negative: better than the reference.
    """
    R = _checked(R)
    return float((np.asarray(reference, dtype=float) - np.diagonal(R))[1:].mean())


def retention(after: float, before: float, chance: float) -> float | None:
    """The share of a task's score above chance that is left: 1 all of it, 0 nothing, below 0 worse than chance.

    None if the score was not above chance before.
    """
    return (after - chance) / (before - chance) if before > chance else None


def chance_level(pooled: np.ndarray) -> float:
    """The best score that needs no look at the image: all pixels of all images get the same class.

    pooled: TP FP FN TN of each image [N, 4] -> mean Dice; confusion matrices [N, K, K] -> mIoU of their sum. Only the
    ground truth in them counts, not the predictions.
    """
    if pooled.ndim == 2:
        tp, fp, fn, tn = pooled.T
        nothing = np.zeros_like(tp)
        every, none = (tp + fn, fp + tn, nothing, nothing), (nothing, nothing, tp + fn, fp + tn)
        return max(float(metrics.scores(metrics.Counts(*counts))["dice"].mean()) for counts in (every, none))
    truth = pooled.sum((0, 2))
    constant = truth[:, None] * np.eye(len(truth))[:, None, :]  # [predicted class, truth, prediction]
    return float(metrics.class_scores(constant)["miou"].max())


def _checked(R: np.ndarray) -> np.ndarray:
    R = np.asarray(R, dtype=float)
    if R.ndim != 2 or R.shape[0] != R.shape[1] or len(R) < 2:
        raise ValueError(f"want a square matrix of two or more tasks, not {R.shape}")
    return R
