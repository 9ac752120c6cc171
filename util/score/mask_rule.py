"""From a foreground map to a mask: thresholds, holes, small parts. All at the original size of the image."""

import argparse
from dataclasses import dataclass

import numpy as np
from scipy.ndimage import binary_fill_holes, label

TOUCHING = np.ones((3, 3))  # pixels of one part touch at a side or a corner


@dataclass(frozen=True)
class MaskRule:
    """How a foreground map becomes a mask.

    threshold: foreground begins there, 0..1; top, area: the map needs at least `area` pixels of `top` or more, else its
    mask is empty (two thresholds and an area, the "triplet" with which the first place of the SIIM-ACR pneumothorax
    challenge told sick from healthy: .75, 2000, .3 at 1024 x 1024). Then, in this order: fill_holes: background that
    does not reach the border becomes foreground; min_area: parts of fewer pixels go; keep_largest: all but so many
    largest parts go (0: none does). chosen_on: what the threshold was chosen on, in words; "": it was given.
    """

    threshold: float = 0.5
    top: float = 0.0
    area: int = 0
    fill_holes: bool = False
    min_area: int = 0
    keep_largest: int = 0
    chosen_on: str = ""

    @classmethod
    def of(cls, opt: argparse.Namespace, auto: float = 0.5, chosen_on: str = "") -> "MaskRule":
        """The rule of --mask_threshold, --fill_holes, --min_area, --keep_largest; auto: what that word stands for."""
        parts = {name: getattr(opt, name) for name in ("fill_holes", "min_area", "keep_largest")}
        if opt.mask_threshold == "auto":
            return cls(auto, chosen_on=chosen_on, **parts)
        top, area, bottom = triplet(opt.mask_threshold)
        return cls(bottom, top, area, **parts)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Foreground values 0..1 [H, W] -> boolean mask [H, W]. The values stay as they are."""
        mask = values >= self.threshold
        if self.area and np.count_nonzero(values >= self.top) < self.area:
            return np.zeros_like(mask)
        if self.fill_holes:
            mask = binary_fill_holes(mask)
        return large_parts(mask, self.min_area, self.keep_largest) if self.min_area or self.keep_largest else mask

    @property
    def settings(self) -> dict[str, object]:
        """What the page and metrics.json say of it; post-processing only where there is any."""
        told: dict[str, object] = {"threshold": self.threshold}
        if self.chosen_on:
            told["threshold chosen on"] = self.chosen_on
        if self.area:
            told |= {"only images with": f"{self.area} pixels of {self.top:g} or more"}
        parts = {"fill_holes": self.fill_holes, "min_area": self.min_area, "keep_largest": self.keep_largest}
        return told | {name: value for name, value in parts.items() if value}


ONE_HALF = MaskRule()


def triplet(threshold: float | str) -> tuple[float, int, float]:
    """(top, area, bottom) of --mask_threshold "TOP,AREA,BOTTOM", or of a single threshold, which needs no area."""
    if isinstance(threshold, float):
        return 0.0, 0, threshold
    top, area, bottom = threshold.split(",")
    return float(top), int(area), float(bottom)


def large_parts(mask: np.ndarray, min_area: int = 0, most: int = 0) -> np.ndarray:
    """The parts of a boolean mask [H, W] that have at least `min_area` pixels; the `most` largest of them (0: all).

    Of parts of one size the upper one comes first.
    """
    parts, count = label(mask, TOUCHING)
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")[: most or count]
    kept = np.zeros(count + 1, bool)
    kept[1 + order[sizes[order] >= min_area]] = True
    return kept[parts]
