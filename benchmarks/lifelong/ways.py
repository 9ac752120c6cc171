"""Ways to learn one task after the other, and which of them a sequence allows."""

from collections.abc import Sequence
from dataclasses import dataclass

from benchmarks.forgetting import FROZEN, TUNED
from benchmarks.lifelong.sequence import Task
from util.errors import UserError


@dataclass(frozen=True)
class Way:
    """flags: of every run. later: of every run but the first. after: each run starts from the run before it, and not
    from the donor. holds: it keeps something of old tasks, which only --model pix2pix can."""

    flags: list[str]
    later: tuple[str, ...] = ()
    after: bool = False
    holds: bool = False


WAYS = {
    "finetune": Way(["--adapt", "finetune", *TUNED], after=True),
    "ewc": Way(["--adapt", "ewc", *TUNED], after=True, holds=True),
    "lwf": Way(["--adapt", "lwf", *TUNED], after=True, holds=True),
    "replay": Way(["--replay", "20", *TUNED], after=True, holds=True),
    "joint": Way(["--replay", "all", *TUNED], after=True, holds=True),
    "masks": Way(["--adapt", "masks", *FROZEN]),
    "ternary": Way(["--adapt", "ternary", *FROZEN]),
    "filter_bank": Way(["--adapt", "filter_bank", *FROZEN]),
    "filter_bank_cumulative": Way(["--adapt", "filter_bank", *FROZEN], later=("--bank", "cumulative"), after=True),
    "lowrank": Way(["--adapt", "lowrank", *FROZEN]),
    "norm_only": Way(["--adapt", "norm_only", *FROZEN]),
    "head_only": Way(["--adapt", "head_only", *FROZEN]),
    "scratch": Way(["--adapt", "scratch", *TUNED]),
}
"""By name. The learning rates are those that suit each way on lungs (benchmarks/forgetting.md)."""


def check_ways(asked: Sequence[str] | None) -> None:
    """UserError: an unknown way."""
    for name in asked or ():
        if name not in WAYS:
            raise UserError(f"--ways {name}: unknown; choose of {', '.join(WAYS)}")


def ways_of(asked: Sequence[str] | None, tasks: Sequence[Task]) -> list[str]:
    """The names of the ways that were asked for, or of all that can learn these tasks. UserError: one cannot."""
    unable = next((task for task in tasks[1:] if task.opt.model != "pix2pix"), None)
    able = [name for name, way in WAYS.items() if not (unable and way.holds)]
    for name in asked or ():
        if unable and name not in able:
            raise UserError(f"--ways {name}: only for --model pix2pix, and task {unable.name} has {unable.opt.model}")
    return list(dict.fromkeys(asked or able))
