"""The options of further runs: those of test.py's `--name A,B`, `--compare` and `--within`, and forgetting.py's.

Each run is resolved from the flags that were typed, or that follow from the first run, and from its own options.json.
"""

import argparse
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from data.phantom import KINDS
from options.complete.names import existing_run, with_name
from options.forgetting import Asked
from options.parser import Values
from options.recorded import read_run, tasks_in_folder
from options.test import resolve
from util.commands import CHECKPOINTS_DIR, quoted
from util.errors import UserError
from util.flags import Fact, flags
from util.folds.record import OUT_OF_FOLD, members, refuse_folds
from util.run.aside import saved_epochs


def resolve_named(typed: Values) -> list[argparse.Namespace]:
    """test.py's options of every run of `--name A,B,C`, or of its only run. UserError: no such run.

    The name of a cross-validation stands for the runs of its folds. Typed flags hold for all runs. All of them read
    data by the --dataset_mode of the first and, but for phase out_of_fold, by its --fold.
    """
    typed = with_name(typed)
    listed, checkpoints_dir = str(typed["name"]), Path(str(typed.get("checkpoints_dir", CHECKPOINTS_DIR)))
    if tasks := listed_tasks(typed, checkpoints_dir / listed):
        return tasks
    names = [run for name in listed.split(",") for run in members(checkpoints_dir, name.strip())]
    if len(names) == 1:
        run = resolve({**typed, "name": names[0]})
        existing_run(checkpoints_dir, run.name, f"--name {run.name}")
        return [run]
    if "" in names or len(set(names)) < len(names):
        raise UserError(f"--name {listed}: want different runs between the commas")
    if typed.get("phase") == OUT_OF_FOLD and "epoch" not in typed:
        typed = typed | {"epoch": best_of_all(checkpoints_dir, names)}
    first = resolve({**typed, "name": names[0]})
    same = {**typed, "dataset_mode": first.dataset_mode}
    runs = [first] + [resolve({**same, "name": name}) for name in names[1:]]
    for run in runs:
        existing_run(checkpoints_dir, run.name, f"--name {listed}")
    if first.mask_threshold == "auto" and first.phase == "val" and len({getattr(run, "fold", -1) for run in runs}) > 1:
        raise UserError(
            f"--name {listed}, --mask_threshold auto: what validates one fold trains another, so no image can choose a "
            "threshold for all; give a number (--phase out_of_fold chooses one for each fold)"
        )
    return runs


def listed_tasks(typed: Values, folder: Path) -> list[argparse.Namespace]:
    """For --task auto, the options of every task file in a folder that is no run's; [] where it is one, or there is
    none, or --epoch names one of them."""
    shared = tasks_in_folder(folder) if typed.get("task") == "auto" and "epoch" not in typed else {}
    runs = [resolve({**typed, "epoch": name}) for name in shared]
    return [argparse.Namespace(**vars(run) | {"dataset_mode": runs[0].dataset_mode}) for run in runs]


def best_of_all(checkpoints_dir: Path, names: Sequence[str]) -> str:
    """The epoch `best` if every run has one, else `latest`."""
    return "best" if all("best" in saved_epochs(checkpoints_dir / name) for name in names) else "latest"


def resolve_compared(typed: Values) -> list[argparse.Namespace]:
    """test.py's options of each run of `--compare`. UserError: no such run, flags that --compare cannot follow.

    Each run keeps its networks and the way it reads images. Typed flags choose the images; the first run's record
    fills in the rest.
    """
    compare = typed["compare"]
    names = compare if isinstance(compare, list) else []
    shared = {name: value for name, value in typed.items() if name not in ("compare", "name")}
    if typed.get("name"):
        raise UserError(f"--name {typed['name']}: --compare names the runs; leave --name out, or add it to those")
    if len({*names}) < max(2, len(names)):
        raise UserError(f"--compare {' '.join(names)}: want two or more different runs")
    for name in names:
        refuse_folds(Path(str(typed.get("checkpoints_dir", CHECKPOINTS_DIR))), name, f"--compare {name}")
    first = resolve({**shared, "name": names[0]})
    for flag, given in (
        ("--surface", first.surface),
        ("--write dicomseg", first.write == "dicomseg"),
        ("--aspect_ratio", first.aspect_ratio != 1),
    ):
        if given:
            raise UserError(f"{flag}: --compare does not do that; leave it out, or test one run by --name")
    for name in names:
        existing_run(Path(first.checkpoints_dir), name, f"--compare {name}")
    shared |= _images_of(first) | _values(first, "num_test")
    return [first, *(resolve({**shared, "name": name}) for name in names[1:])]


