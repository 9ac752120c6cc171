"""The result of forgetting.py in plain words. Every sentence follows from the figures."""

import numpy as np

from util.forgetting.study import FROM_DONOR, Method, Study

NAMES = {"dice": "Dice", "miou": "mIoU", "ssim": "SSIM to its own first outputs"}


def summary(study: Study) -> list[str]:
    """The upshot, if methods that left the donor whole stand beside full fine-tuning, and one paragraph a method."""
    return [*_upshot(study), *(_of_method(study, method) for method in study.methods)]


def caveats(study: Study) -> list[str]:
    """What must be said so that nobody reads too much into the figures."""
    found = []
    proven = [method for method in study.methods if method.proofs]
    broken = [method.label for method in proven if not study.whole(method)]
    if proven:
        found.append(
            "A method with a frozen donor keeps what it learns in a file for each task. "
            + (
                f"Yet the proofs below fail for {' and '.join(broken)}: was it trained on another donor?"
                if broken
                else "It forgets nothing, but it has to be told which task an image belongs to."
            )
        )
    if several := [f"{method.label} ({len(method.seeds)})" for method in study.methods if method.seeds]:
        found.append(
            f"Figures are means over runs that differ in their seed, ± one standard deviation: "
            f"{', '.join(several)}. Pictures are of the first."
        )
    if strangers := [words for method in study.methods for words in method.strangers]:
        found.append(
            f"Not all runs started where they should have: {'; '.join(dict.fromkeys(strangers))}. What they "
            "know less of, they may never have known."
        )
    uneven = []
    for stage, task in enumerate(study.tasks[1:]):
        settings = {m.label: m.training[stage] for m in study.methods if len(m.training) > stage}
        for name in dict.fromkeys(name for each in settings.values() for name in each):
            ways: dict[str, list[str]] = {}
            for label, each in settings.items():
                ways.setdefault(str(each.get(name, "unlimited")), []).append(label)
            if len(ways) > 1:
                said = ", ".join(f"{value} ({' and '.join(labels)})" for value, labels in ways.items())
                uneven.append(f"{task.name}: --{name} {said}")
    if uneven:
        found.append(f"The runs were not trained alike: {'; '.join(uneven)}.")
    return found


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
            was, now = (method.measures[i][j].get("kid") for i in (0, j))
            kid = "" if now is None else f" (KID to real pictures {now:.3f}, the donor's {was:.3f})"
            learnt.append(f"learnt {task.name}, which has no ground truth{kid}")
        else:
            before = "" if np.isnan(R[0, j]) else f" (the donor {R[0, j]:.3f}, chance {method.chance[j]:.3f})"
            did = f"learnt {task.name} to" if R[j, j] > method.chance[j] else f"learnt nothing of {task.name}:"
            learnt.append(f"{did} {NAMES[names[j]]} {R[j, j]:.3f}{before}")
    words = f"{method.label} {' and '.join(learnt)}. "
    old, last = study.tasks[0], method.measures[-1][0]
    if method.adapt == "scratch":
        return words + f"It started from random weights and never knew {old.name}: the control."
    kept = study.retention(method, 0)
    equal = last["bit_equal"] == old.images
    scores = f" ({NAMES[names[0]]} {R[0, 0]:.3f} before, {R[-1, 0]:.3f} after, chance {method.chance[0]:.3f})"
    words += f"Of {old.name}: {verdict(kept, equal)}{'' if equal else scores}."
    was, now = (method.measures[i][0].get("void_rate") for i in (0, -1))
    if now is not None and now - was > 0.2:
        words += f" {now:.0%} of its pixels there have no class's colour any more, against {was:.0%} of the donor's."
    for j, task in enumerate(study.tasks[1:-1], 1):
        equal = method.measures[-1][j]["bit_equal"] == task.images
        went = f"went from {R[j, j]:.3f} to {R[-1, j]:.3f} when {study.tasks[-1].name} was learnt"
        words += f" {task.name} {'is kept bit for bit' if equal else went}."
    return words


def _upshot(study: Study) -> list[str]:
    """The best of the methods that forgot nothing, beside the best of those that were free to forget."""
    whole = [m for m in study.methods if m.adapt not in FROM_DONOR and study.whole(m)]
    free = [m for m in study.methods if m.adapt == "finetune"]
    if not whole or not free:
        return []
    best, tuned = (max(some, key=lambda m: study.figures(m)["new_score"] or 0) for some in (whole, free))
    ours, theirs = study.figures(best), study.figures(tuned)
    if ours["new_score"] is None:  # no new task has a ground truth
        return []
    gap = 100 * (theirs["new_score"] - ours["new_score"])
    scored = [task.name for task, name in zip(study.tasks, best.score_names, strict=True) if name != "ssim"]
    tasks = " and ".join(scored[best.score_names[0] != "ssim" :])
    kept = (
        ""
        if theirs["retention"] is None
        else (f"{tuned.label} kept {max(theirs['retention'], 0):.0%} of what was known before. ")
    )
    return [
        f"{kept}{best.label} kept all of it, and on {tasks} is {abs(gap):.1f} points "
        f"{'behind' if gap > 0 else 'ahead'}, with 1/{theirs['bytes'] / ours['bytes']:.0f} of the bytes."
    ]
