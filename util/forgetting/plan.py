"""What forgetting.py will measure: the runs of each method and the data of each task, checked before measuring."""

import argparse
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from util.errors import UserError
from util.forgetting.study import FROM_DONOR, Task
from util.score.evaluate import ImageSet

Read = Callable[[argparse.Namespace], ImageSet]


class Runs(Protocol):
    """The runs that the flags name (`options.runs.Runs`). donor: the donor's folder."""

    donor: Path

    def folder(self, run: str, /) -> Path: ...
    def recorded(self, folder: Path, /) -> Mapping[str, Any]: ...
    def options(self, folder: Path, /, *, task: int) -> argparse.Namespace: ...


@dataclass(frozen=True)
class Plan:
    """One method as learnt by the runs of one seed.

    runs: names, one for each new task. adapt: their --adapt. stages: folders, the donor's and then that of each run;
    recorded: the options.json of each stage; data: each task's images, the donor's task first.
    """

    label: str
    runs: list[str]
    adapt: str
    stages: list[Path]
    recorded: list[Mapping[str, Any]]
    data: list[ImageSet]

    @property
    def tasks(self) -> list[Task]:
        return [Task(data.name, data.phase, len(data.loader.dataset)) for data in self.data]

    @property
    def frozen(self) -> bool:
        """Whether the runs left the donor as it was and learnt beside it."""
        return self.adapt not in FROM_DONOR


def read_plans(methods: Mapping[str, Sequence[list[str]]], runs: Runs, read: Read) -> list[list[Plan]]:
    """The plans of all methods, one for each seed. methods: by label, each seed's runs; read: gives a run's data.

    UserError: runs or images that cannot be compared.
    """
    plans = [[_plan(label, names, runs, read) for names in seeds] for label, seeds in methods.items()]
    _same_images([plan for seeds in plans for plan in seeds])
    return plans


def _plan(label: str, names: list[str], runs: Runs, read: Read) -> Plan:
    stages = [runs.donor, *(runs.folder(name) for name in names)]
    recorded = [runs.recorded(stage) for stage in stages]
    ways = [str(options.get("adapt", "finetune")) for options in recorded[1:]]
    if len({way in FROM_DONOR for way in ways}) > 1:
        raise UserError(
            f"--runs {label}: some of its runs kept their donor frozen, others changed it (--adapt "
            f"{', '.join(ways)}); all runs of a sequence must do the same"
        )
    data = [_task_data(runs, read, stage, task) for task, stage in enumerate(stages)]
    return Plan(label, names, ways[-1], stages, recorded, data)


def _task_data(runs: Runs, read: Read, learner: Path, task: int) -> ImageSet:
    """The data of a task, as the run that learnt it reads them."""
    try:
        return read(runs.options(learner, task=task))
    except UserError as error:
        new = f"new task {task} (--new_data, --new_mode, --new_phase, ...)"
        raise UserError(f"{new if task else 'old task (--old_data, --old_mode, --old_phase, ...)'}: {error}") from error


def _same_images(plans: Sequence[Plan]) -> None:
    """UserError if two plans have different images for a task: their scores could not be compared."""
    first = plans[0]
    for plan in plans[1:]:
        for task in range(1, len(plan.data)):  # all read the old task as the donor does
            one, other = first.data[task], plan.data[task]
            if one.shows != other.shows:
                raise UserError(
                    f"--runs: for new task {task} {first.runs[task - 1]} learnt {one.name} ({len(one.loader.dataset)} "
                    f"images of {one.phase}) and {plan.runs[task - 1]} {other.name} ({len(other.loader.dataset)} of "
                    f"{other.phase}): name the test images of all with --new_data, --new_mode, --new_phase, "
                    "--new_classes, or compare these runs apart"
                )
