"""Flags of forgetting.py. The options.json of a run says how to build its network and how to read its task's data."""

import argparse
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from options.base import DIRECTIONS
from options.flags.types import count, limit, whole
from options.parser import Parser, Values
from options.script import check
from util.commands import CHECKPOINTS_DIR
from util.errors import UserError
from util.folds.record import members, refuse_folds

DATA = {"data": "dataroot", "mode": "dataset_mode", "phase": "phase", "classes": "classes", "direction": "direction"}
"""The end of a flag here (--old_data, --new_data) to the flag of test.py with the same meaning."""
COLUMNS = ("input", "truth", "donor")
"""Columns of the page that a method's label must not repeat."""


@dataclass(frozen=True)
class Asked:
    """opt: the flags. methods: each method's label to its seeds, each seed's runs, one for each new task.
    tasks: the typed flags that describe the data of each task; the old task first."""

    opt: argparse.Namespace
    methods: Mapping[str, list[list[str]]]
    tasks: list[Values]

    def compared(self, task: int) -> dict[str, object]:
        """What is compared on a task, ready for JSON: the donor on the old one (0), and the runs that learnt a new one;
        and what else makes figures differ. Recorded with the results, and compared before they are replaced."""
        opt = self.opt
        if not task:
            kid = str(opt.kid_weights or "")
            limit = None if opt.num_test == math.inf else opt.num_test
            return {"donor": opt.donor, "epoch": opt.epoch, "num_test": limit, "kid_weights": kid}
        return {"runs": {label: [runs[task - 1] for runs in seeds] for label, seeds in self.methods.items()}}


def parse(argv: list[str] | None = None) -> Asked:
    """The command line of forgetting.py. UserError: mistakes that the user can correct."""
    parser = Parser(
        description="Compare runs that started from one donor: what they learnt, what they forgot, and cost."
    )
    _add_runs(parser.add_argument_group("runs"))
    _add_old_task(
        parser.add_argument_group("old task, which the donor was trained for; by default what its options.json says")
    )
    _add_new_tasks(
        parser.add_argument_group(
            "new tasks, by default what the runs' options.json say. One value for all new tasks, or one for each"
        )
    )
    _add_measuring(parser.add_argument_group("measuring"))
    opt = parser.parse_all(argv, {})
    methods = {label: _of_folds(seeds, opt) for label, seeds in _methods(opt.runs).items()}
    check(argparse.Namespace(**vars(opt) | {"phase": opt.old_phase}))
    lengths = {len(runs) for seeds in methods.values() for runs in seeds}
    if len(lengths) > 1:
        raise UserError(f"--runs {' '.join(opt.runs)}: every method needs as many runs as there are new tasks")
    return Asked(opt, methods, [_data(opt, "old"), *_new_data(opt, lengths.pop())])


