"""Flags of forgetting.py. How a task is read and a network built comes from options.json of the run that learnt it."""

import argparse
from pathlib import Path

from options.parser import Parser, check
from options.test import parse as parse_test
from options.types import count, limit, whole
from util.errors import UserError

# What one calls it here: the flag of test.py that it stands for.
DATA = {"data": "dataroot", "mode": "dataset_mode", "phase": "phase", "classes": "classes", "direction": "direction"}
COLUMNS = ("input", "truth", "donor")  # of the page: no method's label
ONE_TASK = "One value for all new tasks, or one for each"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """forgetting.py's options; `methods` maps each method's label to its runs, one for each new task."""
    parser = Parser(description="What runs that started from one donor have learnt, what they forgot, what they cost.")
    group = parser.add_argument_group("runs")
    group.add_argument("--donor", required=True, help="the generator they started from, as --pretrained names it")
    group.add_argument("--runs", required=True, nargs="+", metavar="RUN",
                       help="runs to compare. RUN, or LABEL=RUN; after several new tasks RUN,RUN,...: the run that "
                            "learnt the first, the one that learnt the second after it, ...")
    group.add_argument("--epoch", default="latest", help="which saved epoch of the runs: latest, best or a number")
    group.add_argument("--name", default="forgetting", help="the page goes to <results_dir>/<name>")
    group.add_argument("--checkpoints_dir", default="./checkpoints", help="folder of all runs")
    group.add_argument("--results_dir", default="./results/", help="folder of all pages")

    group = parser.add_argument_group("old task, what the donor was trained for; by default what its options.json says")
    group.add_argument("--old_data", help="folder of its images (test.py's --dataroot)")
    group.add_argument("--old_mode", help="how they lie on disk (--dataset_mode)")
    group.add_argument("--old_phase", default="test", help="which part of them to test on")
    group.add_argument("--old_classes", help="what the target's colours mean (--classes)")
    group.add_argument("--old_direction", choices=("AtoB", "BtoA"), help="BtoA swaps input and target")

    group = parser.add_argument_group(f"new tasks, by default what the runs' options.json say. {ONE_TASK}")
    group.add_argument("--new_data", nargs="+", help="folders of their images")
    group.add_argument("--new_mode", nargs="+", help="how they lie on disk")
    group.add_argument("--new_phase", nargs="+", default=["test"], help="which part of them to test on")
    group.add_argument("--new_classes", nargs="+", help="what the targets' colours mean")
    group.add_argument("--new_direction", nargs="+", help="AtoB or BtoA")

    group = parser.add_argument_group("measuring")
    group.add_argument("--gpu_ids", default=None, help="-1: the CPU; 0: the first GPU; default: a GPU if there is one")
    group.add_argument("--batch_size", type=count, default=8, help="images at a time")
    group.add_argument("--num_threads", type=whole, default=4, help="processes that load data")
    group.add_argument("--num_test", type=limit, default=float("inf"), help="test on the first images of each task")
    group.add_argument("--curve_points", type=whole, default=6,
                       help="how many saved epochs of a run the curve of forgetting shows at most (0: no curve)")
    group.add_argument("--pictures", type=count, default=4, help="inputs of each task that the page shows")
    group.add_argument("--display_winsize", type=count, default=200, help="picture width on the page")
    group.add_argument("--verbose", action="store_true", help="print tracebacks of errors")
    opt = parser.parse_all(argv, {})
    opt.methods = _methods(opt.runs)
    check(argparse.Namespace(**vars(opt) | {"phase": opt.old_phase}))
    lengths = {len(runs) for runs in opt.methods.values()}
    if len(lengths) > 1:
        raise UserError(f"--runs {' '.join(opt.runs)}: every method needs as many runs as there are new tasks")
    opt.new_tasks = lengths.pop()
    for what in DATA:
        values = getattr(opt, f"new_{what}") or [None]
        if len(values) not in (1, opt.new_tasks):
            raise UserError(f"--new_{what} {' '.join(values)}: {len(values)} values for {opt.new_tasks} new tasks; "
                            f"give one, or {opt.new_tasks} (and to --runs RUN,RUN,... for a sequence of tasks)")
        setattr(opt, f"new_{what}", values * (opt.new_tasks // len(values)))
    return opt


def _methods(words: list[str]) -> dict[str, list[str]]:
    methods: dict[str, list[str]] = {}
    for word in words:
        label, equals, names = word.rpartition("=")
        runs = names.split(",")
        label = label if equals else " then ".join(runs)
        if not all(runs) or not label or label in (*methods, *COLUMNS):
            wrong = "used twice" if label in methods else "want RUN or LABEL=RUN, with RUN,RUN,... for several tasks"
            raise UserError(f"--runs {word}: {wrong}")
        methods[label] = runs
    return methods


def words_of_task(opt: argparse.Namespace, task: int) -> list[str]:
    """test.py's flags for the data of a task: 0 is the old one."""
    given = {flag: getattr(opt, f"old_{what}") if task == 0 else getattr(opt, f"new_{what}")[task - 1]
             for what, flag in DATA.items()}
    return [f"--{flag}={value}" for flag, value in given.items() if value]


def as_test(
    opt: argparse.Namespace, models: dict[str, type], datasets: dict[str, type], folder: Path, epoch: str | int,
    words: list[str],
) -> argparse.Namespace:
    """The options with which test.py would apply epoch `epoch` of the run in `folder`, given further flags `words`.

    Dropout is off: what is compared must not be drawn at random.
    """
    here = [f"--checkpoints_dir={folder.parent}", f"--name={folder.name}", f"--epoch={epoch}",
            f"--batch_size={opt.batch_size}", f"--num_threads={opt.num_threads}"]  # fmt: skip
    values = vars(parse_test(models, datasets, [*here, *words]))
    return argparse.Namespace(**values | {"stochastic": False})
