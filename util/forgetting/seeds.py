"""Several runs of one way that differ in their seed: means over them, and how far they lie apart."""

from collections.abc import Mapping, Sequence

import numpy as np

Row = Mapping[str, float | int | None]


def mean(rows: Sequence[Row]) -> dict[str, float | int | None]:
    """Each figure's mean; None where one is None. `bit_equal`, a number of images, is the least: what all runs keep."""
    names = [name for name in rows[0] if all(name in row for row in rows)]
    columns = {name: [row[name] for row in rows] for name in names}
    return {
        name: None if None in values else min(values) if name == "bit_equal" else float(np.mean(values))
        for name, values in columns.items()
    }


def deviation(rows: Sequence[Row]) -> dict[str, float]:
    """Each figure's standard deviation over the runs (n - 1); without those that are None somewhere, {} of one run."""
    if len(rows) < 2:
        return {}
    found = {name: [row.get(name) for row in rows] for name in rows[0]}
    # Equal numbers are apart by 0, which the rounding of their mean would hide.
    return {
        name: float(np.std(values, ddof=1)) if len(set(values)) > 1 else 0.0
        for name, values in found.items()
        if None not in values
    }


def mean_curve(curves: Sequence[Sequence[dict]]) -> list[dict]:
    """The points (`epoch`, `scores`, one a task) at the epochs that all runs saved, with their mean scores."""
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


def settings(rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """What the runs were trained with: a value that all share, or all values in words."""
    found = {}
    for name in dict.fromkeys(name for row in rows for name in row):
        values = [row.get(name, "unlimited") for row in rows]
        found[name] = values[0] if len(set(map(str, values))) == 1 else ", ".join(map(str, values))
    return found