def _add_runs(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--donor", required=True, help="the generator that the runs started from, as for --pretrained")
    group.add_argument(
        "--runs",
        required=True,
        nargs="+",
        metavar="RUN",
        help="runs to compare. RUN, or LABEL=RUN. After several new tasks RUN,RUN,...: the run that learnt the first "
        "task, the run that learnt the second task after it, ... For several seeds RUN+RUN+...: figures are their "
        "means and standard deviations, pictures those of the first",
    )
    group.add_argument("--epoch", default="latest", help="which saved epoch of the runs: latest, best or a number")
    group.add_argument("--name", default="forgetting", help="the page goes to <results_dir>/<name>")
    group.add_argument("--checkpoints_dir", default=CHECKPOINTS_DIR, help="folder of all runs")
    group.add_argument("--results_dir", default="./results/", help="folder of all pages")


def _add_old_task(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--old_data", help="folder of its images (test.py's --dataroot)")
    group.add_argument("--old_mode", help="their layout on disk (--dataset_mode)")
    group.add_argument("--old_phase", default="test", help="which part of them to test on")
    group.add_argument("--old_classes", help="meaning of the target's colours (--classes)")
    group.add_argument("--old_direction", choices=DIRECTIONS, help="BtoA swaps input and target")


def _add_new_tasks(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--new_data", nargs="+", help="folders of their images")
    group.add_argument("--new_mode", nargs="+", help="their layout on disk")
    group.add_argument("--new_phase", nargs="+", default=["test"], help="which part of them to test on (default: test)")
    group.add_argument("--new_classes", nargs="+", help="meaning of the targets' colours")
    group.add_argument("--new_direction", nargs="+", choices=DIRECTIONS, help="BtoA swaps input and target")


def _add_measuring(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--gpu_ids", default=None, help="-1: the CPU; 0: the first GPU; default: a GPU if there is one")
    group.add_argument("--batch_size", type=count, default=8, help="images at a time")
    group.add_argument("--num_threads", type=whole, default=4, help="processes that load data")
    group.add_argument("--num_test", type=limit, default=float("inf"), help="test on the first images of each task")
    group.add_argument(
        "--kid_weights",
        type=Path,
        help="measure KID by the features of torchvision's inception_v3, whose state dict is in this file; default: by "
        "those of a network with random weights",
    )
    group.add_argument(
        "--curve_points",
        type=whole,
        default=6,
        help="show at most this many saved epochs of a run in the curve of forgetting (0: no curve)",
    )
    group.add_argument("--pictures", type=count, default=4, help="inputs of each task that the page shows")
    group.add_argument("--display_winsize", type=count, default=200, help="picture width on the page")
    group.add_argument("--verbose", action="store_true", help="print tracebacks of errors")


def _data(opt: argparse.Namespace, side: str, task: int = 0) -> Values:
    """The flags of test.py for a task's data, where --old_... or --new_... give any. side: old or new."""
    given = {flag: getattr(opt, f"{side}_{end}") for end, flag in DATA.items()}
    values = {flag: value[task % len(value)] if isinstance(value, list) else value for flag, value in given.items()}
    return {flag: value for flag, value in values.items() if value}


def _new_data(opt: argparse.Namespace, tasks: int) -> list[Values]:
    for end in DATA:
        values: list[str] = getattr(opt, f"new_{end}") or []
        if len(values) not in (0, 1, tasks):
            raise UserError(
                f"--new_{end} {' '.join(values)}: {len(values)} values for {tasks} new tasks; "
                f"give one, or {tasks} (and to --runs RUN,RUN,... for a sequence of tasks)"
            )
    return [_data(opt, "new", task) for task in range(tasks)]


def _of_folds(seeds: list[list[str]], opt: argparse.Namespace) -> list[list[str]]:
    """Each seed's runs. The name of a cross-validation stands for the runs of its folds, as if they were seeds."""
    checkpoints_dir, whole = Path(opt.checkpoints_dir), []
    for runs in seeds:
        for run in runs if len(runs) > 1 else ():
            refuse_folds(checkpoints_dir, run, f"--runs {run}")
        whole += [runs] if len(runs) > 1 else [[run] for run in members(checkpoints_dir, runs[0])]
    return whole


def _methods(words: list[str]) -> dict[str, list[list[str]]]:
    methods: dict[str, list[list[str]]] = {}
    for word in words:
        label, equals, names = word.rpartition("=")
        seeds = [sequence.split(",") for sequence in names.split("+")]
        label = label if equals else " + ".join(" then ".join(runs) for runs in seeds)
        if not all(run for runs in seeds for run in runs) or not label or label in (*methods, *COLUMNS):
            wrong = (
                "used twice"
                if label in methods
                else ("want RUN or LABEL=RUN, with RUN,RUN,... for several tasks, RUN+RUN+... for several seeds")
            )
            raise UserError(f"--runs {word}: {wrong}")
        if len({*map(tuple, seeds)}) < len(seeds):
            raise UserError(f"--runs {word}: a run is named twice; several seeds are different runs")
        methods[label] = seeds
    return methods
