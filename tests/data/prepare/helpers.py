"""What tests of `python -m data.prepare` look at."""

import csv
import json
from pathlib import Path

import numpy as np
from PIL import Image


def rows_of(dst: Path) -> dict[str, dict[str, str]]:
    with (dst / "splits.csv").open(newline="", encoding="utf-8") as file:
        return {Path(row["image"]).stem: row for row in csv.DictReader(file)}


def splits_of(dst: Path) -> dict[str, str]:
    return {name: row["split"] for name, row in rows_of(dst).items()}


def facts_of(dst: Path) -> dict:
    """What dataset.json says of the only set."""
    (facts,) = json.loads((dst / "dataset.json").read_text(encoding="utf-8"))["sets"].values()
    return facts


def pixels(path: Path) -> np.ndarray:
    return np.array(Image.open(path))


def states(dst: Path) -> dict[Path, int]:
    """When each file below `dst` was written, in ns."""
    return {path: path.stat().st_mtime_ns for path in dst.rglob("*") if path.is_file()}
