"""A folder of X-rays with masks of both lungs, and the two lungs as classes of their own."""

import argparse
import copy
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

    The sides are the patient's, who faces you: the right lung is on the left of the image. Splits are those of SRC, and
    images that its verdicts.csv keeps out of training are left out. Each SRC needs a DST of its own.
    """

    name = "sides"
    about = "your own masks of both lungs: left and right lung apart (train.py --classes lung_sides)"
    homepage = "that of the folder's own set"
    licence = "that of the folder's own set"
    citation = "the folder's own set"
    target = "lung sides"
    classes = Classes.load("lung_sides")
    any_folder = True
    patient_regex = ""

    def add_flags(self, command: argparse.ArgumentParser) -> None:
        command.add_argument("--patient_regex", default="", help="of SRC, as in train.py")

    def with_flags(self, opt: argparse.Namespace) -> "Sides":
        with_flags = copy.copy(self)
        with_flags.patient_regex = opt.patient_regex
        return with_flags

    def find(self, root: Path) -> Inventory:
        from data.audit.verdicts import left_out
        from data.masks import find_rows  # with torch, for which --help need not wait
        from data.read.matching import match_listed

        inventory = Inventory()
        rows = find_rows(root, self.patient_regex)
        self._spacings = {name: row.spacing for name, row in rows.items()}
        matching = match_listed(list(rows.values()), root)
        if unclear := next(iter(matching.unclear.values()), ""):
            raise UserError(unclear)
        inventory.left_out["a mask without its image"] += (path.name for path in matching.strays)
        images = [row.image for row in rows.values()]
        bad, _ = left_out(root, [row.image for row in rows.values() if row.split != "test"], images)
        for name, row in rows.items():
            masks = row.masks or tuple(matching.masks_of.get(row.image, ()))
            if masks and row.image not in bad:
                inventory.items.append(Item(name, row.image, masks, row.patient, row.label, row.source))
                inventory.splits[name] = row.split
            else:
                why = "by its verdict in verdicts.csv" if row.image in bad else "no mask"
                inventory.left_out[why].append(row.image.name)
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
    to the nearer of the two. ValueError: fewer than two parts, the second is no lung, or one lies below the other.
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
    (start, end), (other_start, other_end) = (
        (x.min(), x.max() + 1) for x in (np.nonzero(right)[1], np.nonzero(left)[1])
    )
    if min(end, other_end) - max(start, other_start) > min(end - start, other_end - other_start) / 2:
        raise ValueError(
            "want a mask of two lungs; its two largest parts lie one below the other, so one may be in pieces"
        )
    to_left, to_right = (np.asarray(ndimage.distance_transform_edt(~lung)) for lung in (left, right))
    return np.where(parts == 0, 0, np.where(to_left < to_right, LEFT, RIGHT)).astype(np.uint8)
