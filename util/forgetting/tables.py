"""Tables of the forgetting page: measures of a task, figures of the methods, proofs and result matrices."""

from collections.abc import Mapping

import numpy as np
from dominate import tags

from util.forgetting.pictures import NAMES
from util.forgetting.seeds import Row, deviation
from util.forgetting.study import Method, Study
from util.show.pages import TITLES, score_table

SCORES = ("dice", "iou", "miou", "precision", "recall", "pixel_accuracy", "class_accuracy", "fwiou", "void_rate")
MEASURES = {name: TITLES[name] for name in SCORES} | {
    "l1": "L1 drift",
    "psnr": "PSNR drift (dB)",
    "ssim": "SSIM drift",
    "bit_equal": "bit-equal outputs",
    "cycle_l1": "cycle L1",
    "kid": "KID",
}
DRIFT = ("l1", "psnr", "ssim", "bit_equal")
FIGURES = {
    "old_after": "old task",
    "forgetting": "forgetting",
    "retention": "retention",
    "new_score": "new tasks",
    "intransigence": "plasticity cost",
    "restricted_ability": "RMA",
    "average_score": "average",
    "backward_transfer": "BWT",
    "relative_backward_transfer": "BWTR",
    "forward_transfer": "FWT",
    "forward_generalisability": "E-FWT",
}
COSTS = {
    "trainable": "trained, M",
    "trainable_per_task": "a task",
    "bytes": "disk, MB",
    "bytes_per_task": "a task",
    "growth": "added to the donor",
    "kept_images": "images kept",
    "kept_patients": "patients",
    "kept_bytes": "kept, MB",
    "training_bytes": "training, MB",
    "seconds_per_step": "s per step",
}
MILLIONS = ("trainable", "trainable_per_task", "bytes", "bytes_per_task", "training_bytes", "kept_bytes")
SHARES = ("retention", "restricted_ability", "relative_backward_transfer", "growth")


def measures_table(study: Study, number: int) -> None:
    """One task: the donor, and every method after its last task."""
    rows = {"donor": study.methods[0].measures[0][number]}
    rows |= {method.label: method.measures[-1][number] for method in study.methods}
    last = number == len(study.tasks) - 1  # nothing was learnt after it, so it cannot have drifted
    names = [name for name in MEASURES if any(name in row for row in rows.values()) and not (last and name in DRIFT)]
    sds = {method.label: deviation([seed.measures[-1][number] for seed in method.seeds]) for method in study.methods}
    _table(names, MEASURES, rows, sds, study.tasks[number].images)
    reference = "the donor's outputs" if number == 0 else "the method's outputs when it had just learnt the task"
    notes = [] if last else [f"Drift compares outputs with {reference}, for the same images. It needs no ground truth."]
    if "void_rate" in names:
        notes.append("Void rate: share of predicted pixels far from every class's colour, a sign of collapse.")
    if "kid" in names:
        notes.append(
            f"KID compares outputs with real pictures by the features {study.features}; KID by other features is not "
            "comparable."
        )
    if notes:
        tags.p(" ".join(notes), cls="note")


ABOUT = {
    "old_after": "Old task: its score after all tasks were learnt.",
    "forgetting": "Forgetting: how far old tasks fell from their best score (Chaudhry et al. 2018).",
    "retention": "Retention: how much of the score above chance is left; chance is the best score that needs no look "
    "at the image.",
    "new_score": "New tasks: their mean score when just learnt, without tasks that have no ground truth.",
    "intransigence": "Plasticity cost: how much worse that is than full fine-tuning, the mean of several such methods "
    "(intransigence, after Chaudhry et al.).",
    "restricted_ability": "RMA: their score as a share of what random weights learn of each task alone (Wang et al. "
    "2026).",
    "backward_transfer": "Average and BWT (backward transfer): Lopez-Paz and Ranzato 2017, over all tasks, whichever "
    "score they have.",
    "relative_backward_transfer": "BWTR: BWT as a share of each task's score when just learnt (Wang et al.).",
    "forward_transfer": "FWT (forward transfer, Lopez-Paz and Ranzato): how much better than random weights a network "
    "does the next task before it learns it.",
    "forward_generalisability": "E-FWT: the same for all later tasks (Wang et al.), which shows whether what was "
    "learnt at one hospital serves at another. Where tasks differ in more than the hospital, it says little.",
    "trainable": "Trained: millions of trained floats.",
    "bytes": "Disk: the runs' files. A frozen donor needs all of them beside it, a fine-tuned generator the last one.",
    "growth": "Added to the donor: what all tasks add on disk, as a share of its weights in float32; 0 where one "
    "generator does all tasks.",
    "kept_bytes": "Kept: the most that a run stored of old tasks while it learnt.",
    "training_bytes": "Training: gradients and Adam's moments, computed from the number of trained floats.",
}
"""What each figure of these tables is, with its source; formulas are in util/forgetting/continual.py."""


