"""Learning-rate schedules, stepped by train.py at the end of each epoch."""

import argparse
import math
from collections.abc import Callable, Mapping
from functools import partial
from pkgutil import resolve_name

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau

from models.optim import LR_POLICIES


def linear_factor(done: int, constant: int, decay: int) -> float:
    """Factor of the epoch after `done` finished ones: 1 for `constant` epochs, then a straight line to 1/(decay+1).

    Upstream's schedule: it would reach zero one epoch after the last, so that no epoch is wasted.
    """
    return 1.0 - max(0, done + 1 - constant) / (decay + 1)


def cosine_factor(done: int, total: int) -> float:
    """Half a cosine over all `total` epochs: 1 in the first, nearly 0 in the last."""
    return 0.5 * (1 + math.cos(math.pi * min(done, total) / total))


def step_factor(done: int, every: int, gamma: float = 0.1) -> float:
    """The factor is multiplied by `gamma` after every `every` epochs."""
    return gamma ** (done // every)


def warmup_factor(done: int, epochs: int) -> float:
    """A straight line up: 1/(epochs + 1) in the first epoch, 1 after `epochs` of them."""
    return min(1.0, (done + 1) / (epochs + 1))


def finished_epochs(state: Mapping[str, float]) -> int:
    """The epochs that a run had finished, from any schedule's state. `last_epoch` of plateau counts validations."""
    return _counts(state)["done" if "done" in state else "last_epoch"]


def _counts(state: Mapping[str, float]) -> dict[str, int]:
    """The counts in a schedule's state. ValueError: one of them cannot be."""
    counts: dict[str, int] = {}
    for name in ("done", "drops", "num_bad_epochs", "last_epoch"):
        if name in state:
            value = state[name]
            if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value < 10**6:
                raise ValueError("its learning rates' schedule counts no epochs")
            counts[name] = value
    return counts


class FactorLR(LambdaLR):
    """The initial learning rate times a function of the finished epochs.

    start: epochs that were finished before this schedule began (`--epoch_count`). The state is only the number of
    epochs, so that a resumed run follows the schedule of its present flags.
    """

    def __init__(self, optimizer: Optimizer, factor: Callable[[int], float], start: int):
        self.start = start
        super().__init__(optimizer, lambda done: factor(start + done))

    def state_dict(self) -> dict[str, int]:
        return {"last_epoch": self.start + self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.last_epoch = finished_epochs(state_dict) - self.start
        rates = [base * factor(self.last_epoch) for base, factor in zip(self.base_lrs, self.lr_lambdas, strict=True)]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = rates
        # The optimizer stepped before the run was stopped. torch cannot know that, and would warn at the next step.
        vars(self.optimizer)["_opt_called"] = True


class PlateauLR(ReduceLROnPlateau):
    """Divides the learning rate by five after more than `patience` validations without a gain of 0.001.

    Validations during the first `warmup` epochs do not count. done: finished epochs. drops: divisions so far. Learning
    rate, patience and warm-up are not part of the state, so that a resumed run follows its present flags. After another
    schedule it starts with the initial rate.
    """

    def __init__(self, optimizer: Optimizer, patience: int, warmup: int, done: int):
        super().__init__(optimizer, mode="max", factor=0.2, threshold=1e-3, threshold_mode="abs", patience=patience)
        self.initial = [group["lr"] for group in optimizer.param_groups]
        self.warmup, self.done, self.drops = warmup, done, 0
        self._set_rates()

    def end_epoch(self, score: float | None) -> None:
        """score: the epoch's validation score, higher is better; None without a validation."""
        warming_up = self.done < self.warmup
        self.done += 1
        if warming_up:
            self._set_rates()
        elif score is not None:
            self.step(score)

    def _reduce_lr(self, epoch: int) -> None:
        """Called by torch's `step` after too many validations without a gain."""
        self.drops += 1
        self._set_rates()

    def _set_rates(self) -> None:
        for group, rate in zip(self.optimizer.param_groups, self.initial, strict=True):
            for _ in range(self.drops):
                rate *= self.factor
            group["lr"] = rate * warmup_factor(self.done, self.warmup)

    def state_dict(self) -> dict[str, float]:
        return {name: getattr(self, name) for name in ("done", "drops", "best", "num_bad_epochs", "last_epoch")}

    def load_state_dict(self, state_dict: dict[str, float]) -> None:
        self.done = finished_epochs(state_dict)
        if "done" in state_dict:  # else it is another schedule's
            counts = _counts(state_dict)
            self.drops, self.best = counts.get("drops", 0), float(state_dict["best"])
            self.num_bad_epochs, self.last_epoch = counts["num_bad_epochs"], counts["last_epoch"]
            if "drops" not in state_dict:
                self.drops = self._drops_of(self.optimizer.param_groups[0]["lr"])
        self._set_rates()

    def _drops_of(self, rate: float) -> int:
        """The divisions that led to the rate of a saved optimizer, for states of versions that did not count them."""
        if self.done < self.warmup or not 0 < rate < self.initial[0]:
            return 0
        return round(math.log(rate / self.initial[0], self.factor))


def linear(optimizer: Optimizer, opt: argparse.Namespace) -> FactorLR:
    """--lr_policy linear"""
    return _by_factor(optimizer, opt, partial(linear_factor, constant=opt.n_epochs, decay=opt.n_epochs_decay))


def step(optimizer: Optimizer, opt: argparse.Namespace) -> FactorLR:
    """--lr_policy step"""
    return _by_factor(optimizer, opt, partial(step_factor, every=opt.lr_decay_iters))


def cosine(optimizer: Optimizer, opt: argparse.Namespace) -> FactorLR:
    """--lr_policy cosine"""
    return _by_factor(optimizer, opt, partial(cosine_factor, total=opt.n_epochs + opt.n_epochs_decay))


def plateau(optimizer: Optimizer, opt: argparse.Namespace) -> PlateauLR:
    """--lr_policy plateau"""
    return PlateauLR(optimizer, opt.patience, opt.warmup, opt.epoch_count - 1)


def _by_factor(optimizer: Optimizer, opt: argparse.Namespace, policy: Callable[[int], float]) -> FactorLR:
    return FactorLR(optimizer, lambda done: policy(done) * warmup_factor(done, opt.warmup), opt.epoch_count - 1)


def create_schedulers(opt: argparse.Namespace, optimizers: dict[str, Optimizer]) -> dict[str, LRScheduler]:
    """A schedule for each optimizer, by `--lr_policy` and `--warmup`."""
    create = resolve_name(LR_POLICIES[opt.lr_policy])
    return {name: create(optimizer, opt) for name, optimizer in optimizers.items()}


def step_schedulers(schedulers: Mapping[str, LRScheduler], score: float | None) -> None:
    """Call at the end of each epoch. score: its validation score, higher is better; None without a validation."""
    for scheduler in schedulers.values():
        if isinstance(scheduler, PlateauLR):
            scheduler.end_epoch(score)
        else:
            scheduler.step()
