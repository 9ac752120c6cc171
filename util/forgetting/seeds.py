"""Several runs of one method that differ only in their seed: their means and standard deviations."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

Row = Mapping[str, Any]  # numbers by name; None where undefined


def mean(rows: Sequence[Row]) -> dict[str, Any]:
    """The mean of each number; None where one is None. `bit_equal` is the minimum: the images that all runs keep."""
    names = [name for name in rows[0] if all(name in row for row in rows)]
    columns = {name: [row[name] for row in rows] for name in names}
    return {
        name: None if None in values else min(values) if name == "bit_equal" else float(np.mean(values))
        for name, values in columns.items()
    }


def deviation(rows: Sequence[Row]) -> dict[str, float]:
    """The standard deviation (n - 1) of each number that is defined in all rows; {} for a single row."""
    if len(rows) < 2:
        return {}
    columns: dict[str, list[Any]] = {name: [row.get(name) for row in rows] for name in rows[0]}
    # Equal numbers deviate by 0, which the rounding of their mean would hide.
    return {
        name: float(np.std(values, ddof=1)) if len(set(values)) > 1 else 0.0
        for name, values in columns.items()
        if None not in values
    }


def interval(rows: Sequence[Row]) -> dict[str, tuple[float, float]]:
    """The 95 % interval of each number's mean, by Student's t: of numbers that are defined in all rows; {} for a single
    row. With few rows it is wide, and it may leave the number's range."""
    if len(rows) < 2:
        return {}
    from scipy.stats import t  # seconds to import

    half = float(t.ppf(0.975, len(rows) - 1)) / len(rows) ** 0.5
    means = mean(rows)
    return {name: (means[name] - half * sd, means[name] + half * sd) for name, sd in deviation(rows).items()}


def mean_curve(curves: Sequence[Sequence[dict]]) -> list[dict]:
    """Mean scores at the epochs that all runs saved: points of `epoch` and `scores`, one score for each task."""
    by_epoch = [{point["epoch"]: point["scores"] for point in points} for points in curves]
    shared = [epoch for epoch in by_epoch[0] if all(epoch in points for points in by_epoch)]
    return [
        {
            "epoch": epoch,
            "scores": [
                None if None in scores else float(np.mean(scores))
                for scores in zip(*(points[epoch] for points in by_epoch), strict=True)
            ],
        }
        for epoch in shared
    ]


def settings(rows: Sequence[Row]) -> dict[str, object]:
    """The runs' training options: the value if all runs share it, else all values separated by commas."""
    result = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name, "unlimited") for row in rows]
        result[name] = values[0] if len(set(map(str, values))) == 1 else ", ".join(map(str, values))
    return result
