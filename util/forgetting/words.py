"""The result of forgetting.py in sentences. Each of them follows from the figures."""

import numpy as np

from util.forgetting.pictures import NAMES
from util.forgetting.study import FROM_DONOR, Method, Study


def summary(study: Study) -> list[str]:
    """The comparison of frozen donors with full fine-tuning, if the study has both, and a paragraph for each method."""
    return [*_comparison(study), *(_of_method(study, method) for method in study.methods)]


def caveats(study: Study) -> list[str]:
    """Paragraphs about what limits the figures, so that nobody reads too much into them."""
    abouts = (_about_learnt, _about_proofs, _about_kept, _about_seeds, _about_starts, _about_training)
    return [paragraph for about in abouts if (paragraph := about(study))]


def _about_learnt(study: Study) -> str:
    return f"Scores may be too good: {'; '.join(study.learnt)}." if study.learnt else ""


def _about_proofs(study: Study) -> str:
    proven = [method for method in study.methods if method.proofs]
    broken = " and ".join(method.label for method in proven if not study.unchanged(method))
    failed = f"But the proofs below fail for {broken}: was it trained on another donor?"
    held = "It forgets nothing, but the user must say which task an image belongs to."
    files = "A method with a frozen donor stores each task in a file of its own."
    return f"{files} {failed if broken else held}" if proven else ""


def _about_kept(study: Study) -> str:
    figures = {method.label: study.figures(method) for method in study.methods}
    phrases = [
        f"{label} {kept['kept_images']:g} images of {kept['kept_patients']:g} patients and in all "
        f"{kept['kept_bytes'] / 1e6:.1f} MB"
        for label, kept in figures.items()
        if kept["kept_bytes"]
    ]
    return (
        f"While they learnt, some methods kept something of old tasks, at most: {'; '.join(phrases)}."
        if phrases
        else ""
    )


def _about_seeds(study: Study) -> str:
    several = ", ".join(f"{method.label} ({len(method.seeds)})" for method in study.methods if method.seeds)
    text = (
        f"Figures are means over runs that differ in their seed, ± one standard deviation: {several}. Below some of "
        "them is the 95 % interval of the mean by Student's t, which is wide for few seeds."
    )
    return f"{text} The pictures are the first run's." if several else ""


def _about_starts(study: Study) -> str:
    phrases = "; ".join(dict.fromkeys(phrase for phrases in study.wrong_starts for phrase in phrases))
    text = f"Some runs did not start from the network before them: {phrases}."
    return f"{text} Their low scores on the old task may therefore not be forgetting." if phrases else ""


def _about_training(study: Study) -> str:
    differences = []
    for stage, task in enumerate(study.tasks[1:]):
        options = {m.label: m.training[stage] for m in study.methods if len(m.training) > stage}
        for name in dict.fromkeys(name for each in options.values() for name in each):
            labels: dict[str, list[str]] = {}
            for label, each in options.items():
                value = each.get(name, "unlimited")
                labels.setdefault("none" if value in (None, "") else str(value), []).append(label)
            if len(labels) > 1:
                values = ", ".join(f"{value} ({' and '.join(some)})" for value, some in labels.items())
                differences.append(f"{task.name}: --{name} {values}")
    return f"The runs were trained with different options: {'; '.join(differences)}." if differences else ""


def verdict(kept: float | None, equal: bool) -> str:
    """The meaning of a retention. equal: all outputs are the donor's, bit for bit."""
    if equal:
        return "nothing is forgotten: every output is the donor's, bit for bit"
    if kept is None:
        return "there was nothing above chance to forget"
    if kept >= 0.995:
        return "practically nothing is forgotten, though outputs differ"
    if kept >= 0.05:
        return f"{kept:.0%} of the donor's score above chance is left"
    return "everything is forgotten" + (": it is worse than chance" if kept < -0.05 else "")


def _of_method(study: Study, method: Method) -> str:
    text = f"{method.label} {' and '.join(_learnt(study, method, task) for task in range(1, len(study.tasks)))}. "
    if method.alone:
        return text + f"It started from random weights and never knew {study.tasks[0].name}; it is the control."
    return text + " ".join([_old_task(study, method), *_between(study, method)])


def _learnt(study: Study, method: Method, j: int) -> str:
    """How well the method learnt the new task j, as a part of a sentence."""
    R, score, name = method.R, method.score_names[j], study.tasks[j].name
    if score == "ssim":
        before, after = (method.measures[i][j].get("kid") for i in (0, j))
        kid = "" if after is None else f" (KID to real pictures {after:.3f}, the donor's {before:.3f})"
        return f"learnt {name}, which has no ground truth{kid}"
    donor = "" if np.isnan(R[0, j]) else f" (the donor {R[0, j]:.3f}, chance {method.chance[j]:.3f})"
    start = f"learnt {name} to" if R[j, j] > method.chance[j] else f"learnt nothing of {name}:"
    return f"{start} {NAMES[score]} {R[j, j]:.3f}{donor}"


def _old_task(study: Study, method: Method) -> str:
    """What the method kept of the donor's task."""
    R, old, first, last = method.R, study.tasks[0], method.measures[0][0], method.measures[-1][0]
    equal, score = last["bit_equal"] == old.images, NAMES[method.score_names[0]]
    numbers = f" ({score} {R[0, 0]:.3f} before, {R[-1, 0]:.3f} after, chance {method.chance[0]:.3f})"
    text = f"Of {old.name}: {verdict(study.retention(method, 0), equal)}{'' if equal else numbers}."
    before, after = first.get("void_rate"), last.get("void_rate")
    if after is not None and after - before > 0.2:
        text += f" {after:.0%} of its pixels there have no class's colour, against {before:.0%} of the donor's."
    return text


def _between(study: Study, method: Method) -> list[str]:
    """What the method kept of the tasks between the donor's and the last."""
    R, sentences = method.R, []
    for j, task in enumerate(study.tasks[1:-1], 1):
        if method.measures[-1][j]["bit_equal"] == task.images:
            sentences.append(f"{task.name} is kept bit for bit.")
        else:
            last = study.tasks[-1].name
            sentences.append(f"{task.name} went from {R[j, j]:.3f} to {R[-1, j]:.3f} when {last} was learnt.")
    return sentences


def _comparison(study: Study) -> list[str]:
    """The best method that forgot nothing, beside the best of those that were free to forget."""
    frozen = [m for m in study.methods if m.adapt not in FROM_DONOR and study.unchanged(m)]
    tuned = [m for m in study.methods if m.plain]
    if not frozen or not tuned:
        return []
    ours, theirs = (max(some, key=lambda m: study.figures(m)["new_score"] or 0) for some in (frozen, tuned))
    mine, other = study.figures(ours), study.figures(theirs)
    if mine["new_score"] is None:  # no new task has a ground truth
        return []
    gap = 100 * (other["new_score"] - mine["new_score"])
    new = [task.name for task, score in zip(study.tasks[1:], ours.score_names[1:], strict=True) if score != "ssim"]
    kept = other["retention"]
    return [
        ("" if kept is None else f"{theirs.label} kept {max(kept, 0):.0%} of what was known before. ")
        + f"{ours.label} kept all of it; on {' and '.join(new)} it is {abs(gap):.1f} points "
        f"{'behind' if gap > 0 else 'ahead'}, with 1/{other['bytes_per_task'] / mine['bytes']:.0f} of the bytes."
    ]
