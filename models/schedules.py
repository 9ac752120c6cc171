"""Learning-rate schedules, stepped by train.py at the end of each epoch."""

import argparse
import math
from functools import partial

from torch.optim import Optimizer
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, ReduceLROnPlateau


def linear_factor(done: int, constant: int, decay: int) -> float:
    """Factor for the epoch after `done` finished ones: 1 for `constant` epochs, then a straight line to 1/(decay+1)."""
    return 1.0 - max(0, done + 1 - constant) / (decay + 1)


def cosine_factor(done: int, total: int) -> float:
    """Half a cosine over all `total` epochs: 1 in the first, nearly 0 in the last."""
    return 0.5 * (1 + math.cos(math.pi * min(done, total) / total))


def step_factor(done: int, every: int, gamma: float = 0.1) -> float:
    """`gamma` times smaller after each `every` epochs."""
    return gamma ** (done // every)


class FactorLR(LambdaLR):
    """The initial learning rate times a function of the finished epochs.

    Its state is the number of epochs alone, so that a resumed run follows the schedule of its present flags.
    """

    def state_dict(self) -> dict[str, int]:
        return {"last_epoch": self.last_epoch}

    def load_state_dict(self, state_dict: dict[str, int]) -> None:
        self.last_epoch = state_dict["last_epoch"]
        rates = [base * factor(self.last_epoch) for base, factor in zip(self.base_lrs, self.lr_lambdas, strict=True)]
        for group, rate in zip(self.optimizer.param_groups, rates, strict=True):
            group["lr"] = rate
        self._last_lr = rates
        self.optimizer._opt_called = True  # it stepped before the run was stopped: no warning at the next step


def create_schedulers(opt: argparse.Namespace, optimizers: dict[str, Optimizer]) -> dict[str, LRScheduler]:
    """A schedule for each optimizer by `--lr_policy`; `plateau` watches the validation score (higher is better)."""
    factors = {
        "linear": partial(linear_factor, constant=opt.n_epochs, decay=opt.n_epochs_decay),
        "cosine": partial(cosine_factor, total=opt.n_epochs + opt.n_epochs_decay),
        "step": partial(step_factor, every=opt.lr_decay_iters),
    }
    if opt.lr_policy == "plateau":
        plateau = partial(ReduceLROnPlateau, mode="max", factor=0.2, threshold=1e-3, threshold_mode="abs", patience=5)
        return {name: plateau(optimizer) for name, optimizer in optimizers.items()}
    factor, start = factors[opt.lr_policy], opt.epoch_count - 1
    return {name: FactorLR(opt_, lambda done: factor(done + start)) for name, opt_ in optimizers.items()}


def step_schedulers(schedulers: dict[str, LRScheduler], score: float | None) -> None:
    """End of an epoch. `score`: the validation score, or None when this epoch had no validation."""
    for scheduler in schedulers.values():
        if not isinstance(scheduler, ReduceLROnPlateau):
            scheduler.step()
        elif score is not None:
            scheduler.step(score)
