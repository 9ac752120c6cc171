"""Flags of forgetting.py. How a task is read and a network built comes from options.json of the run that learnt it."""

import argparse
import re
from collections.abc import Callable
from pathlib import Path

from options.parser import Parser, check
from options.test import parse as parse_test
from options.types import count, limit, whole
from util.errors import UserError
from util.files import read_options

# What one calls it here: the flag of test.py that it stands for.
DATA = {"data": "dataroot", "mode": "dataset_mode", "phase": "phase", "classes": "classes", "direction": "direction"}
COLUMNS = ("input", "truth", "donor")  # of the page: no method's label
ONE_TASK = "One value for all new tasks, or one for each"


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """forgetting.py's options; `methods` maps each method's label to its seeds' runs, one for each new task."""
    parser = Parser(description="What runs that started from one donor have learnt, what they forgot, what they cost.")
    group = parser.add_argument_group("runs")
    group.add_argument("--donor", required=True, help="the generator they started from, as --pretrained names it")
    group.add_argument(
        "--runs",
        required=True,
        nargs="+",
        metavar="RUN",
        help="runs to compare. RUN, or LABEL=RUN; after several new tasks RUN,RUN,...: the run that "
        "learnt the first, the one that learnt the second after it, ... Runs that differ in their "
        "seed: RUN+RUN+...; figures are their means and standard deviations, pictures the first's",
    )
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
    group.add_argument(
        "--kid_weights",
        type=Path,
        help="measure KID by the state dict of torchvision's inception_v3 in this file, not by the "
        "features of a network with random weights",
    )
    group.add_argument(
        "--curve_points",
        type=whole,
        default=6,
        help="how many saved epochs of a run the curve of forgetting shows at most (0: no curve)",
    )
    group.add_argument("--pictures", type=count, default=4, help="inputs of each task that the page shows")
    group.add_argument("--display_winsize", type=count, default=200, help="picture width on the page")
    group.add_argument("--verbose", action="store_true", help="print tracebacks of errors")
    opt = parser.parse_all(argv, {})
    opt.methods = _methods(opt.runs)
    check(argparse.Namespace(**vars(opt) | {"phase": opt.old_phase}))
    lengths = {len(runs) for seeds in opt.methods.values() for runs in seeds}
    if len(lengths) > 1:
        raise UserError(f"--runs {' '.join(opt.runs)}: every method needs as many runs as there are new tasks")
    opt.new_tasks = lengths.pop()
    for what in DATA:
        values = getattr(opt, f"new_{what}") or [None]
        if len(values) not in (1, opt.new_tasks):
            raise UserError(
                f"--new_{what} {' '.join(values)}: {len(values)} values for {opt.new_tasks} new tasks; "
                f"give one, or {opt.new_tasks} (and to --runs RUN,RUN,... for a sequence of tasks)"
            )
        setattr(opt, f"new_{what}", values * (opt.new_tasks // len(values)))
    return opt


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
        methods[label] = seeds
    return methods


class Runs:
    """The options with which test.py would apply each run, and read the data of each task.

    donor: the file of the donor's generator; make: flags for a folder that upstream wrote, which records none.
    """

    def __init__(
        self,
        opt: argparse.Namespace,
        models: dict[str, type],
        datasets: dict[str, type],
        donor: Path,
        make: Callable[[Path, str], list[str]],
    ):
        self._opt, self._registries, self._make = opt, (models, datasets), make
        named = re.fullmatch(r"(.+)_net_G(_A)?\.pth", donor.name)
        if "_task_" in donor.name:
            raise UserError(
                f"--donor {opt.donor}: {donor} is a task beside a donor: name that donor, or plain weights "
                f"(python -m models.piggyback export {opt.donor})"
            )
        if not named:
            raise UserError(
                f"--donor {opt.donor}: {donor} is not named like latest_net_G.pth; name it so, in a folder of its own"
            )
        self.donor, self._donor_epoch = donor.resolve().parent, named[1]
        self.donor_name = self.donor.name if named[1] == "latest" else donor.stem
        self._known: dict[tuple, argparse.Namespace] = {}

    def folder(self, run: str) -> Path:
        """The folder of one of --runs."""
        folder = (Path(self._opt.checkpoints_dir) / run).resolve()
        if not folder.is_dir():
            raise UserError(f"--runs {run}: there is no run {folder}; check the name and --checkpoints_dir")
        kinds = ("net", "task")
        saved = {p.name.split(f"_{kind}_")[0] for kind in kinds for p in folder.glob(f"*_{kind}_G*.pth")}
        if self._opt.epoch not in saved:
            raise UserError(
                f"--runs {run}: {folder} holds no generator of --epoch {self._opt.epoch}; saved epochs: "
                f"{', '.join(sorted(saved)) or 'none'}"
            )
        return folder

    def recorded(self, folder: Path) -> dict[str, object]:
        """A run's options.json; {} without one."""
        path = folder / "options.json"
        return read_options(path) if path.is_file() else {}

    def adapt(self, folder: Path) -> str:
        """How a run learnt: train.py's --adapt; finetune where nothing is recorded."""
        return str(self.recorded(folder).get("adapt", "finetune"))

    def options(
        self, folder: Path, epoch: int | None = None, task: int | None = None, base: bool = False
    ) -> argparse.Namespace:
        """epoch: None for --epoch, or the donor's own; task: with the data of this task, 0 the old one; base: without
        what an adapted run added to its donor. Dropout is off: what is compared must not be drawn at random."""
        key = folder, epoch, task, base
        if key not in self._known:
            at = epoch or (self._donor_epoch if folder == self.donor else self._opt.epoch)
            words = [
                f"--checkpoints_dir={folder.parent}",
                f"--name={folder.name}",
                f"--epoch={at}",
                f"--batch_size={self._opt.batch_size}",
                f"--num_threads={self._opt.num_threads}",
                *self._make(folder, at),
                *(["--task=base"] if base else []),
                *self._data(task),
            ]
            self._known[key] = argparse.Namespace(**vars(parse_test(*self._registries, words)) | {"stochastic": False})
        return self._known[key]

    def _data(self, task: int | None) -> list[str]:
        if task is None:
            return []
        given = {
            flag: getattr(self._opt, f"new_{what}")[task - 1] if task else getattr(self._opt, f"old_{what}")
            for what, flag in DATA.items()
        }
        return [f"--{flag}={value}" for flag, value in given.items() if value]
