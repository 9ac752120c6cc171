"""A folder of X-rays with masks of both lungs, and the two lungs as classes of their own."""

from pathlib import Path
from typing import cast

import numpy as np

from data.classes import Classes
from data.prepare.source import LUNGS, Inventory, Item, Source
from data.read.decode import Stored
from data.read.labels import read_labels
from util.errors import UserError

RIGHT, LEFT = 1, 2
"""The patient's lungs, as class indices."""
SMALLEST = 0.05
"""Of the larger lung's area; a smaller second part is a speck beside a single lung. Real lungs have .10 at least (562
masks of Montgomery and Shenzhen)."""


class Sides(Source):
    """A folder that --dataset_mode masks reads, such as one that this command has filled, with masks of both lungs. In
    the new masks each lung is a class of its own: train with --classes lung_sides.

    The sides are the patient's, who faces you: the right lung is on the left of the image. Splits are those of SRC.
    """

    name = "sides"
    about = "your own masks of both lungs: left and right lung apart (train.py --classes lung_sides)"
    homepage = "that of the folder's own set"
    licence = "that of the folder's own set"
    citation = "the folder's own set"
    target = "lung sides"
    classes = Classes.load("lung_sides")

    def find(self, root: Path) -> Inventory:
        from data.masks import find_rows  # with torch, for which --help need not wait
        from data.read.matching import match_listed

        inventory = Inventory()
        rows = find_rows(root)
        self._spacings = {name: row.spacing for name, row in rows.items()}
        masks_of = match_listed(list(rows.values()), root).masks_of
        for name, row in rows.items():
            masks = row.masks or tuple(masks_of.get(row.image, ()))
            if masks:
                inventory.items.append(Item(name, row.image, masks, row.patient, row.label, row.source))
                inventory.splits[name] = row.split
            else:
                inventory.left_out["no mask"].append(row.image.name)
        return inventory

    def read_mask(self, item: Item, image: Stored | None = None) -> np.ndarray:
        try:
            return sides(read_labels(item.masks, LUNGS, image))
        except ValueError as error:
            raise UserError(f"{item.masks[0]}: {error}") from None

    def extent(self, item: Item) -> tuple[float, float] | None:
        """By SRC's splits.csv; None where it has no spacing."""
        if spacing := self._spacings[item.id]:
            height, width = read_labels(item.masks, LUNGS).shape
            return height * spacing[0], width * spacing[1]
        return None


def sides(lungs: np.ndarray) -> np.ndarray:
    """A mask of both lungs, bool or 0 and 1 [H, W], to class indices uint8 [H, W]: background, right, left lung.

    Of the two largest connected parts, the one further to the left of the image is the right lung. Smaller parts belong
    to the nearer of the two. ValueError: fewer than two parts, or the second is no lung.
    """
    from scipy import ndimage

    parts, _ = cast("tuple[np.ndarray, int]", ndimage.label(lungs))
    if parts.max() < 2:
        found = "this is one part" if parts.any() else "it is empty"
        raise ValueError(f"want a mask of two lungs that do not touch; {found}")
    areas = np.bincount(parts.ravel())[1:]
    second, first = np.argsort(areas, kind="stable")[-2:]
    if areas[second] < SMALLEST * areas[first]:
        raise ValueError(f"want a mask of two lungs; beside the largest part, the next has {areas[second]} pixels")
    right, left = sorted((parts == part + 1 for part in (first, second)), key=lambda lung: np.nonzero(lung)[1].mean())
    to_left, to_right = (np.asarray(ndimage.distance_transform_edt(~lung)) for lung in (left, right))
    return np.where(parts == 0, 0, np.where(to_left < to_right, LEFT, RIGHT)).astype(np.uint8)
