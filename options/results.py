"""Where test.py and forgetting.py leave their results. Those of other data, or made in another way than the run's own,
go to a folder of their own."""

import argparse
import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from pathlib import Path

from options.base import following
from options.recorded import UPSTREAM_DEFAULTS, read_run, read_shared, tasks_in_folder
from options.test import TEST
from util.flags import Fact, draws, flags
from util.folds.record import read_record, run_of

WHERE = ("dataroot", "dataset_mode", "phantom")
"""The flags that name a data set; others of Fact.IMAGES choose from it."""
IN_THE_NAME = ("epoch", "task")
"""Flags that change a result and are part of every folder's name."""
EXTRAS: dict[str, object] = {"model_suffix": "", "write": "png", "surface": False, "aspect_ratio": 1.0}
"""Flags that no run records, with their defaults: another network of the folder, or more results than usual."""
LIMITS = ("num_test", "max_dataset_size")


def data_of(opt: argparse.Namespace, others: Sequence[argparse.Namespace] = ()) -> dict[str, object]:
    """Which data the options read, and what of it the run itself does otherwise (`settings_of`), ready for JSON:
    recorded with the results, and compared before they are replaced. others: the options of the other runs, if the
    results are of several."""
    drawn = opt.dataset_mode == "phantom"
    data: dict[str, object] = {name: getattr(opt, name, None) for name in _images(opt)}
    data["dataroot"] = "" if drawn or not opt.dataroot else str(Path(opt.dataroot).resolve())
    settings = settings_of(opt, others)
    return data | ({"settings": settings} if settings else {})


def _images(opt: argparse.Namespace) -> list[str]:
    """The flags that tell one set of images from another. --phase is part of the folder's name."""
    idle = {"phase", "phantom_count" * (opt.dataset_mode != "phantom"), "train_images" * (opt.phase != "train")}
    return [name for name in flags(Fact.IMAGES) if name not in idle]


def is_own_val(opt: argparse.Namespace) -> bool:
    """Whether the options read all of phase val of just the data that the run was trained on."""
    data, recorded = data_of(opt), read_run(Path(opt.checkpoints_dir) / opt.name)
    names = [name for name in _images(opt) if name != "dataroot" and name in recorded]
    same = all(data[name] == recorded[name] for name in names)
    return opt.phase == "val" and bool(recorded) and same and _is_own(data, recorded) and not _is_limited(opt)


def settings_of(opt: argparse.Namespace, others: Sequence[argparse.Namespace] = ()) -> dict[str, object]:
    """The flags that change a result and differ from what the run recorded, or from their defaults if no run records
    them (`UPSTREAM_DEFAULTS` for a run of upstream). others: of the other runs; what any of them does otherwise
    counts."""
    settings: dict[str, object] = {}
    for run in (opt, *others):
        settings = _otherwise(run, first=run is opt) | settings
    return settings | {name: getattr(opt, name) for name, usual in EXTRAS.items() if getattr(opt, name, usual) != usual}


def _otherwise(opt: argparse.Namespace, first: bool) -> dict[str, object]:
    """The flags of one run that differ from its usual ones, but for EXTRAS. first: it decides how images are read."""
    folder = Path(opt.checkpoints_dir) / opt.name
    folds = read_record(folder)
    run = read_run(Path(opt.checkpoints_dir) / run_of(opt.name, folds.folds[0]) if folds else folder)
    task = tasks_in_folder(folder).get(str(opt.epoch))
    names = [name for name in flags(Fact.MAP | Fact.CUT) if name not in IN_THE_NAME]
    names += ["seed"] * draws(opt)
    # --model test reads plain images by itself, as upstream does.
    names += ["dataset_mode"] * (first and bool(run) and opt.model != "test")
    usual = TEST.default_values(opt.model, opt.dataset_mode)
    if not run:
        usual |= following(opt) | (read_shared(task) if task else UPSTREAM_DEFAULTS)
    else:  # an older version recorded fewer flags; what it did not record has not changed
        usual |= {name: run.get(name, getattr(opt, name)) for name in names if name in flags(Fact.TESTED)}
    return {name: getattr(opt, name) for name in names if getattr(opt, name) != usual[name]}


