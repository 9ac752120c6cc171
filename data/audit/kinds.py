"""What a mask that disagrees with the network looks like: mirrored, shifted, another patient's and the like."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.audit.disagreement import Disagreement
from data.read.matching import SIDE

GRID = 64
"""Masks are compared with many others on a grid of so many points a side."""
EXPLAINED = 0.5
"""A kind is named if it explains this share of what the Dice of mask and network lacks to 1, and if what is then left
is at most three times what is usual in the data set."""
FARTHEST = GRID // 4
"""A mask that was shifted farther is not recognised as such."""
HEART = 0.7
"""A disagreement is at the heart's side if this share of it is where the heart is. A rim around both lungs has half."""

EMPTY, UNSEEN, AGREES = "empty", "network found nothing", ""
SWAPPED, MIRRORED, SHIFTED = "left and right swapped", "mirrored", "shifted"
ANOTHERS, HEART_SIDE, BORDER = "another patient's", "heart side", "border"
CAUSED = (SWAPPED, MIRRORED, SHIFTED, ANOTHERS, EMPTY)
"""Kinds that name the cause. Chance seldom looks like one, so these masks come before all others."""


def to_grid(mask: np.ndarray) -> np.ndarray:
    """A boolean mask [H, W] on the grid, float32 [GRID, GRID] of 0 and 1: products of many masks are fast."""
    from PIL import Image

    picture = Image.fromarray(mask.astype(np.uint8) * 255).resize((GRID, GRID), Image.Resampling.BOX)
    return (np.asarray(picture) >= 128).astype(np.float32)


def usual_lack(masks: np.ndarray, predicted: np.ndarray) -> float:
    """What the Dice of mask and network lacks to 1 in the median image. Both: [N, GRID, GRID]."""
    dice = [_dice(mask[None], own[None])[0] for mask, own in zip(masks, predicted, strict=True)]
    return 1 - float(np.median(dice))


def kind_of(
    place: int, masks: np.ndarray, predicted: np.ndarray, measured: Disagreement, usual: float
) -> tuple[str, int | None]:
    """The kind of the disagreement of image `place`, and for another patient's mask the place of that image.

    masks, predicted: all masks of the data set and of the network on the grid, [N, GRID, GRID]. usual:
    `usual_lack` of them.
    """
    mask, own = masks[place], predicted[place]
    if measured.area == 0:
        return AGREES, None
    if not mask.any() or not own.any():
        return (EMPTY if not mask.any() else UNSEEN), None
    flips = np.stack([mask[:, ::-1], mask[::-1]])
    others = _dice(mask[None], predicted)
    others[place] = 0
    explained = {
        MIRRORED: float(_dice(own[None], flips).max()),
        SHIFTED: _best_shifted(mask, own),
        ANOTHERS: float(others.max()),
    }
    kind = max(explained, key=lambda name: explained[name])
    before, left = 1 - float(_dice(mask[None], own[None])[0]), 1 - explained[kind]
    if left <= min(3 * usual, (1 - EXPLAINED) * before):
        return kind, int(others.argmax()) if kind == ANOTHERS else None
    return (HEART_SIDE if measured.between >= HEART else BORDER), None


def _dice(one: np.ndarray, many: np.ndarray) -> np.ndarray:
    """Dice of one mask [1, h, w] with each of many [N, h, w]; two empty masks have 0."""
    flat, others = one.reshape(1, -1), many.reshape(len(many), -1)
    return 2 * (others @ flat[0]) / np.maximum(flat.sum() + others.sum(axis=1), 1)


def _best_shifted(mask: np.ndarray, own: np.ndarray) -> float:
    """The Dice of the network's mask and the best shifted one."""
    from scipy.signal import fftconvolve

    overlap = fftconvolve(own, mask[::-1, ::-1])
    near = slice(GRID - 1 - FARTHEST, GRID + FARTHEST)
    return float(2 * overlap[near, near].max() / (mask.sum() + own.sum()))


def side_of(mask: Path) -> str:
    """left, right or "", as the file's name says, or else its folder."""
    for name in (mask.stem, mask.parent.name):
        if sides := SIDE.findall(name):
            return sides[-1].lower()
    return ""


def swapped(offsets: Sequence[float | None]) -> list[bool]:
    """Of which images the parts called left and right are exchanged.

    offsets: by how many pixels the middle of the left part is right of that of the right part; None without two such
    parts. Which of both lies where is a convention: at least three quarters of the images, and three, must agree in it.
    """
    known = np.array([offset for offset in offsets if offset])
    positive = np.count_nonzero(known > 0)
    most = max(positive, len(known) - positive)
    if most < 3 or most < 0.75 * len(known):
        return [False] * len(offsets)
    usual = 1 if 2 * positive > len(known) else -1
    return [bool(offset) and offset * usual < 0 for offset in offsets]
