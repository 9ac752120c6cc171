"""Where test.py and forgetting.py leave their results. Results of other data go to a folder of their own."""

import argparse
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path

from options.recorded import read_run

IMAGES = ("dataroot", "dataset_mode", "phantom", "direction", "source", "fold", "split_seed", "patient_regex")
"""The flags that tell one data set from another. --phase is part of the folder's name."""


def data_of(opt: argparse.Namespace) -> dict[str, object]:
    """Which data the options read, ready for JSON: recorded with the results, and compared before they are replaced."""
    drawn = opt.dataset_mode == "phantom"
    root = "" if drawn or not opt.dataroot else str(Path(opt.dataroot).resolve())
    return {name: root if name == "dataroot" else getattr(opt, name, None) for name in IMAGES}


def results_folder(opt: argparse.Namespace, name: str, file: str) -> Path:
    """Where test.py leaves the results of the runs called `name`: <results_dir>/<name>/<phase>_<epoch>.

    If `opt` reads other data than its run recorded, or if that folder holds results of other data, the name of the data
    follows. file: the JSON file in the folder that records the data.
    """
    base = "_base" if opt.task == "base" else ""
    folder = Path(opt.results_dir) / name / f"{opt.phase}_{opt.epoch}{base}"
    data, recorded = data_of(opt), read_run(Path(opt.checkpoints_dir) / opt.name)
    own = _is_own(data, recorded)
    names = ("direction", "source", "fold", "split_seed", "patient_regex") if own else ()
    other = [
        f"{key}-{data[key]}" for key in names if data[key] is not None and data[key] != recorded.get(key, data[key])
    ]
    return place(folder, "_".join([name_of(data), *other]), data, file, own and not other)


def name_of(data: Mapping[str, object]) -> str:
    """A short name of the data that `data_of` describes: that of its folder, or how it is drawn."""
    return Path(str(data["dataroot"])).name or str(data["phantom"] or data["dataset_mode"])


def place(folder: Path, name: str, data: object, file: str, own: bool = True) -> Path:
    """The first of `folder`, `folder` with the data's name, and that with a digest, that holds no other data's results.

    own: whether the first of them is right for this data at all.
    """
    plain = re.sub(r"[^\w.+-]+", "-", name)[:80]
    named = folder.with_name(f"{folder.name}_{plain}")
    digest = hashlib.sha256(json.dumps(data, sort_keys=True).encode()).hexdigest()[:8]
    last = named.with_name(f"{named.name}-{digest}")
    return next((each for each in [folder, named][not own :] if not _holds_other(each, data, file)), last)


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


def _is_own(data: Mapping[str, object], recorded: Mapping[str, object]) -> bool:
    """Whether the data is what a run recorded, or a part of it as upstream's testA is; True if it recorded none."""
    if recorded.get("dataset_mode") == "phantom":
        return (data["dataset_mode"], data["phantom"]) == ("phantom", recorded.get("phantom"))
    root, own = str(data["dataroot"]), str(recorded.get("dataroot") or "")
    return not own or (bool(root) and Path(root).is_relative_to(Path(own).resolve()))
