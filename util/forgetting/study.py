"""The figures of a study: what each method learnt, kept and cost."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from util.flags import Fact, flags
from util.forgetting import continual, seeds
from util.forgetting.measure import FLOAT, score_name
from util.run.aside import KEPT

FROM_DONOR = ("finetune", "scratch", "ewc", "lwf")
"""Values of --adapt that train a whole generator, not a task beside a frozen one."""
BETWEEN = (
    "forgetting",
    "retention",
    "backward_transfer",
    "relative_backward_transfer",
    "forward_transfer",
    "forward_generalisability",
)
"""Figures of what tasks do to each other."""


@dataclass(frozen=True)
class Task:
    """A data set to learn. images: number of test images."""

    name: str
    phase: str
    images: int


@dataclass
class Method:
    """One way to learn all tasks. runs: the run that learnt each new task; adapt: how (--adapt)."""

    label: str
    runs: list[str]
    adapt: str
    measures: list[list[dict[str, Any]]] = field(default_factory=list)  # [after task i][on task j]
    chance: list[float] = field(default_factory=list)  # of each task
    costs: list[dict[str, Any]] = field(default_factory=list)  # of each run, see measure.costs
    curve: list[dict] = field(default_factory=list)  # {"epoch": int, "scores": one for each task}
    training: list[dict] = field(default_factory=list)  # of each run: its recorded training options
    seeds: list["Method"] = field(default_factory=list)  # the methods that `merge` made this one of
    proofs: list[dict] = field(default_factory=list)  # of each run beside a frozen donor: hashes before and after

    @property
    def score_names(self) -> list[str]:
        """Which measure is the score of each task."""
        return [score_name(row[i]) for i, row in enumerate(self.measures)]

    @property
    def plain(self) -> bool:
        """Whether all weights learnt the new tasks, and nothing held the old ones."""
        return self.adapt == "finetune" and not self._holds

    @property
    def alone(self) -> bool:
        """Whether each task was learnt from random weights, by a network that saw no other."""
        return self.adapt == "scratch" and not self._holds

    @property
    def _holds(self) -> bool:
        return any("old_bytes" in cost for cost in self.costs)

    @property
    def R(self) -> np.ndarray:
        """The result matrix [T, T], see util.forgetting.continual."""
        # In a float array None, an undefined score, becomes NaN.
        return np.array([[row[j].get(name) for j, name in enumerate(self.score_names)] for row in self.measures], float)


def merge(methods: Sequence[Method]) -> Method:
    """One method that was measured with several seeds, as means over them; of a single one, itself."""
    first, *others = methods
    if not others:
        return first
    return Method(
        first.label,
        ["+".join(runs) for runs in zip(*(m.runs for m in methods), strict=True)],
        first.adapt,
        [
            [seeds.mean(cells) for cells in zip(*rows, strict=True)]
            for rows in zip(*(m.measures for m in methods), strict=True)
        ],
        np.mean([m.chance for m in methods], 0).tolist(),
        [seeds.mean(costs) for costs in zip(*(m.costs for m in methods), strict=True)],
        seeds.mean_curve([m.curve for m in methods]) if all(m.curve for m in methods) else [],
        [seeds.settings(each) for each in zip(*(m.training for m in methods), strict=True)],
        list(methods),
        [proof for m in methods for proof in m.proofs],
    )


@dataclass
class Study:
    """Everything that the page and the files beside it show.

    features: name of the features that KID is measured by. start: the score of random weights on each task, None where
    there is none. wrong_starts: for each sequence of runs, a phrase for each run that did not start from the network
    before it. learnt: a phrase for each run that learnt, or may have learnt, from images that it is tested on.
    """

    donor: str
    donor_costs: dict[str, Any]
    tasks: list[Task]
    methods: list[Method]
    features: str
    wrong_starts: list[list[str]] = field(default_factory=list)
    learnt: list[str] = field(default_factory=list)
    start: Sequence[float | None] | None = None

    def alone(self) -> np.ndarray | None:
        """The score of each task when it is learnt alone from random weights [T], the mean over all methods that do so;
        None if there are none."""
        return _just_learnt([method for method in self.methods if method.alone])

    def reference(self) -> np.ndarray | None:
        """The score of full fine-tuning on each task [T], the mean over all such methods; None if there are none."""
        return _just_learnt([method for method in self.methods if method.plain])

    def retention(self, method: Method, task: int) -> float | None:
        """How much of a task a method kept, see util.forgetting.continual; the mean over seeds."""
        if method.seeds:
            return seeds.mean([{"kept": self.retention(seed, task)} for seed in method.seeds])["kept"]
        return continual.retention(method.R[-1, task], method.R[task, task], method.chance[task])

    def unchanged(self, method: Method) -> bool:
        """Whether the method's outputs for all earlier tasks are still the same, bit for bit."""
        last = method.measures[-1][:-1]
        return all(m["bit_equal"] == task.images for m, task in zip(last, self.tasks[:-1], strict=True))

    def figures(self, method: Method) -> dict[str, Any]:
        """The method's line in the table: what it kept, learnt and cost; the mean over seeds.

        new_score is the mean over the new tasks with a ground truth. Costs are sums over the method's runs. Undefined
        figures are None, and so are those between tasks for a method that learnt each alone.
        """
        if method.seeds:
            return seeds.mean([self.figures(seed) for seed in method.seeds])
        R = method.R
        kept = [self.retention(method, task) for task in range(len(R) - 1)]
        figures = {
            "old_before": R[0, 0],
            "old_after": R[-1, 0],
            "forgetting": continual.forgetting(R),
            "retention": _mean(kept),
            **self._learning(method),
            **self._transfer(method),
            "average_score": continual.average_score(R),
            "backward_transfer": continual.backward_transfer(R),
            "relative_backward_transfer": continual.relative_backward_transfer(R),
            **self._costs(method),
        }
        if method.alone:  # its networks never saw the donor or each other
            figures |= dict.fromkeys(BETWEEN)
        return {name: value if value is None else float(value) for name, value in figures.items()}

    def _learning(self, method: Method) -> dict[str, float | None]:
        """Figures of the new tasks that have a ground truth; None if there are none."""
        # Without ground truth the score is the similarity to the method's own outputs: always 1 when just learnt.
        scored = [j for j, name in enumerate(method.score_names) if j == 0 or name != "ssim"]
        if len(scored) < 2:
            return {"new_score": None, "intransigence": None}
        R, reference = method.R[np.ix_(scored, scored)], self.reference()
        return {
            "new_score": float(np.diagonal(R)[1:].mean()),
            "intransigence": None if reference is None else continual.intransigence(R, reference[scored]),
        }

    def _transfer(self, method: Method) -> dict[str, float | None]:
        """What tasks do for later ones, over the new tasks that have a ground truth; None if there are none."""
        scored = [name != "ssim" for name in method.score_names]
        start, alone = (_where(scored, values) for values in (self.start, self.alone()))
        return {
            "forward_transfer": continual.forward_transfer(method.R, start),
            "forward_generalisability": continual.forward_generalisability(method.R, start),
            "restricted_ability": continual.restricted_ability(method.R, alone),
        }

    def _costs(self, method: Method) -> dict[str, float | None]:
        """Sums over the method's runs, and what one new task costs.

        growth: what all tasks add to the donor on disk, as a share of its weights in float32; 0 where one generator
        does all tasks. kept_images, kept_patients, kept_bytes: the most that a run kept of old tasks while it learnt.
        """
        costs, tasks, donor = method.costs, max(1, len(method.costs)), self.donor_costs.get("trainable")
        sums = {name: sum(cost[name] for cost in costs) for name in ("trainable", "bytes", "training_bytes")}
        added = 0 if method.adapt in FROM_DONOR and not method.alone else sums["bytes"]
        kept = {f"kept_{name}": max((c.get(f"old_{name}", 0) for c in costs), default=0) for name in KEPT}
        return {
            **sums,
            **{f"{name}_per_task": sums[name] / tasks for name in ("trainable", "bytes")},
            "growth": added / (FLOAT * donor) if donor else None,
            **kept,
            "seconds_per_step": _mean([cost["seconds_per_step"] for cost in costs]),
        }

    def deviations(self, method: Method) -> dict[str, float]:
        """The figures' standard deviations over seeds; {} for a single one."""
        return seeds.deviation([self.figures(seed) for seed in method.seeds])

    def intervals(self, method: Method) -> dict[str, tuple[float, float]]:
        """The 95 % intervals of the figures' means over seeds; {} for a single one."""
        return seeds.interval([self.figures(seed) for seed in method.seeds])


def training(recorded: Mapping[str, object]) -> dict[str, object]:
    """The recorded options that may make a run's training longer than another's, or different from it."""
    return {name: recorded[name] for name in flags(Fact.TRAINING) if name in recorded}


def _just_learnt(methods: Sequence[Method]) -> np.ndarray | None:
    """The score of each task when it was just learnt [T], the mean over methods; None without methods."""
    return np.mean([np.diagonal(method.R) for method in methods], 0) if methods else None


def _where(scored: Sequence[bool], values: Sequence[float | None] | np.ndarray | None) -> np.ndarray:
    """Values of tasks [T] as floats, NaN for those that are not scored, and for all if there are no values."""
    known = np.full(len(scored), np.nan) if values is None else np.array(values, dtype=float)
    return np.where(scored, known, np.nan)


def _mean(values: Sequence[float | None]) -> float | None:
    """The mean, None where a value is."""
    numbers = [value for value in values if value is not None]
    return float(np.mean(numbers)) if len(numbers) == len(values) else None
