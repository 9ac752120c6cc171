"""The result of forgetting.py in plain words. Every sentence follows from the figures."""

import numpy as np

from util.study import FROM_DONOR, Method, Study

NAMES = {"dice": "Dice", "miou": "mIoU", "ssim": "SSIM to its own first outputs"}


def summary(study: Study) -> list[str]:
    """One paragraph a method, and one that compares those that left the donor whole with full fine-tuning."""
    return [*(_of_method(study, method) for method in study.methods), *_comparison(study)]


def verdict(kept: float | None, equal: bool) -> str:
    """What a retention means."""
    if equal:
        return "nothing is forgotten: every output is the donor's, bit for bit"
    if kept is None:
        return "there was nothing above chance to forget"
    if kept >= 0.995:
        return "practically nothing is forgotten, though outputs differ"
    if kept >= 0.05:
        return f"{kept:.0%} of what the donor had above chance is left"
    return "everything is forgotten" + (": it is worse than chance" if kept < -0.05 else "")


def _of_method(study: Study, method: Method) -> str:
    R, names = method.R, method.score_names
    learnt = []
    for j, task in enumerate(study.tasks[1:], 1):
        if names[j] == "ssim":
            learnt.append(f"learnt {task.name}, which has no ground truth to score against")
        else:
            before = "" if np.isnan(R[0, j]) else f" (the donor {R[0, j]:.3f}, chance {method.chance[j]:.3f})"
            learnt.append(f"learnt {task.name} to {NAMES[names[j]]} {R[j, j]:.3f}{before}")
    words = f"{method.label} {' and '.join(learnt)}. "
    old, last = study.tasks[0], method.measures[-1][0]
    if method.adapt == "scratch":
        return words + f"It started from random weights and never knew {old.name}: the control."
    kept = study.retention(method, 0)
    scores = f"{NAMES[names[0]]} {R[0, 0]:.3f} before, {R[-1, 0]:.3f} after, chance {method.chance[0]:.3f}"
    words += f"Of {old.name}: {verdict(kept, last['bit_equal'] == old.images)} ({scores})."
    was, now = (method.measures[i][0].get("void_rate") for i in (0, -1))
    if now is not None and now - was > 0.2:
        words += f" {now:.0%} of its pixels there have no class's colour any more, against {was:.0%} of the donor's."
    for j, task in enumerate(study.tasks[1:-1], 1):
        equal = method.measures[-1][j]["bit_equal"] == task.images
        same = "the same bit for bit" if equal else f"{R[-1, j]:.3f} after {study.tasks[-1].name}"
        words += f" {task.name} went from {R[j, j]:.3f} to {same}."
    return words


def _comparison(study: Study) -> list[str]:
    """The best of the methods that forgot nothing, beside the best of those that were free to forget."""
    whole = [m for m in study.methods if m.adapt not in FROM_DONOR and study.whole(m)]
    free = [m for m in study.methods if m.adapt == "finetune"]
    if not whole or not free:
        return []
    best, tuned = (max(some, key=lambda m: study.figures(m)["new_score"]) for some in (whole, free))
    ours, theirs = study.figures(best), study.figures(tuned)
    gap = 100 * (theirs["new_score"] - ours["new_score"])
    words = f"{abs(gap):.1f} points {'behind' if gap > 0 else 'ahead of'}"
    tasks, share = "tasks" if len(study.tasks) > 2 else "task", f"1/{theirs['bytes'] / ours['bytes']:.0f}"
    return [f"Of the methods that forgot nothing, {best.label} learnt best: {words} {tuned.label} on the new {tasks}, "
            f"with {share} of its bytes."]  # fmt: skip
