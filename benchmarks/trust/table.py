"""The lines of the table that `benchmarks.trust` prints."""

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.runs import test, tested
from util.errors import UserError
from util.score.trust import expected
from util.score.trust.plausible import COLUMN

POOR, FAILED = 0.9, 0.8
HEADER = [
    "number, Dice",
    f"below {POOR}, {FAILED}",
    "Pearson, rank",
    "mean error",
    f"without those below {FAILED}: Pearson, rank",
    f"implausible, of those below {POOR}",
]


def chose_the_method(dataroot: Path) -> set[str]:
    """The ids of the images on which the way to expect a Dice was chosen: Montgomery, Shenzhen's val, and every third
    of the list."""
    with (dataroot / "splits.csv").open(newline="", encoding="utf-8") as file:
        rows = list(enumerate(csv.DictReader(file)))
    return {
        Path(row["image"]).stem
        for index, row in rows
        if row["source"] == "montgomery" or row["split"] == "val" or index % 3 == 0
    }


def rows_of(
    name: str, source: str, flags: Sequence[str], checkpoints_dir: Path, results_dir: Path
) -> list[dict[str, Any]]:
    """Test a run, or several, on their own val images, then on train and val of the hospital `source`; returns the
    latter's rows of metrics.csv, numbers as float."""
    where, rows = (checkpoints_dir, results_dir), []
    test(name, ["--phase", "val", "--gpu_ids", "-1", *flags], *where)
    for phase in ("train", "val"):
        folder = tested(name, ["--phase", phase, "--source", source, "--gpu_ids", "-1", *flags], *where)
        with (folder / "metrics.csv").open(newline="", encoding="utf-8") as file:
            rows += csv.DictReader(file)
    if any(expected.COLUMN not in row for row in rows):
        raise UserError(f"{name}: no expected Dice; the run has no {expected.FILE} or no masks_seen.json")
    return [row | {column: float(row[column]) for column in ("dice", expected.COLUMN)} for row in rows]


def line(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table's cells under HEADER."""
    poor, failed = ([row for row in rows if row["dice"] < below] for below in (POOR, FAILED))
    doubted, whole = [row for row in rows if row[COLUMN]], expected.of_set(rows)
    return [
        f"{len(rows)}, {sum(row['dice'] for row in rows) / len(rows):.3f}",
        f"{len(poor)}, {len(failed)}",
        _correlations(whole),
        f"{whole['mean_absolute_error']:.3f}",
        _correlations(expected.of_set([row for row in rows if row not in failed])),
        f"{len(doubted)}, {sum(row['dice'] < POOR for row in doubted)} of {len(poor)}",
    ]


def _correlations(summary: Mapping[str, float | None]) -> str:
    both = [summary.get(name) for name in ("pearson", "spearman")]
    return ", ".join("-" if value is None else f"{value:.2f}" for value in both)
