"""The progress and state of a training run, saved beside its networks so that it can resume exactly."""

import shutil
import signal
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import nn

from util.contracts import Stateful
from util.errors import UserError
from util.run.checkpoint import load_tensors, save_networks
from util.seeding import random_states, restore_random_states

VERSION = 1
FILE = "latest_train_state.pth"


@dataclass
class Progress:
    """How far a run has come, and its best validation score."""

    epoch: int = 1  # the current epoch
    images: int = 0  # images of that epoch already trained on
    iters: int = 0  # images trained on in the whole run
    best: float = float("-inf")  # best validation score
    best_epoch: int = 0
    since_best: int = 0  # validations since the best one

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
    """Write `latest_net_<X>.pth` and everything else that an exact resume needs.

    stateful: by kind and name, the objects whose state is saved: optimizers, schedulers, image pools, tasks of adapted
    generators, and moving averages of weights.
    """
    states = {kind: {name: one.state_dict() for name, one in objects.items()} for kind, objects in stateful.items()}
    state = {"version": VERSION, "progress": asdict(progress), "random": random_states(), **states}
    save_networks(folder, "latest", networks, stateful.get("tasks"), {folder / FILE: state})


def set_aside(folder: Path) -> None:
    """Move an older run's networks and options to <folder>/before, so that nobody takes them for the new run's.

    What an earlier call put there is deleted.
    """
    if not (networks := list(folder.glob("*.pth"))):
        return
    before = folder / "before"
    shutil.rmtree(before, ignore_errors=True)
    before.mkdir()
    for path in [*networks, *folder.glob("options.json")]:
        path.rename(before / path.name)
    print(f"moved the networks of the earlier run of this name to {before}")


def load_run(folder: Path, stateful: Mapping[str, Mapping[str, Stateful]]) -> Progress | None:
    """Restore optimizers, schedulers, random states and the like (`save_run`).

    Returns the progress; None if the folder has no train state, as a run of upstream's. UserError: the state does not
    belong to these objects.
    """
    path = folder / FILE
    if not path.is_file():
        return None
    state = load_tensors(path)
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise UserError(f"{path}: not a train state that this version can read; delete it to go on without optimizers")
    for kind, objects in stateful.items():
        stored = state.get(kind, {})
        if stored.keys() != objects.keys():
            raise UserError(
                f"{path}: belongs to a run with other {kind} ({', '.join(stored)}); check --model"
                + " and --ema" * (kind == "averages")
            )
        for name, one in objects.items():
            if kind == "optimizers" and _settings(stored[name]) != _settings(one.state_dict()):
                raise UserError(
                    f"{path}: optimizer {name} was made with other flags; continue with the run's own --optimizer, "
                    "--beta1, --weight_decay and --lr_encoder"
                )
            one.load_state_dict(stored[name])
    restore_random_states(state["random"])
    return Progress(**state["progress"])


def _settings(state: Mapping) -> list[tuple]:
    """What loading an optimizer's state would silently change. Learning rates do not count: schedules set those."""
    names = ("betas", "momentum", "weight_decay", "decoupled_weight_decay")
    return [(len(group["params"]), *(group.get(name, 0) for name in names)) for group in state["param_groups"]]


class Interrupts:
    """Turns Ctrl-C and SIGTERM into an exit code, so that the current step can end. A second signal stops at once.

    with Interrupts() as interrupts:
        ...
        if interrupts.code:  # 130 or 143; 0 without a signal
            save and leave
    """

    code = 0

    def __enter__(self) -> "Interrupts":
        self._before = {number: signal.signal(number, self._note) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def _note(self, number: int, frame: object) -> None:
        if self.code:
            self.__exit__()
            signal.raise_signal(number)
        self.code = 128 + number

    def __exit__(self, *exception: object) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
