"""The progress and state of a training run, saved beside its networks so that it can resume exactly."""

import contextlib
import os
import signal
import stat
import sys
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path

import torch
from torch import nn
from torch.optim import Optimizer

from util import distributed
from util.contracts import Stateful
from util.errors import UserError
from util.faults import is_fault
from util.run.checkpoint import load_tensors, save_networks
from util.run.together import check_files
from util.seeding import random_states, restore_random_states, seed_everything

VERSION = 1
FILE = "latest_train_state.pth"
OTHERS = "other processes"  # where a state keeps what differs in each process but the first


@dataclass
class Progress:
    """How far a run has come, and its best validation score."""

    epoch: int = 1  # the current epoch
    images: int = 0  # images of that epoch already trained on
    iters: int = 0  # images trained on in the whole run
    best: float = float("-inf")  # best validation score
    best_epoch: int = 0
    since_best: int = 0  # validations since the best one
    reported: dict = field(default_factory=dict)  # sums over the current epoch, for its row of metrics.csv

    @staticmethod
    def of(stored: Mapping) -> "Progress":
        """From a train state. ValueError: a value that no run could have reached."""
        progress = Progress(**stored)
        counts = [value for name, value in asdict(progress).items() if name not in ("best", "reported")]
        if not all(type(count) is int and 0 <= count < 2**53 for count in counts) or type(progress.best) is not float:
            raise ValueError("its progress holds an impossible value")
        return progress

    def note_score(self, score: float) -> bool:
        """Remember this epoch's validation score; True if it is the best so far."""
        if score > self.best:
            self.best, self.best_epoch, self.since_best = score, self.epoch, 0
            return True
        self.since_best += 1
        return False


def save_run(
    folder: Path, networks: Mapping[str, nn.Module], stateful: Mapping[str, Mapping[str, Stateful]], progress: Progress
) -> None:
    """Write `latest_net_<X>.pth` and everything else that an exact resume needs. All processes call this together, and
    the first one writes.

    stateful: by kind and name, the objects whose state is saved: optimizers, schedulers, image pools, tasks of adapted
    generators, and moving averages of weights. Of these, only the pools differ between processes.
    """
    own = {"random": random_states(), "pools": _states(stateful.get("pools", {}))}
    first, *others = distributed.gather(own)
    if distributed.rank():
        return
    states = {kind: _states(objects) for kind, objects in stateful.items()}
    state = {"version": VERSION, "progress": asdict(progress), **states, **first, OTHERS: others}
    save_networks(folder, "latest", networks, stateful.get("tasks"), {folder / FILE: state})


def load_run(folder: Path, stateful: Mapping[str, Mapping[str, Stateful]]) -> Progress | None:
    """Restore optimizers, schedulers, random states and the like (`save_run`).

    Returns the progress; None if the folder has no train state, as a run of upstream's. UserError: the state does not
    belong to these objects, or the files beside it are not those that were saved with it.
    """
    path = folder / FILE
    if (state := read_state(path, whole=True)) is None:
        return None
    with refusing_damage(path):
        for kind, objects in stateful.items():
            stored = state.get(kind, {})
            if stored.keys() != objects.keys():
                raise UserError(
                    f"{path}: belongs to a run with other {kind} ({', '.join(stored)}); check --model"
                    + ", --ema and --unlabelled" * (kind == "averages")
                )
            for name, one in objects.items():
                if isinstance(one, Optimizer):
                    _load_optimizer(path, name, one, stored[name])
                else:
                    one.load_state_dict(stored[name])
        _restore_own(state, stateful.get("pools", {}))
        return Progress.of(state["progress"])


@contextlib.contextmanager
def refusing_damage(path: Path) -> Iterator[None]:
    """Inside the `with` block a train state, read from `path`, is put to use. UserError: it could not be."""
    try:
        yield
    except UserError:
        raise
    except Exception as error:  # a state that no run saved makes torch and Python raise nearly anything
        if is_fault(error):
            raise
        raise UserError(
            f"{path}: damaged, or not of this run ({error}); delete it to go on from these weights with new optimizers"
        ) from error


def _states(objects: Mapping[str, Stateful]) -> dict[str, Mapping]:
    return {name: one.state_dict() for name, one in objects.items()}


def _restore_own(state: Mapping, pools: Mapping[str, Stateful]) -> None:
    """Restore what differs between the processes. One that was not there before draws a seed from the first one's."""
    others, rank = state.get(OTHERS, []), distributed.rank()
    if distributed.world_size() != len(others) + 1:
        distributed.say(f"from now on {distributed.world_size()} processes instead of {len(others) + 1}")
    restore_random_states(state["random"])
    if 0 < rank <= len(others):
        restore_random_states(others[rank - 1]["random"])
        for name, pool in pools.items():
            pool.load_state_dict(others[rank - 1]["pools"][name])
    elif rank:
        seed_everything(int(torch.randint(2**31, (1,))) + rank)


