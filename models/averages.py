"""Exponential moving averages of the generators' weights (`--ema`): what is validated and saved instead of them."""

import contextlib
from collections.abc import Iterator

import torch
from torch.optim.swa_utils import get_ema_multi_avg_fn

from models.base import BaseModel


class Average:
    """The moving average of a network's state, or of a task's (`--adapt`).

    source: what has `state_dict` with its live tensors. decay: in [0, 1), the share of the average that a step keeps;
    in the first steps less, (1 + steps) / (10 + steps), or the start would be all there is in a short run. Counters
    are not averaged. The average begins with the first step; until then there is none and `swap` does nothing.
    """

    def __init__(self, source, decay: float):
        self.source, self.decay, self.steps = source, decay, 0
        self._live: dict[str, torch.Tensor] = {}
        self._aside: dict[str, torch.Tensor] = {}

    @torch.no_grad()
    def update(self) -> None:
        """After a step of the optimizer."""
        if not self.steps:
            self._begin()
        kept = min(self.decay, (1 + self.steps) / (10 + self.steps))
        self.steps += 1
        averaged = [name for name, tensor in self._live.items() if tensor.is_floating_point()]
        average = get_ema_multi_avg_fn(kept)
        average([self._aside[name] for name in averaged], [self._live[name] for name in averaged], None)
        for name in self._live.keys() - set(averaged):
            self._aside[name].copy_(self._live[name])

    @torch.no_grad()
    def swap(self) -> None:
        """Put the average in the weights' place and them aside, or back."""
        for name, live in self._live.items():
            before = live.clone()
            live.copy_(self._aside[name])
            self._aside[name].copy_(before)

    def state_dict(self) -> dict:
        """What lies aside. In a run's files, written after `swap`, the network is the average, this the weights."""
        return {"aside": self._aside, "steps": self.steps}

    @torch.no_grad()
    def load_state_dict(self, state: dict) -> None:
        """Go on from a run's files, with the saved network in place."""
        self.steps = state["steps"]
        if self.steps:
            self._begin()
            for name, live in self._live.items():
                live.copy_(state["aside"][name])

    def _begin(self) -> None:
        self._live = dict(self.source.state_dict())
        self._aside = {name: tensor.clone() for name, tensor in self._live.items()}


class Averages(dict[str, Average]):
    """Of each generator of a model that trains, by its name; of none with a decay of 0."""

    def __init__(self, model: BaseModel, decay: float):
        names = [name for name in model.networks if name.startswith("G")] if decay else []
        super().__init__({name: Average(model.tasks.get(name, model.networks[name]), decay) for name in names})

    def update(self) -> None:
        """After a training step."""
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
