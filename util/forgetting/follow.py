"""Follow a method from task to task: measure its network on every task after each task that it learnt."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from util.forgetting.measure import Measured, against, chance, line, score_name, scores
from util.forgetting.pictures import Pictures
from util.forgetting.plan import Plan
from util.forgetting.study import Method, training
from util.run import aside
from util.score.evaluate import ImageSet


class Bench(Protocol):
    """Applies runs to data sets (`models.apply.bench.Bench`)."""

    def measure(self, folder: Path, data: ImageSet, epoch: int | None = None, /) -> Measured: ...
    def untrained(self, data: ImageSet, /) -> Measured: ...
    def taken_off(self, folder: Path, old: ImageSet, new: ImageSet, /) -> tuple[Measured, dict]: ...
    def costs(self, folder: Path, recorded: Mapping[str, Any], /) -> dict[str, Any]: ...


def start_scores(bench: Bench, data: Sequence[ImageSet]) -> list[float | None]:
    """The score of random weights on each task; None without ground truth."""
    measured = [bench.untrained(each).measures for each in data]
    return [measures.get(score_name(measures)) for measures in measured]


def measure_method(plan: Plan, bench: Bench, pictures: Pictures, curve_points: int) -> Method:
    """Everything that the page shows of a method. curve_points: at most so many saved epochs of each run."""
    method = Method(plan.label, plan.runs, plan.adapt)
    learnt = _follow(method, plan, bench, pictures)
    method.chance = [chance(measured) for measured in learnt]
    method.costs = [bench.costs(*run) for run in zip(plan.stages[1:], plan.recorded[1:], strict=True)]
    method.training = [training(options) for options in plan.recorded[1:]]
    method.curve = _curve(plan, bench, learnt, curve_points)
    return method


def _follow(method: Method, plan: Plan, bench: Bench, pictures: Pictures) -> list[Measured]:
    """Measure the donor and then each run on every task; returns each task's measures just after it was learnt.

    Later outputs for a task are compared with those. If the donor is frozen, each new task is measured with the file of
    the run that learnt it, and the old task with the donor that remains when the last file is taken off.
    """
    learnt: list[Measured] = []
    for after, stage in enumerate(plan.stages):
        beside = plan.frozen and after > 0
        row = [
            bench.measure(plan.stages[task] if beside and 0 < task < after else stage, data)
            for task, data in enumerate(plan.data)
        ]
        if beside:
            row[0], proof = bench.taken_off(stage, plan.data[0], plan.data[after])
            method.proofs.append(proof)
        learnt.append(row[after])
        method.measures.append([against(now, *learnt[task : task + 1]) for task, now in enumerate(row)])
        for task, (now, data) in enumerate(zip(row, plan.data, strict=True)):
            if after or not pictures.rows.get(task):  # the donor is the same for every method
                network = f"{plan.label}: {stage.name}" if after else "donor"
                print(f"{network} on {data.name}: {line(now)}", flush=True)
            if task == after:  # on other tasks the outputs need not vary
                print(*(f"check the pictures: {fault}\n" for fault in now.evaluation.faults.values()), sep="", end="")
            if after in (0, len(plan.stages) - 1):
                pictures.add(task, data.loader.dataset, plan.label if after else "donor", now)
    return learnt


def _curve(plan: Plan, bench: Bench, learnt: Sequence[Measured], most: int) -> list[dict]:
    """Scores on every task at up to `most` of the saved epochs of each run, counted on from run to run; 0: the donor.

    With a frozen donor, learnt tasks cannot change (`_follow` proves it), so they are not measured again.
    """
    points = [{"epoch": 0, "scores": scores([bench.measure(plan.stages[0], data) for data in plan.data], learnt)}]
    start = 0
    for after, stage in enumerate(plan.stages[1:], 1):
        epochs = saved_epochs(stage)
        done = after if plan.frozen else 0
        for epoch in spread(epochs, most) if most else []:
            row = [*learnt[:done], *(bench.measure(stage, data, epoch) for data in plan.data[done:])]
            points.append({"epoch": start + epoch, "scores": scores(row, learnt)})
        start += max(epochs, default=0)
    # A run from scratch started from random weights, which were not saved, and not from the donor.
    return points[1:] if plan.adapt == "scratch" else points


def saved_epochs(folder: Path) -> list[int]:
    """The numbered epochs of a run that are on disk, in order."""
    return sorted(int(name) for name in aside.saved_epochs(folder) if name.isdigit())


def spread(epochs: Sequence[int], most: int) -> list[int]:
    """At most `most` of the saved epochs with the first and the last, denser at the start, where learning is fast."""
    epochs = sorted(epochs)
    if len(epochs) <= most:
        return epochs
    wanted = np.geomspace(epochs[0], epochs[-1], most) if most > 1 else [epochs[-1]]
    return sorted({min(epochs, key=lambda epoch: abs(epoch - x)) for x in wanted})
