"""The faults that `benchmarks.audit` plants."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.audit.faults import HALVES, SHIFT, WAYS, plant, shifted, sides
from tests.helpers import read_table

SIDE, COUNT = 64, 30


@pytest.fixture
def xrays(tmp_path) -> Path:
    """Images with two lungs, the one on the right of the image smaller and lower."""
    lines = ["image,mask,source,split"]
    for i in range(COUNT):
        lungs = np.zeros((SIDE, SIDE), np.uint8)
        lungs[10 : 40 + i % 5, 8:26] = lungs[16:48, 40 : 50 + i % 7] = 255
        for kind in ("images", "masks"):
            path = tmp_path / "set" / kind / f"x{i}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(lungs).save(path)
        lines.append(f"images/x{i}.png,masks/x{i}.png,here,train")
    (tmp_path / "set" / "splits.csv").write_text("\n".join(lines))
    return tmp_path / "set"


def test_so_many_masks_as_announced_are_spoiled_and_all_others_are_as_they_were(xrays, tmp_path):
    spoiled = plant(str(xrays), tmp_path / "copy", seed=0)
    assert Counter(spoiled.values()) == {way: count for way, (count, _) in WAYS.items()}
    rows = {Path(row["image"]).stem: row for row in read_table(tmp_path / "copy" / "splits.csv")}
    assert Counter(row["split"] for row in rows.values()) == dict.fromkeys(HALVES, COUNT // 2)
    for name, row in rows.items():
        parts = [np.asarray(Image.open(tmp_path / "copy" / part)) > 0 for part in row["mask"].split(";")]
        same = np.array_equal(np.logical_or.reduce(parts), np.asarray(Image.open(xrays / "masks" / f"{name}.png")) > 0)
        exchanged = len(parts) == 2 and np.nonzero(parts[0])[1].mean() < np.nonzero(parts[1])[1].mean()
        if spoiled.get(name) != "another patient's":  # which may have just the same lungs here
            assert same == (spoiled.get(name) in (None, "left and right swapped"))
        assert exchanged == (spoiled.get(name) == "left and right swapped"), "the left lung is on the right"


def test_a_mask_moves_as_far_as_announced():
    mask = np.zeros((100, 100), bool)
    mask[40:60, 40:60] = True
    moved = shifted(mask, mask, np.random.default_rng(0))
    (dy, dx) = (np.mean(a) - np.mean(b) for a, b in zip(np.nonzero(moved), np.nonzero(mask), strict=True))
    assert moved.shape == mask.shape
    assert abs(np.hypot(dy, dx) - 100 * SHIFT) < 1


def test_a_mask_in_one_piece_has_no_sides():
    assert sides(np.ones((8, 8), bool)) is None