def resolve_within(opt: argparse.Namespace) -> argparse.Namespace:
    """The options with which --within RUN segments the images of `opt`.

    RUN reads the images in its recorded way. If it recorded no --classes, those of `opt` hold. UserError: no such run,
    or one that draws images from masks.
    """
    folder = existing_run(Path(opt.checkpoints_dir), opt.within, f"--within {opt.within}")
    refuse_folds(Path(opt.checkpoints_dir), opt.within, f"--within {opt.within}")
    typed = _images_of(opt) | {"name": opt.within, "skip_bad_files": opt.skip_bad_files}
    typed["epoch"] = best_of_all(folder.parent, [folder.name])
    typed |= _values(opt, "max_dataset_size", "checkpoints_dir", "gpu_ids", "num_threads", "batch_size")
    typed.pop("direction", None)
    run = resolve(typed)
    if run.direction == "BtoA":
        raise UserError(f"--within {opt.within}: that run draws images from masks (--direction BtoA); take another")
    return argparse.Namespace(**vars(run) | {"classes": run.classes or opt.classes})


class Runs:
    """The options with which test.py would apply each run of forgetting.py, and read the data of each task.

    donor: the folder of the donor, whose generator is in the file that was passed. flags_of_upstream: the flags for a
    folder that upstream wrote, which records none.
    """

    def __init__(self, asked: Asked, donor: Path, flags_of_upstream: Callable[[Path, str], Values]):
        self._opt, self._tasks, self._flags_of_upstream = asked.opt, asked.tasks, flags_of_upstream
        named = re.fullmatch(r"(.+)_net_G(_A)?\.pth", donor.name)
        if "_task_" in donor.name:
            raise UserError(
                f"--donor {asked.opt.donor}: {donor} is a task beside a donor: name that donor, or plain weights "
                f"(python -m models.piggyback export {quoted(asked.opt.donor)})"
            )
        if not named:
            raise UserError(
                f"--donor {asked.opt.donor}: {donor} is not named like latest_net_G.pth; name it so, in a folder of "
                "its own"
            )
        self.donor, self._donor_epoch = donor.resolve().parent, named[1]
        self.donor_name = self.donor.name if named[1] == "latest" else donor.stem
        self._resolved: dict[tuple, argparse.Namespace] = {}

    def folder(self, run: str) -> Path:
        """The folder of one of --runs."""
        folder = existing_run(Path(self._opt.checkpoints_dir), run, f"--runs {run}").resolve()
        saved = saved_epochs(folder)
        if self._opt.epoch not in saved:
            raise UserError(
                f"--runs {run}: {folder} holds no generator of --epoch {self._opt.epoch}; saved epochs: "
                f"{', '.join(sorted(saved)) or 'none'}"
            )
        return folder

    def recorded(self, folder: Path) -> dict[str, object]:
        """A run's options.json; {} without one."""
        return read_run(folder)

    def options(
        self, folder: Path, epoch: int | None = None, task: int | None = None, base: bool = False
    ) -> argparse.Namespace:
        """The options to apply the run in `folder`. Dropout is off, because random results cannot be compared.

        epoch: None for --epoch, or for the donor's own. task: read the data of this task, 0 is the old one. base: leave
        out what an adapted run added to its donor.
        """
        key = folder, epoch, task, base
        if key not in self._resolved:
            at = str(epoch or (self._donor_epoch if folder == self.donor else self._opt.epoch))
            typed = {
                "checkpoints_dir": str(folder.parent),
                "name": folder.name,
                "epoch": at,
                **_values(self._opt, "batch_size", "num_threads"),
                **self._flags_of_upstream(folder, at),
                **({"task": "base"} if base else {}),
                **({} if task is None else self._tasks[task]),
            }
            self._resolved[key] = argparse.Namespace(**vars(resolve(typed)) | {"stochastic": False})
        return self._resolved[key]


def _images_of(opt: argparse.Namespace) -> dict[str, object]:
    """The flags that say which images `opt` reads. Drawn images also say what their targets' colours mean."""
    images = _values(opt, *flags(Fact.IMAGES))
    if "phantom" in images:
        images["classes"] = KINDS[opt.phantom][1]
    return images


def _values(opt: argparse.Namespace, *names: str) -> dict[str, object]:
    """The values of these flags, without those that are None or that `opt` does not have."""
    values: Mapping[str, object] = vars(opt)
    return {name: values[name] for name in names if values.get(name) is not None}