def figures_table(study: Study) -> None:
    """What each method kept and learnt, and what that cost."""
    rows = {method.label: study.figures(method) for method in study.methods}
    sds = {method.label: study.deviations(method) for method in study.methods}
    intervals = {method.label: study.intervals(method) for method in study.methods}
    single = ("trainable_per_task", "bytes_per_task") if len(study.tasks) == 2 else ()
    for titles in (FIGURES, COSTS):
        names = [x for x in titles if x not in single and any(row.get(x) is not None for row in rows.values())]
        _table(names, titles, rows, sds, intervals=intervals)
        tags.p(" ".join(ABOUT[name] for name in names if name in ABOUT), cls="note")


def _table(
    names: list[str],
    titles: Mapping[str, str],
    rows: Mapping[str, Row],
    sds: Mapping[str, Row],
    images: int = 0,
    intervals: Mapping[str, Mapping[str, tuple[float, float]]] | None = None,
) -> None:
    """sds, intervals: by label, the standard deviations over seeds and the intervals of the means; images: number of
    test images."""
    with score_table(("", *(titles[name] for name in names))):
        for label, row in rows.items():
            with tags.tr():
                tags.th(label, scope="row")
                for name in names:
                    cell = _shown(name, row[name], images) if name in row else "–"
                    sd = sds.get(label, {}).get(name)
                    varies = bool(sd) and name != "bit_equal"
                    with tags.td(f"{cell}\u00a0±\u00a0{_shown(name, sd, images)}" if varies else cell):
                        if varies and intervals:
                            low, high = intervals[label][name]
                            tags.small(f"{_shown(name, low, images)} to {_shown(name, high, images)}")


def _shown(name: str, value: float | None, images: int) -> str:
    if value is None:
        return "no difference" if name == "psnr" else "–"
    if name == "bit_equal":
        return f"{value} of {images}"
    if name in MILLIONS:
        return f"{value / 1e6:.3g}"
    if name in ("kept_images", "kept_patients"):
        return f"{value:g}"
    if name in SHARES:
        return f"{value:z.{0 if name == 'retention' else 1}%}"
    return f"{value:z.{1 if name == 'psnr' else 3 if name == 'seconds_per_step' else 4}f}"


def proofs_table(study: Study) -> None:
    """Three proofs for each run whose donor stayed frozen: equal hashes, equal outputs, equal score."""
    proven = [method for method in study.methods if method.proofs]
    if not proven:
        return
    task, score = study.tasks[0], NAMES[proven[0].score_names[0]]
    tags.h2("Proofs that the donor is unchanged")
    with score_table(("", "SHA-256 of the donor", "after taking the task off", "outputs", f"{score} before", "after")):
        for method in proven:
            for one in method.seeds or [method]:
                for stage, proof in enumerate(one.proofs, 1):
                    _proof(method.label, proof, one, stage, task.images)
    tags.p(
        f"The task was put on its donor, applied to new images and taken off again. The remaining weights were hashed "
        f"and applied to {task.name} in the same way as the donor. If the donor had to be fitted to a run's number of "
        f"channels, it was read from its unchanged file for {task.name}.",
        cls="note",
    )


def _proof(label: str, proof: Mapping, method: Method, stage: int, images: int) -> None:
    R, equal = method.R, method.measures[stage][0]["bit_equal"]
    fitted = f"fitted; its file {_short(proof['on_disk'])}" if "on_disk" in proof else ""
    with tags.tr():
        tags.th(label, tags.small(proof["run"]), scope="row")
        tags.td(_short(proof["donor"]), tags.small(fitted))
        tags.td(_short(proof["taken_off"]) + _mark(proof["donor"] == proof["taken_off"]))
        tags.td(f"{equal} of {images} equal bit for bit" + _mark(equal == images))
        tags.td(f"{R[0, 0]:.10f}")
        tags.td(f"{R[stage, 0]:.10f}" + _mark(R[stage, 0] == R[0, 0]))


def _short(hashes: Mapping[str, str]) -> str:
    return ", ".join(f"{sha256[:12]}…" for sha256 in hashes.values())


def _mark(equal: bool) -> str:
    return " ✓" if equal else " ✗ differs"


def matrices(study: Study) -> None:
    """The result matrix of each method: rows are the networks, columns the tasks."""
    with tags.div(cls="figures"):
        for method in study.methods:
            with tags.figure(cls="wide" if len(study.tasks) > 2 else ""), tags.table(cls="scores"):
                with tags.thead(), tags.tr():
                    tags.th(method.label, scope="col")
                    for task, name in zip(study.tasks, method.score_names, strict=True):
                        tags.th(task.name, tags.small(NAMES[name]), scope="col")
                with tags.tbody():
                    for i, (task, network) in enumerate(zip(study.tasks, [study.donor, *method.runs], strict=True)):
                        with tags.tr():
                            tags.th(f"after {task.name}", tags.small(network), scope="row")
                            for j, value in enumerate(method.R[i]):
                                _matrix_cell(value, just_learnt=i == j)


def _matrix_cell(value: float, just_learnt: bool) -> None:
    shade = f"background:rgba(0,114,178,{0.55 * min(max(np.nan_to_num(value), 0), 1):.2f})"
    border = ";outline:2px solid var(--text);outline-offset:-2px" if just_learnt else ""
    tags.td("–" if np.isnan(value) else f"{value:z.4f}", style=shade + border)
