"""The Dice to expect of a mask that nobody has drawn: how far its clues are from those on the run's own val images.

Each clue is 1 for a mask without doubt. `confidence`: the Dice of the mask with the map that it is cut from.
`likeness`: its Dice with the most similar training masks. With --tta, --samples or several runs `agreement`: the Dice
of their single masks with the common one. If they fall short of 1 by twice as much as on val (geometric mean over the
clues), the Dice is expected to fall short by twice as much, too. test.py --phase val records the medians of clues and
Dice in the run's folder. How well this works on another hospital is in docs/applying.md.
"""

import contextlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from util.files import NotWritten, read_entries, write_json
from util.score.trust.plausible import Seen

FILE = "expected_dice.json"
COLUMN = "expected_dice"
CLUES = ("confidence", "likeness", "agreement")
FEWEST = 8
"""Fewer images of val say nothing."""
FLOOR = 0.002
"""Shortfalls below this are alike: a clue of 1 is no proof of a perfect mask."""


def confidence(mask: np.ndarray, values: np.ndarray) -> float:
    """0..1: the Dice of a mask, bool [H, W], with the map of values 0..1 that it is cut from: about the Dice to expect
    if the values are probabilities. For an empty mask, 1 minus the largest value."""
    if not mask.any():
        return float(1 - values.max(initial=0))
    inside, everywhere = float(values[mask].sum(dtype=np.float64)), float(values.sum(dtype=np.float64))
    return 2 * inside / (everywhere + int(mask.sum()))


def learn(folder: Path, way: Mapping[str, Any], rows: Sequence[Mapping[str, Any]]) -> dict[str, float] | None:
    """Record in the run's `folder` the medians of Dice and clues on its own val images, for the networks and the way of
    applying them that `way` tells. None, and nothing is recorded, if there are too few images."""
    if len(rows) < FEWEST or "dice" not in rows[0]:
        return None
    medians = {name: float(np.median([row[name] for row in rows])) for name in ("dice", *CLUES) if name in rows[0]}
    others = [entry for entry in _read(folder) if entry["how"] != way["how"]]
    with contextlib.suppress(NotWritten):  # in a read-only folder a test can still use them; test.py says so
        write_json(folder / FILE, [*others, {**way, "images": len(rows), "medians": medians}])
    return medians


def has_record(folder: Path) -> bool:
    """Whether the run was tested on its own val images, in whatever way."""
    return (folder / FILE).is_file()


def known(folder: Path, way: Mapping[str, Any]) -> dict[str, float] | None:
    """What `learn` recorded for these networks and this way of applying them; None if it did not. UserError: damage."""
    fitting = [entry for entry in _read(folder) if all(entry.get(key) == way[key] for key in way)]
    return fitting[-1]["medians"] if fitting else None


def expect(medians: Mapping[str, float], clues: Mapping[str, Any]) -> float:
    """The Dice to expect of a mask with these clues, 0..1. medians: of Dice and clues on val."""
    names = [name for name in CLUES if name in medians and name in clues]
    here, there = (np.array([1 - of[name] for name in names]) for of in (clues, medians))
    times = np.exp(np.log((here + FLOOR) / (there + FLOOR)).mean())
    return float(np.clip(1 - (1 - medians["dice"]) * times, 0, 1))


def of_set(rows: Sequence[Mapping[str, Any]]) -> dict[str, float | None]:
    """The part of metrics.json about the expected Dice of all images: its mean and, with a ground truth, its
    correlations with the Dice and its mean absolute error. None where undefined."""
    expected = np.array([row[COLUMN] for row in rows])
    result: dict[str, float | None] = {"mean": float(expected.mean())}
    if "dice" not in rows[0]:
        return result
    from scipy.stats import pearsonr, spearmanr  # a second to import

    dice = np.array([row["dice"] for row in rows])
    varied = len(rows) > 2 and np.ptp(expected) > 0 and np.ptp(dice) > 0
    for name, correlation in (("pearson", pearsonr), ("spearman", spearmanr)):
        result[name] = float(cast("tuple[float, float]", correlation(expected, dice))[0]) if varied else None
    return result | {"mean_absolute_error": float(np.abs(expected - dice).mean())}


def in_words(summary: Mapping[str, float | None]) -> str:
    """The result of `of_set` in a sentence."""
    text = f"Dice to expect without ground truth: mean {summary['mean']:.3f}"
    if summary.get("pearson") is not None:
        text += f"; correlation with the Dice {summary['pearson']:.2f} (Pearson), {summary['spearman']:.2f} (rank)"
        text += f", mean error {summary['mean_absolute_error']:.3f}"
    return text


def _read(folder: Path) -> list[dict[str, Any]]:
    return read_entries(folder / FILE, _is_entry, "test the run on its own val images again (test.py --phase val)")


def _is_entry(value: object) -> bool:
    medians = value.get("medians") if isinstance(value, dict) and "how" in value else None
    if not isinstance(medians, dict) or "dice" not in medians or not any(name in medians for name in CLUES):
        return False
    return all(type(number) is float and 0 <= number <= 1 for number in medians.values())


def clues(mask: np.ndarray, values: np.ndarray, seen: Seen, agreement: float | None = None) -> dict[str, float]:
    """The clues of a mask, bool [H, W], that is cut from values 0..1. seen: what training masks looked like."""
    found = {"confidence": confidence(mask, values), "likeness": seen.likeness(mask)}
    return found if agreement is None else found | {"agreement": agreement}


def agreements(translator: object, images: int) -> list[float] | list[None]:
    """For each image of the batch that was translated last, how far the masks of several outputs agree; None for one
    that applies one network once."""
    of_batch = getattr(translator, "agreement", None)
    return [None] * images if of_batch is None else of_batch.tolist()
