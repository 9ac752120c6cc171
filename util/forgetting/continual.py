"""The figures of continual learning, computed from one result matrix.

R [T, T] holds scores, higher is better: R[i, j] is the score on task j after task i was learnt, counted from 0. Row 0
is the donor. Above the diagonal, where a task was not learnt yet, R may be NaN. All functions are plain numpy.

The benchmark of Wang et al. 2026 (arXiv 2605.06160) calls the average score A-Dice and adds BWTR, RMA and E-FWT.
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


def relative_backward_transfer(R: np.ndarray) -> float | None:
    """`backward_transfer` as a share of what each task had when it was just learnt; negative: something was lost.

    mean_j (R[T-1, j] - R[j, j]) / R[j, j], over T - 1 tasks (BWTR of Wang et al. 2026). None if a task's score was 0.
    """
    R = _checked(R)
    learnt = np.diagonal(R)[:-1]
    return float(((R[-1, :-1] - learnt) / learnt).mean()) if learnt.all() else None


def forward_transfer(R: np.ndarray, start: np.ndarray) -> float | None:
    """How much better than random weights a network does the next task before it learns it.

    mean_{j > 0} R[j-1, j] - start[j] (FWT of Lopez-Paz and Ranzato 2017); start [T]: the score of random weights on
    each task. Tasks where either is NaN do not count; None if none is left.
    """
    R = _checked(R)
    return _mean(np.diagonal(R, 1) - np.asarray(start, dtype=float)[1:])


def forward_generalisability(R: np.ndarray, start: np.ndarray) -> float | None:
    """As `forward_transfer`, but of every network on every task that it has not learnt yet.

    mean_{0 < i < j} R[i, j] - start[j] (E-FWT of Wang et al. 2026, who define it for tasks that differ in hospital
    only). Row 0 is left out: the donor learnt another kind of picture. None with fewer than two new tasks.
    """
    R = _checked(R)
    i, j = np.triu_indices(len(R), 1)
    return _mean((R - np.asarray(start, dtype=float))[i[i > 0], j[i > 0]])


def restricted_ability(R: np.ndarray, alone: np.ndarray) -> float | None:
    """New tasks just learnt, as a share of their score when each is learnt alone, mean over all but the first.

    mean_{j > 0} R[j, j] / alone[j] (RMA, restricted modeling ability, of Wang et al. 2026); alone [T]: the score of a
    network that learnt only this task, from random weights. Tasks where it is NaN or 0 do not count; None if none is
    left.
    """
    alone = np.asarray(alone, dtype=float)[1:]
    return _mean(np.diagonal(_checked(R))[1:][alone > 0] / alone[alone > 0])


def forgetting(R: np.ndarray) -> float:
    """How far earlier tasks fell from their best score so far, mean over all but the last; 0: nothing was lost.

    mean_j max_{j <= i < T-1} R[i, j] - R[T-1, j] (Chaudhry et al. 2018, arXiv 1801.10112). Scores from before a task
    was learnt do not count: it cannot be forgotten then. With two tasks it is -`backward_transfer`.
    """
    R = _checked(R)
    since = np.where(np.tri(len(R), dtype=bool), R, -np.inf)[:-1, :-1]
    return float((since.max(0) - R[-1, :-1]).mean())


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


def _mean(values: np.ndarray) -> float | None:
    """The mean of the values that are not NaN; None if there are none."""
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else None


def _checked(R: np.ndarray) -> np.ndarray:
    R = np.asarray(R, dtype=float)
    if R.ndim != 2 or R.shape[0] != R.shape[1] or len(R) < 2:
        raise ValueError(f"want a square matrix of two or more tasks, not {R.shape}")
    return R
