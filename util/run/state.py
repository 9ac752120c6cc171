"""Where a training run stands, saved beside its networks so that it can go on exactly there."""

import shutil
import signal
from dataclasses import asdict, dataclass
from pathlib import Path

from torch import nn

from util import distributed
from util.errors import UserError
from util.run.checkpoint import load_tensors, save_networks
from util.seeding import random_states, restore_random_states

VERSION = 1
FILE = "latest_train_state.pth"


@dataclass
class Progress:
    """How far a run has come, and how well it does."""

    epoch: int = 1  # the epoch under way
    images: int = 0  # images of that epoch already trained on
    iters: int = 0  # images trained on in all
    best: float = float("-inf")  # best validation score
    best_epoch: int = 0
    since_best: int = 0  # validations since then

    def note_score(self, score: float) -> bool:
        """Take in this epoch's validation score; True when it is the best so far."""
        if score > self.best:
            self.best, self.best_epoch, self.since_best = score, self.epoch, 0
            return True
        self.since_best += 1
        return False


def save_run(folder: Path, networks: dict[str, nn.Module], steppers: dict[str, dict], progress: Progress) -> None:
    """Write `latest_net_<X>.pth` and all that an exact resume needs besides.

    steppers: by kind and name, what has `state_dict` and `load_state_dict`: optimizers, schedulers, image pools, the
    tasks of adapted generators (`save_networks`), and moving averages of weights, which go on from all the others.
    """
    if distributed.rank():
        return
    states = {kind: {name: thing.state_dict() for name, thing in things.items()} for kind, things in steppers.items()}
    whole = {"version": VERSION, "progress": asdict(progress), "random": random_states(), **states}
    save_networks(folder, "latest", networks, steppers.get("tasks"), {folder / FILE: whole})


def set_aside(folder: Path) -> None:
    """A new run under an old name: the old one's networks, which must not be taken for the new one's, go to `folder`
    /before with its options, in the place of what an earlier call put there."""
    if not (networks := list(folder.glob("*.pth"))):
        return
    before = folder / "before"
    shutil.rmtree(before, ignore_errors=True)
    before.mkdir()
    for path in [*networks, *folder.glob("options.json")]:
        path.rename(before / path.name)
    print(f"the networks of the earlier run of this name are in {before} now")


def load_run(folder: Path, steppers: dict[str, dict]) -> Progress | None:
    """Restore optimizers, schedulers and random states; None where the folder has no train state (upstream's)."""
    path = folder / FILE
    if not path.is_file():
        return None
    state = load_tensors(path)
    if not isinstance(state, dict) or state.get("version") != VERSION:
        raise UserError(f"{path}: not a train state that this version can read; delete it to go on without optimizers")
    for kind, things in steppers.items():
        stored = state.get(kind, {})
        if stored.keys() != things.keys():
            raise UserError(
                f"{path}: belongs to a run with other {kind} ({', '.join(stored)}); check --model"
                + " and --ema" * (kind == "averages")
            )
        for name, thing in things.items():
            if kind == "optimizers" and _make(stored[name]) != _make(thing.state_dict()):
                raise UserError(
                    f"{path}: optimizer {name} was made otherwise; go on with the run's own --optimizer, "
                    "--beta1, --weight_decay and --lr_encoder"
                )
            thing.load_state_dict(stored[name])
    restore_random_states(state["random"])
    return Progress(**state["progress"])


def _make(state: dict) -> list[tuple]:
    """What an optimizer's saved state would bring with it, learning rates apart: schedules see to those."""
    names = ("betas", "momentum", "weight_decay", "decoupled_weight_decay")
    return [(len(group["params"]), *(group.get(name, 0) for name in names)) for group in state["param_groups"]]


class Interrupts:
    """Turns Ctrl-C and SIGTERM into a flag, so that the step under way can end; a second one stops at once.

    with Interrupts() as interrupts: ... if interrupts.code: save and leave with that exit code (130 or 143).
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
