"""From a foreground map to a mask, at the original size of the image: thresholds, holes, small parts."""

import argparse
from dataclasses import dataclass
from typing import cast

import numpy as np


@dataclass(frozen=True)
class MaskRule:
    """How a foreground map becomes a mask.

    threshold: pixels of this value or more are foreground, 0..1. top, area: the mask is empty unless at least `area`
    pixels reach `top`. (Two thresholds and an area are the "triplet" by which the winners of the SIIM-ACR pneumothorax
    challenge separated sick from healthy: .75, 2000, .3 at 1024 x 1024.) Then, in this order: fill_holes: background
    that does not reach the border becomes foreground; min_area: smaller parts, in pixels, are removed; keep_largest:
    only this many of the largest parts are kept (0: all). chosen_on: the data that the threshold was chosen on, for
    people; "" if the user gave the threshold.
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
        """The rule of --mask_threshold, --fill_holes, --min_area and --keep_largest; auto: the chosen threshold."""
        parts = {name: getattr(opt, name) for name in ("fill_holes", "min_area", "keep_largest")}
        if opt.mask_threshold == "auto":
            return cls(auto, chosen_on=chosen_on, **parts)
        top, area, bottom = triplet(opt.mask_threshold)
        return cls(bottom, top, area, **parts)

    def __call__(self, values: np.ndarray) -> np.ndarray:
        """Foreground values 0..1 [H, W] -> boolean mask [H, W]. The values are not changed."""
        mask = values >= self.threshold
        if self.area and np.count_nonzero(values >= self.top) < self.area:
            return np.zeros_like(mask)
        if self.fill_holes:
            from scipy.ndimage import binary_fill_holes

            mask = np.asarray(binary_fill_holes(mask))
        return large_parts(mask, self.min_area, self.keep_largest) if self.min_area or self.keep_largest else mask

    @property
    def settings(self) -> dict[str, object]:
        """The rule for the page and metrics.json, without the steps that are off."""
        settings: dict[str, object] = {"threshold": self.threshold}
        if self.chosen_on:
            settings["threshold chosen on"] = self.chosen_on
        if self.area:
            settings["only images with"] = f"{self.area} pixels of {self.top:g} or more"
        parts = {"fill_holes": self.fill_holes, "min_area": self.min_area, "keep_largest": self.keep_largest}
        return settings | {name: value for name, value in parts.items() if value}


ONE_HALF = MaskRule()


def triplet(threshold: float | str) -> tuple[float, int, float]:
    """(top, area, bottom) of --mask_threshold "TOP,AREA,BOTTOM", or of a single threshold, which needs no area."""
    if not isinstance(threshold, str):
        return 0.0, 0, threshold
    top, area, bottom = threshold.split(",")
    return float(top), int(area), float(bottom)


def large_parts(mask: np.ndarray, min_area: int = 0, most: int = 0) -> np.ndarray:
    """The parts of a boolean mask [H, W] that have at least `min_area` pixels; the `most` largest of them (0: all).

    Of two parts of equal size the upper one is kept.
    """
    from scipy.ndimage import label

    touching = np.ones((3, 3))  # pixels of one part touch at a side or a corner
    parts, count = cast("tuple[np.ndarray, int]", label(mask, touching))
    sizes = np.bincount(parts.ravel(), minlength=count + 1)[1:]
    order = np.argsort(-sizes, kind="stable")[: most or count]
    keep = np.zeros(count + 1, bool)
    keep[1 + order[sizes[order] >= min_area]] = True
    return keep[parts]