def read_state(path: Path, whole: bool) -> dict | None:
    """A train state; None without one. whole: with the files that were saved with it. UserError: `load_run`."""
    if not path.is_file():
        return None
    state = load_tensors(path)
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise UserError(f"{path}: not a train state that this version can read; delete it to go on without optimizers")
    if whole:
        with refusing_damage(path):
            check_files(path, state)
    return state


def _load_optimizer(path: Path, name: str, optimizer: Optimizer, stored: Mapping) -> None:
    """Restore what an optimizer remembers of each parameter, and its learning rates.

    UserError: it was made with other flags. ValueError: what it remembers is not of these parameters.
    """
    own = optimizer.state_dict()
    if _settings(stored) != _settings(own):
        raise UserError(
            f"{path}: optimizer {name} was made with other flags; continue with the run's own --optimizer, "
            "--beta1, --weight_decay and --lr_encoder"
        )
    # All else in its groups is equal, or depends on the device.
    groups = zip(own["param_groups"], stored["param_groups"], strict=True)
    groups = [group | {"lr": float(saved["lr"])} for group, saved in groups]
    optimizer.load_state_dict({"state": stored["state"], "param_groups": groups})
    known = {parameter for group in optimizer.param_groups for parameter in group["params"]}
    fitting = all(
        _remembers(parameter, kind, value)
        for parameter, remembered in optimizer.state.items()
        for kind, value in remembered.items()
    )
    kinds = {frozenset(remembered) for remembered in optimizer.state.values()}
    # torch turned whole numbers into fractions of the parameter's kind when it loaded them.
    fitting &= all(value.is_floating_point() for saved in stored["state"].values() for value in saved.values())
    if not fitting or len(kinds) > 1 or not optimizer.state.keys() <= known:
        raise ValueError(f"optimizer {name} remembers other parameters")


def _remembers(parameter: torch.Tensor, kind: str, value: object) -> bool:
    """Whether an optimizer can hold this of a parameter: the number of its steps, or a mean over them."""
    if not torch.is_tensor(value):
        return False
    return value.shape == () and bool(0 <= value < 2**53) if kind == "step" else value.shape == parameter.shape


def _settings(state: Mapping) -> list[tuple]:
    """What loading an optimizer's state would silently change. Learning rates do not count: schedules set those."""
    names = ("betas", "momentum", "weight_decay", "decoupled_weight_decay")
    return [(len(group["params"]), *(group.get(name, 0) for name in names)) for group in state["param_groups"]]


IMPATIENT = (signal.SIGINT, signal.SIGTERM)
# A terminal that closes sends SIGHUP, often twice. Slurm sends SIGUSR1 before the time limit (--signal) and SIGTERM at
# it. Windows has neither.
SIGNALS = (*IMPATIENT, *(getattr(signal, name) for name in ("SIGHUP", "SIGUSR1") if hasattr(signal, name)))


class Interrupts:
    """Turns a signal to stop into an exit code, so that the current step can end and be saved.

    The signals are Ctrl-C, SIGTERM, SIGHUP and SIGUSR1. A second one of the first two stops at once.

    with Interrupts() as interrupts:
        ...
        if interrupts.code:  # 128 + the signal's number, such as 130 after Ctrl-C; 0 without a signal
            save and leave
    """

    code = 0

    def __enter__(self) -> "Interrupts":
        # nohup has SIGHUP ignored, and that holds.
        heard = [n for n in SIGNALS if n in IMPATIENT or signal.getsignal(n) is not signal.SIG_IGN]
        self._before = {number: signal.signal(number, self._note) for number in heard}
        return self

    def _note(self, number: int, frame: object) -> None:
        if self.code - 128 in IMPATIENT and number in IMPATIENT:
            self.__exit__()
            signal.raise_signal(number)
        if number not in IMPATIENT:
            _forget_closed_terminal()
        self.code = self.code or 128 + number

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)


def _forget_closed_terminal() -> None:
    """Write to nowhere what would go to a terminal that is gone: an error there would come before the last save."""
    for stream in (sys.stdout, sys.stderr):
        try:
            descriptor = stream.fileno()
            if stat.S_ISCHR(os.fstat(descriptor).st_mode) and not os.isatty(descriptor):
                os.dup2(os.open(os.devnull, os.O_WRONLY), descriptor)
        except (OSError, ValueError):  # no file, as in a test
            continue
