"""What train.py says before the first step, after the first steps and at the end: images, time, places, best epoch."""

import math
import time
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from util.contracts import ClassMap, ScoredData

if TYPE_CHECKING:
    from torch import Tensor

STEPS = 10
"""A step's time is the mean of this many, without the first one, which also sets things up."""


def data_in_words(train: ScoredData, val: ScoredData | None) -> str:
    """How many images a training learns from and validates on, of how many patients, in which classes."""
    without = f" (and {len(train.unlabelled)} without masks)" if train.unlabelled else ""
    parts = [
        f"{_images(train)} to train on{without}",
        f"{_images(val)} to validate on" if val else "none to validate on",
    ]
    words = f"data: {', '.join(parts)}"
    if train.classes:
        words += f"; classes: {', '.join(train.classes.names)}"
    empty, masks = (sum(pair) for pair in zip(train.empty, val.empty if val else (0, 0), strict=True))
    counted = f"{empty} of {masks} mask{'s' * (masks != 1)}"
    return words + (f"; {counted} ({empty / masks:.0%}) {'is' if empty == 1 else 'are'} empty" if masks else "")


def _images(data: ScoredData) -> str:
    counts = {"image": len(data.ids), "patient": len(set(data.patients))}
    words = [f"{count} {noun}{'s' * (count != 1)}" for noun, count in counts.items()]
    return " of ".join(words if data.classes else words[:1])


def places_in_words(folder: Path, page: bool, named: bool) -> str:
    """Where a run's results go. page: whether it writes one. named: whether the run has a name of its own."""
    why = "" if named else " (named after data and model; --name gives another name)"
    return f"results: {folder}{why}" + (f"; page: {folder / 'web' / 'index.html'}" if page else "")


def best_in_words(best: tuple[int, float], classes: ClassMap | None) -> str:
    """The epoch with the best validation score, and that score (`Evaluation.score`). classes: of the validation."""
    name = "Dice" if classes is None or classes.binary else "mIoU"
    return f"{best[0]}, validation {name} {best[1]:.4f}"


def end_in_words(folder: Path, page: bool, best: str, test: str) -> list[str]:
    """What to look at next. best: by `best_in_words`, or "". test: the command that tests the run."""
    lines = [f"best epoch: {best}"] if best else []
    lines += [f"page: {folder / 'web' / 'index.html'}"] if page else []
    return [*lines, f"to test it: {test}"]


class Pace:
    """Measures the first steps of a training by the clock, and says how long an epoch and the run will take.

    The clock is read twice, and only then the device is waited for: a GPU works on its own, so that the time between
    two calls says nothing.
    """

    def __init__(self, images: int, epochs: int) -> None:
        self._images, self._epochs = images, epochs
        self._steps, self._started = 0, 0.0

    def step(self, losses: Mapping[str, "Tensor"], images: int) -> str:
        """Count a step on `images` images of all processes. Returns the line when it is due, else ""."""
        self._steps += 1
        if self._steps not in (1, STEPS):
            return ""
        for loss in losses.values():
            float(loss)  # waits for the device
        if self._steps == 1:
            self._started = time.monotonic()
            return ""
        step = (time.monotonic() - self._started) / (STEPS - 1)
        epoch = step * math.ceil(self._images / images)
        whole = f", the {self._epochs} epochs {span(epoch * self._epochs)}" if self._epochs > 1 else ""
        return f"time: a step takes {step:.2g} s, so an epoch about {span(epoch)}{whole}, without validation"


def span(seconds: float) -> str:
    """A time for people: 42 s, 0:12:05."""
    return f"{seconds:.0f} s" if seconds < 100 else str(timedelta(seconds=round(seconds)))
