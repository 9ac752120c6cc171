"""Masks that are spoiled on purpose, in six ways, in a copy of a data set."""

import csv
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import cast

import numpy as np
from PIL import Image
from scipy.ndimage import label

from data.masks import find_rows

KNOWN = [f"CHNCXR_{number}_0" for number in ("0297", "0178", "0002", "0281", "0241", "0046")]
"""Shenzhen's masks that cut through the heart and count it as left lung (benchmarks/README.md)."""
HALVES = ("first", "second")
SHIFT = 0.08
"""Of a side's length."""
HEART = 0.6
"""Share of a lung's height, from below, in which the heart lies."""

Draw = np.random.Generator
Mask = np.ndarray  # bool [H, W]


def shifted(mask: Mask, other: Mask, draw: Draw) -> Mask:
    """The mask moved into a random direction."""
    angle = draw.uniform(0, 2 * np.pi)
    dy, dx = (round(SHIFT * side * part) for side, part in zip(mask.shape, (np.sin(angle), np.cos(angle)), strict=True))
    padded = np.pad(mask, ((max(dy, 0), max(-dy, 0)), (max(dx, 0), max(-dx, 0))))
    return padded[max(-dy, 0) :, max(-dx, 0) :][: mask.shape[0], : mask.shape[1]]


def heart(mask: Mask, other: Mask, draw: Draw) -> Mask:
    """Each of the lower rows filled from the image's middle between the lungs to the lung right of it, which is the
    patient's left one: the heart's shadow counts as lung."""
    rows, columns = np.nonzero(mask)
    first, last, middle = round(rows.max() - HEART * np.ptp(rows)), rows.max(), round(columns.mean())
    result = mask.copy()
    for row in range(first, last + 1):
        right = np.flatnonzero(mask[row, middle:])
        if len(right):
            result[row, middle : middle + right[0]] = True
    return result


WAYS: dict[str, tuple[int, Callable[[Mask, Mask, Draw], Mask]]] = {
    "shifted": (4, shifted),
    "mirrored": (4, lambda mask, other, draw: mask[:, ::-1]),
    "empty": (3, lambda mask, other, draw: np.zeros_like(mask)),
    "another patient's": (3, lambda mask, other, draw: other),
    "heart side": (3, heart),
    "left and right swapped": (3, lambda mask, other, draw: mask),  # `write` exchanges the parts
}
"""How many masks are spoiled in each way, and how."""


def sides(mask: Mask) -> tuple[Mask, Mask] | None:
    """The lung on the right of the image, which is the patient's left one, and the other one. None if the mask is in
    one piece."""
    parts, count = cast("tuple[np.ndarray, int]", label(mask))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    if count < 2 or np.sort(sizes)[-2] < 0.1 * mask.sum():
        return None
    large = 1 + np.argsort(-sizes)[:2]
    middles = {int(part): float(np.nonzero(parts == part)[1].mean()) for part in large}
    left, right = max(middles, key=lambda part: middles[part]), min(middles, key=lambda part: middles[part])
    near_left = parts == left
    for part in set(range(1, count + 1)) - {left, right}:
        column = np.nonzero(parts == part)[1].mean()
        if abs(column - middles[left]) < abs(column - middles[right]):
            near_left |= parts == part
    return near_left, mask & ~near_left


def plant(dataroot: str, folder: Path, seed: int) -> dict[str, str]:
    """Fill `folder` with a copy of the X-rays and masks, 20 of them spoiled. Masks of two lungs become two files.
    Returns the way in which each spoiled image is spoiled."""
    draw = np.random.default_rng(seed)
    rows = {name: row for name, row in find_rows(Path(dataroot)).items() if row.masks}
    masks = {name: np.asarray(Image.open(row.masks[0])) > 0 for name, row in rows.items()}
    usable = sorted(name for name in rows if name not in KNOWN and sides(masks[name]))
    spoiled = dict(zip(draw.permutation(usable), [w for w, (n, _) in WAYS.items() for _ in range(n)], strict=False))
    lines = []
    for place, name in enumerate(draw.permutation(sorted(rows))):
        others = [other for other in sorted(rows) if other != name and rows[other].source == rows[name].source]
        mask, parts = masks[name], sides(masks[name])
        if way := spoiled.get(name):
            mask = WAYS[way][1](mask, masks[str(draw.choice(others))], draw)
            parts = parts if way == "left and right swapped" and parts else sides(mask)
        pictures = {"_left": parts[0], "_right": parts[1]} if parts else {"": mask}
        if way == "left and right swapped":
            pictures = dict(zip(pictures, reversed(pictures.values()), strict=True))
        lines.append([f"images/{name}.png", _write(folder, name, pictures), rows[name].source, HALVES[place % 2]])
        shutil.copyfile(rows[name].image, folder / "images" / f"{name}.png")
    with (folder / "splits.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["image", "mask", "source", "split"], *lines])
    return {str(name): way for name, way in spoiled.items()}


def _write(folder: Path, name: str, pictures: dict[str, Mask]) -> str:
    for kind in ("images", "masks"):
        (folder / kind).mkdir(parents=True, exist_ok=True)
    for suffix, mask in pictures.items():
        Image.fromarray(mask.astype(np.uint8) * 255).save(folder / "masks" / f"{name}{suffix}.png")
    return ";".join(f"masks/{name}{suffix}.png" for suffix in pictures)
