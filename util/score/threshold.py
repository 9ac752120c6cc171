"""--mask_threshold auto: the threshold that is best on phase val, recorded in the run's threshold.json.

The file is a list with one entry for each combination of weights, the way of applying them, and the data that the
threshold was chosen on.
"""

import argparse
import hashlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from util.contracts import ClassMap
from util.errors import UserError
from util.files import read_entries, write_json
from util.flags import Fact, draws, flags
from util.score.metrics import threshold_curve

FILE = "threshold.json"
WHITE_ON_BLACK = [[[0, 0, 0], [255, 255, 255]]]


class NoThreshold(UserError):
    """None was chosen for these weights and this way of applying them."""


def best_threshold(histograms: np.ndarray) -> tuple[float, float]:
    """The threshold between 0 and 1 with the best mean Dice over images, and that Dice.

    Of several equally good thresholds it is the one nearest to 0.5. histograms: [N, 2, BINS + 1], see
    util.score.metrics.histogram.
    """
    curve = threshold_curve(histograms)
    threshold, dice = curve["threshold"][1:-1], curve["dice"][1:-1]
    best = np.flatnonzero(dice >= dice.max() - 1e-12)
    chosen = best[np.abs(threshold[best] - 0.5).argmin()]
    return float(threshold[chosen]), float(dice[chosen])


def applied(
    runs: Sequence[argparse.Namespace], files: Sequence[Path], classes: ClassMap | None = None
) -> dict[str, Any]:
    """The weights and the way of applying them that a threshold is valid for. runs: their options; files: networks;
    classes: of the data."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    how = {name: getattr(runs[0], name) for name in flags(Fact.MAP) if getattr(runs[0], name, 0)}
    if any(map(draws, runs)):
        how["seed"] = runs[0].seed
    if classes and classes.binary and classes.encode(np.array([[0, 1]], np.uint8)).tolist() == WHITE_ON_BLACK:
        how["classes"] = "lungs"  # a foreground of any other name in these colours has the same map
    if len(runs) > 1:
        how["runs"] = [run.name for run in runs]
    return {"weights": digest.hexdigest(), "how": how}


def keep_threshold(
    folder: Path, applied: dict[str, Any], histograms: np.ndarray | None, data: str
) -> tuple[float, str]:
    """Choose a threshold on the images of phase val, print it and record it in the run's `folder`.

    It replaces the last choice for the same way of applying the run to the same `data`. Returns the threshold and a
    description of the images. UserError: there are no masks to choose by.
    """
    if histograms is None:
        raise UserError("--mask_threshold auto: phase val has no masks of two classes to choose by; give a number")
    threshold, dice = best_threshold(histograms)
    entry = applied | {"threshold": threshold, "dice": dice, "images": len(histograms), "data": data}
    others = [old for old in _read(folder) if old["how"] != applied["how"] or not _same(old["data"], data)]
    write_json(folder / FILE, [*others, entry])
    print(f"threshold {threshold:g}: mean Dice {dice:.4f} on {_images(entry)}; recorded in {folder / FILE}")
    return threshold, _images(entry)


def kept_threshold(folder: Path, applied: dict[str, Any], named: str, data: str | None) -> tuple[float, str]:
    """The threshold that was chosen for these weights and this way of applying them, and a description of the images.

    If none was chosen on `data`, which may have no phase val, or `data` is None, it is the last one of all. named:
    the flags that name the run or the ensemble on a command line. NoThreshold: no threshold was chosen yet.
    """
    fitting = [entry for entry in _read(folder) if {key: entry[key] for key in applied} == applied]
    if fitting:
        entry = ([entry for entry in fitting if data and _same(entry["data"], data)] or fitting)[-1]
        return entry["threshold"], _images(entry)
    raise NoThreshold(
        f"--mask_threshold auto: {folder / FILE} has none for these weights and flags (entries from before version 1.0 "
        "lack --classes and do not count); choose it first on validation images, never on test images: run the same "
        f"command with --phase val (python test.py {named} --epoch {applied['how']['epoch']} --phase val "
        "--mask_threshold auto ...)"
    )


def _same(data: str, other: str) -> bool:
    """Whether two texts name one folder, as `datasets/lungs` and `./datasets/lungs/` do, or are equal."""
    return os.path.realpath(data) == os.path.realpath(other)


def _images(entry: dict) -> str:
    return f"val of {entry['data']}, {entry['images']} images"


def _is_entry(value: object) -> bool:
    if not isinstance(value, dict) or not {"weights", "how", "threshold", "data", "images"} <= value.keys():
        return False
    return isinstance(value["data"], str) and type(value["threshold"]) is float and 0 <= value["threshold"] <= 1


def _read(folder: Path) -> list[dict]:
    return read_entries(folder / FILE, _is_entry, "choose the threshold again (test.py --phase val)")
