"""Exponential moving averages of the generators' weights (`--ema`). Validation and saving use them."""

import contextlib
from collections.abc import Iterator

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from models.base import BaseModel
from util.contracts import Stateful
from util.run.tensors import copy_exactly


class Average:
    """The moving average of a network's state, or of a task's (`--adapt`).

    source: its `state_dict` holds the live tensors. decay: in [0, 1), the share of the average that a step keeps. The
    first steps keep less, (1 + steps) / (10 + steps), or a short run would average little but its start. Counters are
    not averaged. The average begins with the first step; before that `swap` does nothing.
    """

    def __init__(self, source: Stateful, decay: float):
        self.source, self.decay, self.steps = source, decay, 0
        self._live: dict[str, torch.Tensor] = {}
        self._aside: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights after a step of the optimizer."""
        if not self.steps:
            self._begin()
        decay = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        averaged = [name for name, tensor in self._live.items() if tensor.is_floating_point()]
        average = get_ema_multi_avg_fn(decay)
        average([self._aside[name] for name in averaged], [self._live[name] for name in averaged], None)
        for name in self._live.keys() - set(averaged):
            self._aside[name].copy_(self._live[name])

    @torch.no_grad()
    def swap(self) -> None:
        """Exchange the network's weights and the average. A second call exchanges them back."""
        for name, live in self._live.items():
            before = live.clone()
            live.copy_(self._aside[name])
            self._aside[name].copy_(before)

    def state_dict(self) -> dict:
        """The tensors that are not in the network now. Saved after `swap`, these are the trained weights."""
        return {"aside": self._aside, "steps": self.steps}

    @torch.no_grad()
    def load_state_dict(self, state: dict) -> None:
        """Continue from a run's files. The saved network must have been loaded before. ValueError: not such a state."""
        self.steps = state["steps"]
        if type(self.steps) is not int or self.steps < 0:
            raise ValueError("its number of steps is none")
        if self.steps:
            self._begin()
            for name, live in self._live.items():
                copy_exactly(live, state["aside"][name])

    def _begin(self) -> None:
        self._live = dict(self.source.state_dict())
        self._aside = {name: tensor.clone() for name, tensor in self._live.items()}


class Averages(dict[str, Average]):
    """The moving average of each generator of a model that trains, by name. With a decay of 0 there are none."""

    def __init__(self, model: BaseModel, decay: float):
        names = [name for name in model.networks if name.startswith("G")] if decay else []
        super().__init__({name: Average(model.tasks.get(name, model.networks[name]), decay) for name in names})

    def step(self) -> None:
        """Take in the weights after a training step."""
        for average in self.values():
            average.update()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """Inside the `with` block the networks hold the averages; after it the trained weights are back."""
        for average in self.values():
            average.swap()
        try:
            yield
        finally:
            for average in self.values():
                average.swap()
