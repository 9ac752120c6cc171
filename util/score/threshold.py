"""--mask_threshold auto: the threshold that is best on phase val, kept with the run in threshold.json.

The file is a list: a threshold belongs to certain weights, to a way of applying them and to the data it was chosen on,
and each has its own.
"""

import argparse
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from util.errors import UserError
from util.files import write_json
from util.score.metrics import threshold_curve

FILE = "threshold.json"
# Flags that change the float map from which masks are cut.
MAP = (
    "epoch",
    "norm_stats",
    "input_norm",
    "stochastic",
    "preprocess",
    "crop_size",
    "clahe",
    "intensity",
    "patch",
    "patch_overlap",
    "tta",
    "samples",
    "task",
    "within",
)


def best_threshold(histograms: np.ndarray) -> tuple[float, float]:
    """The threshold in 0..1, both left out, with the best mean Dice over images, and that Dice; of several the one
    nearest to 0.5. histograms: [N, 2, BINS + 1], see util.score.metrics.histogram."""
    curve = threshold_curve(histograms)
    threshold, dice = curve["threshold"][1:-1], curve["dice"][1:-1]
    best = np.flatnonzero(dice >= dice.max() - 1e-12)
    chosen = best[np.abs(threshold[best] - 0.5).argmin()]
    return float(threshold[chosen]), float(dice[chosen])


def applied(runs: Sequence[argparse.Namespace], files: Sequence[Path]) -> dict[str, object]:
    """What a threshold is good for: these weights, applied in this way. runs: their options; files: their networks."""
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.read_bytes())
    how = {name: getattr(runs[0], name) for name in MAP if getattr(runs[0], name, 0)}
    if len(runs) > 1:
        how["runs"] = [run.name for run in runs]
    return {"weights": digest.hexdigest(), "how": how}


def keep_threshold(
    folder: Path, applied: dict[str, object], histograms: np.ndarray | None, data: str
) -> tuple[float, str]:
    """Choose on the images of phase val, note it in the run's `folder` in place of the last choice for the same way of
    applying it to the same `data`, and say so. Returns the threshold, and in words what it was chosen on. UserError:
    nothing to choose by."""
    if histograms is None:
        raise UserError("--mask_threshold auto: phase val has no masks of two classes to choose by; give a number")
    threshold, dice = best_threshold(histograms)
    entry = applied | {"threshold": threshold, "dice": dice, "images": len(histograms), "data": data}
    others = [old for old in _read(folder / FILE) if (old["how"], old["data"]) != (applied["how"], data)]
    write_json(folder / FILE, [*others, entry])
    print(f"threshold {threshold:g}: mean Dice {dice:.4f} on {_told(entry)}; kept in {folder / FILE}")
    return threshold, _told(entry)


def kept_threshold(folder: Path, applied: dict[str, object], name: str, data: str) -> tuple[float, str]:
    """The threshold that was chosen for the same weights and way of applying them, and in words on what: val of
    `data` or else, as for data that have no val, what was chosen last. UserError: none was; how to get it.

    name: the run's, or the runs' of an ensemble.
    """
    fitting = [entry for entry in _read(folder / FILE) if {key: entry[key] for key in applied} == applied]
    if fitting:
        entry = ([entry for entry in fitting if entry["data"] == data] or fitting)[-1]
        return entry["threshold"], _told(entry)
    raise UserError(
        f"--mask_threshold auto: {folder / FILE} has none for these weights and flags; choose it first, never on the "
        f"test images: the same command with --phase val (python test.py --name {name} "
        f"--epoch {applied['how']['epoch']} --phase val --mask_threshold auto ...)"
    )


def _told(entry: dict) -> str:
    return f"val of {entry['data']}, {entry['images']} images"


def _read(path: Path) -> list[dict]:
    if not path.is_file():
        return []
    try:
        entries = json.loads(path.read_text(encoding="utf-8"))
        wanted = {"weights", "how", "threshold", "data", "images"}
        if isinstance(entries, list) and all(isinstance(e, dict) and wanted <= e.keys() for e in entries):
            return entries
    except ValueError:
        pass
    raise UserError(f"{path}: damaged; delete it and choose the threshold anew (test.py --phase val)")
