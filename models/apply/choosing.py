"""--task auto: of several tasks on one frozen donor, each image gets that whose training images it resembles most."""

import argparse
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from models.base import BaseModel
from models.piggyback.files import load_task
from models.piggyback.inputs import Chooser, Inputs, features
from models.piggyback.task import Task, switch
from util.contracts import Batch, Translator
from util.errors import UserError
from util.score.trust.plausible import COLUMN

UNLIKE = "image unlike those of every task"
OF_THE_DONOR = "image of the donor's own task, whose output is no mask of these classes"


class Chosen(NamedTuple):
    """name: of the task; "base" for the donor's own. distance: how far the image is from that task's training images;
    beyond 1 are 1 in 100 of their own kind. doubt: why the mask is none, UNLIKE or OF_THE_DONOR; else ""."""

    name: str
    distance: float
    doubt: str


class Choosing:
    """Looks at each image with the donor, then applies the task that the image belongs to, or none if it belongs to
    the donor's own, which is known if one of the task files describes its images.

    models: share one generator (`share_donor`). each: applies one of them. labels: their names. chosen: of all images
    translated so far, in order, or since `chosen_for` took them.
    """

    def __init__(self, models: Sequence[BaseModel], each: Sequence[Translator], labels: Sequence[str]) -> None:
        self._first = models[0]
        self._tasks: list[Task | None] = [model.tasks[model.translator] for model in models]
        inputs = [_inputs_of(model) for model in models]
        self._each, self._labels, self._doubts = [*each], [*labels], [""] * len(models)
        if knowing := next((task for task in self._tasks if task and task.old_inputs), None):
            self._tasks.append(None)
            inputs += filter(None, [knowing.old_inputs])
            self._each.append(each[0])
            self._labels.append("base")
            self._doubts.append("" if _draws_the_same(knowing.about) else OF_THE_DONOR)
        self._chooser = Chooser(inputs)
        self.chosen: list[Chosen] = []

    def translate(self, images: torch.Tensor) -> torch.Tensor:
        net = self._first.generator(self._first.translator)
        switch(net, None)
        choices = self._chooser.choose(features(net, images.to(self._first.device)))
        outputs: dict[int, torch.Tensor] = {}
        for task in sorted({choice.task for choice in choices}):
            switch(net, self._tasks[task])
            own = [index for index, choice in enumerate(choices) if choice.task == task]
            outputs |= dict(zip(own, self._each[task].translate(images[own]), strict=True))
        self.chosen += [
            Chosen(self._labels[choice.task], choice.distance, UNLIKE if choice.unlike else self._doubts[choice.task])
            for choice in choices
        ]
        return torch.stack([outputs[index] for index in range(len(images))])

    def companions(self, batch: Batch) -> dict[str, torch.Tensor]:
        return {}


def chosen_for(translator: object, images: int) -> list[Chosen] | list[None]:
    """The tasks of the batch of images that was translated last; None for each where nothing is chosen. They are not
    kept, because there may be millions."""
    if not isinstance(translator, Choosing):
        return [None] * images
    chosen, translator.chosen = translator.chosen, []
    return chosen[-images:]


def add_choices(translator: object, rows: Sequence[dict]) -> None:
    """Add columns task and task_distance to the rows of an evaluation, if `translator` has chosen tasks for them. An
    image that belongs to none of them counts as implausible."""
    if isinstance(translator, Choosing):
        for row, chosen in zip(rows, translator.chosen, strict=True):
            row |= {"task": chosen.name, "task_distance": chosen.distance}
            row[COLUMN] = "; ".join(filter(None, (chosen.doubt, row.get(COLUMN, ""))))


def choices_in_words(rows: Iterable[dict]) -> str:
    """How many images each task got: "tasks chosen: montgomery 14, shenzhen 56"."""
    names = [row["task"] for row in rows]
    return "tasks chosen: " + ", ".join(f"{name} {names.count(name)}" for name in sorted(set(names)))


def share_donor(first: BaseModel, other: BaseModel) -> None:
    """Let a model use another one's donor, so that it is in memory once. UserError: its own is not the same."""
    if other is first:
        return
    net, file = first.generator(first.translator), other.loaded[other.translator]
    task = load_task(file, net)
    other.translator = first.translator
    other.networks, other.tasks, other.loaded = (
        {other.translator: net},
        {other.translator: task},
        {other.translator: file},
    )


def task_labels(runs: Sequence[argparse.Namespace]) -> list[str]:
    """What the tasks are called: by their runs, or by their files where these lie in one folder."""
    folders = {Path(run.checkpoints_dir) / run.name for run in runs}
    return [run.name if len(folders) == len(runs) else run.epoch for run in runs]


def _draws_the_same(about: Mapping[str, object]) -> bool:
    """Whether a task's donor draws the task's classes, by what the task's file tells."""
    options = about.get("options")
    return isinstance(options, dict) and about.get("old_classes", "") == options.get("classes")


def _inputs_of(model: BaseModel) -> Inputs:
    inputs = model.tasks[model.translator].inputs
    if inputs is None:
        raise UserError(
            f"--task auto: {model.loaded[model.translator]} does not say what its images look like (fewer than 16 were "
            "there, or their features were not finite); leave this run out, or name one run and no --task"
        )
    return inputs