def results_folder(
    opt: argparse.Namespace, name: str, file: str, usual: str = "", others: Sequence[argparse.Namespace] = ()
) -> Path:
    """Where test.py leaves the results of the runs called `name`: <results_dir>/<name>/<phase>_<epoch>.

    If `opt` reads other data than its run recorded, or does something otherwise, the name of the data and the settings
    follow; and also if that folder holds results of other data, or of more images than --num_test allows now. file: the
    JSON file in the folder that records the data. usual: takes the place of <phase>_<epoch>. others: see `data_of`.
    """
    base = f"_{opt.task}" if opt.task != "own" else ""
    folder = Path(opt.results_dir) / name / f"{usual or f'{opt.phase}_{opt.epoch}'}{base}"
    data, recorded = data_of(opt, others), read_run(Path(opt.checkpoints_dir) / opt.name)
    own = _is_own(data, recorded)
    names = [name for name in _images(opt) if name not in WHERE] if own else []
    other = {key: data[key] for key in names if data[key] is not None and data[key] != recorded.get(key, data[key])}
    settings = settings_of(opt, others)
    upstreams = not recorded or settings.keys() <= {"model_suffix"}  # keeps its name, unless it holds other results
    if not own:
        settings.pop("dataset_mode", None)  # another folder may need another way to read it
    differing = [key if value is True else f"{key}-{value}" for key, value in (other | settings).items()]
    where = [] if own and not upstreams and not other else [name_of(data)]
    results = place(folder, "_".join([*where, *differing]), data, file, own and upstreams and not other)
    most = _most(opt)
    return results.with_name(f"{results.name}_first-{most:.0f}") if _images_in(results / file) > most else results


def is_plain(opt: argparse.Namespace, results: Path) -> bool:
    """Whether results are of all images of the run's own data in this phase, made in the run's own way,
    and the phase is not that of training."""
    recorded = read_run(Path(opt.checkpoints_dir) / opt.name)
    usual = results.name == f"{opt.phase}_{opt.epoch}" and opt.phase != "train"
    return bool(recorded) and usual and not _is_limited(opt) and not settings_of(opt)


def _most(opt: argparse.Namespace) -> float:
    return min(getattr(opt, limit) for limit in LIMITS)


def _is_limited(opt: argparse.Namespace) -> bool:
    return _most(opt) < math.inf


def name_of(data: Mapping[str, object]) -> str:
    """A short name of the data that `data_of` describes: that of its folder, or how it is drawn."""
    return Path(str(data["dataroot"])).name or str(data["phantom"] or data["dataset_mode"])


def place(folder: Path, name: str, data: object, file: str, own: bool = True, more: str = "") -> Path:
    """The first of `folder`, `folder` with the data's name, that with `more`, and that with a digest, that holds no
    other data's results.

    own: whether the first of them is right for this data at all. more: further words, if the name alone is not enough.
    """
    named = [_extended(folder, name)]
    named += [_extended(named[0], more)] if more else []
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:8]
    last = named[-1].with_name(f"{named[-1].name}-{digest}")
    return next((each for each in [folder, *named][not own :] if not _holds_other(each, data, file)), last)


def _extended(folder: Path, words: str) -> Path:
    plain = re.sub(r"[^\w.+-]+", "-", words)[:80]
    return folder.with_name(f"{folder.name}_{plain}")


def _holds_other(folder: Path, data: object, file: str) -> bool:
    """Whether a folder, or what a killed test has left of it, holds results of other data."""
    old = folder.with_name(folder.name + ".old")  # util.files.replacing_folder
    path = next((path for path in (folder / file, old / file) if path.is_file()), None)
    if path is None:
        return False
    try:
        results = json.loads(path.read_text(encoding="utf-8"))
        earlier = results.get("settings", {}).get("data")
        if "data" in results or not isinstance(data, dict) or earlier is None:
            return results.get("data", data) != data
        # Earlier versions recorded the folder only, or that images are drawn.
        return earlier != data["dataset_mode"] and str(Path(earlier).resolve()) != data["dataroot"]
    except (ValueError, AttributeError, TypeError, RecursionError):
        return True  # damaged, or not ours: leave it alone


def _images_in(path: Path) -> float:
    """How many images a folder's results are of; 0 without results."""
    try:
        images = json.loads(path.read_text(encoding="utf-8"))["images"]
        return images if isinstance(images, int) else 0
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return 0


def _is_own(data: Mapping[str, object], recorded: Mapping[str, object]) -> bool:
    """Whether the data is what a run recorded, or a part of it as upstream's testA is; True if it recorded none."""
    if recorded.get("dataset_mode") == "phantom":
        return (data["dataset_mode"], data["phantom"]) == ("phantom", recorded.get("phantom"))
    root, own = str(data["dataroot"]), str(recorded.get("dataroot") or "")
    return not own or (bool(root) and Path(root).is_relative_to(Path(own).resolve()))
