"""Reads a prepared folder for tests of `python -m data.prepare`."""

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image

MONTGOMERY = [(1, 0), (2, 0), (3, 0), (4, 0), (104, 1), (108, 1), (117, 1), (162, 1)]
"""Numbers and labels. In the published split, 3 and 117 are val and 4 is test."""
SHENZHEN = ["CHNCXR_0001_0", "CHNCXR_0002_0", "CHNCXR_0003_0", "CHNCXR_0327_1", "CHNCXR_0025_0"]


def rows_of(dst: Path) -> dict[str, dict[str, str]]:
    with (dst / "splits.csv").open(newline="", encoding="utf-8") as file:
        return {Path(row["image"]).stem: row for row in csv.DictReader(file)}


def splits_of(dst: Path) -> dict[str, str]:
    return {name: row["split"] for name, row in rows_of(dst).items()}


def facts_of(dst: Path) -> dict:
    """The facts about the only set in dataset.json."""
    (facts,) = json.loads((dst / "dataset.json").read_text(encoding="utf-8"))["sets"].values()
    return facts


def pixels(path: Path) -> np.ndarray:
    return np.array(Image.open(path))


def states(dst: Path) -> dict[Path, int]:
    """When each file below `dst` was written, in ns."""
    return {path: path.stat().st_mtime_ns for path in dst.rglob("*") if path.is_file()}
