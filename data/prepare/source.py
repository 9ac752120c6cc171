"""What `python -m data.prepare` needs to know about a public set: how to find its images and read one."""

import argparse
import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data.classes import Classes
from data.read.decode import Stored
from data.read.images import files_below, read_file
from data.read.labels import read_labels
from util.errors import UserError

LUNGS = Classes.load("lungs")


@dataclass(frozen=True)
class Item:
    """One image of a set and the files of its mask, before they are read.

    id: the name of its new files. label: splits are stratified by it. source: the part of the set it comes from; ""
    for the set's own name.
    """

    id: str
    image: Path
    masks: tuple[Path, ...]
    patient: str
    label: str
    source: str = ""


@dataclass
class Inventory:
    """The contents of a set's folder. left_out: the files that cannot be used, by reason. odd: files that are used or
    do not matter, by what is odd about them. splits: of each id, if the folder itself says so. dialect: of masks in a
    table (`data.prepare.run_lengths`)."""

    items: list[Item] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    odd: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    splits: dict[str, str] = field(default_factory=dict)
    dialect: str = "relative"


class Source(ABC):
    """A public set. name: the column `source` in splits.csv, unless an item has a source of its own. inner: folders
    inside the set that users often name instead of it. target: what its masks show; sets with the same target can share
    a folder. classes: of its masks. colour: whether its images stay in colour. any_folder: whether SRC may be any
    folder, so that two of them may hold different images of one name."""

    name: str
    about: str
    homepage: str
    licence: str
    citation: str
    inner: frozenset[str] = frozenset()
    target = "lungs"
    classes = LUNGS
    colour = False
    any_folder = False

    def add_flags(self, command: argparse.ArgumentParser) -> None:
        """Add the flags of this set alone."""
        return

    def with_flags(self, opt: argparse.Namespace) -> "Source":
        """The set as its flags want it read."""
        return self

    def root(self, src: Path) -> Path:
        """The folder to search: SRC, or its parent if SRC is one of the set's inner folders. UserError: no folder."""
        if not src.exists():
            raise UserError(f"{src}: no such folder")
        if not src.is_dir():
            raise UserError(f"{src}: a file, not a folder; unpack the archive and name the folder")
        root = src
        while root.resolve().name in self.inner:
            root = root.resolve().parent
        return root

    @abstractmethod
    def find(self, root: Path) -> Inventory:
        """The set's images in or below `root`, in a fixed order. UserError: there are none; it lists the files that
        were expected."""

    def read(self, item: Item) -> tuple[np.ndarray, np.ndarray]:
        """The image, uint8 or uint16 at full scale, and class indices, uint8 [H, W]. UserError: a damaged file, or
        image and mask differ in size."""
        file = read_file(item.image)
        image, mask = file.pages[0].pixels, self.read_mask(item, file)
        if image.shape[:2] != mask.shape:
            raise UserError(
                f"{item.masks[0]}: {mask.shape[1]} x {mask.shape[0]} pixels, but its image "
                f"{item.image.name} has {image.shape[1]} x {image.shape[0]}"
            )
        return image, mask

    def read_mask(self, item: Item, image: Stored | None = None) -> np.ndarray:
        """Class indices, uint8 [H, W]. image: what the item's image file holds. UserError: a damaged file, or only one
        of image and mask is turned."""
        return read_labels(item.masks, self.classes, image)

    def extent(self, item: Item) -> tuple[float, float] | None:
        """Height and width of the whole image in mm; None if unknown."""
        return None


PICTURE = r"(\.(png|dcm|dicom))?"
"""The extension of an image that its owner offers as PNG and as DICOM. DICOM files often have none."""


def files_by_name(root: Path, pattern: str) -> dict[str, list[Path]]:
    """Files in or below `root` whose whole name matches `pattern` in any case, by their name without extension, sorted.
    A name has several files if the folder holds copies, also with other upper and lower case."""
    expression = re.compile(pattern, re.IGNORECASE)
    files: dict[str, list[Path]] = {}
    names: dict[str, str] = {}
    for path in files_below(root):
        if expression.fullmatch(path.name):
            name = names.setdefault(path.stem.casefold(), path.stem)
            files.setdefault(name, []).append(path)
    return dict(sorted(files.items()))


def first_of_each(files: dict[str, list[Path]], inventory: Inventory) -> dict[str, Path]:
    """One file of each name. Copies elsewhere in the folder are listed in `inventory` as odd."""
    inventory.odd["a second file of the same name, not used"] += [str(p) for paths in files.values() for p in paths[1:]]
    return {name: paths[0] for name, paths in files.items()}


def in_folders(files: dict[str, list[Path]], *folders: str) -> dict[str, list[Path]]:
    """The files that are directly in a folder of one of these (lower-case) names."""
    inside = {name: [p for p in paths if p.parent.name.lower() in folders] for name, paths in files.items()}
    return {name: paths for name, paths in inside.items() if paths}


def with_both_lungs(
    pictures: dict[str, list[Path]],
    left: dict[str, list[Path]],
    right: dict[str, list[Path]],
    inventory: Inventory,
    merged: dict[str, list[Path]] | None = None,
) -> Iterator[tuple[str, Path, tuple[Path, ...]]]:
    """Name, image and masks of each image that has masks of both lungs, or a merged one. The other images, and masks
    without an image, are listed in `inventory` as left out."""
    sides = {
        side: {name.casefold(): path for name, path in first_of_each(masks, inventory).items()}
        for side, masks in (("left", left), ("right", right), ("merged", merged or {}))
    }
    for name, path in first_of_each(pictures, inventory).items():
        key = name.casefold()
        missing = [side for side in ("left", "right") if key not in sides[side]]
        if not missing:
            yield name, path, (sides["left"][key], sides["right"][key])
        elif key in sides["merged"]:
            yield name, path, (sides["merged"][key],)
        else:
            inventory.left_out[f"no mask of the {' and '.join(missing)} lung"].append(path.name)
    known = {name.casefold() for name in pictures}
    names = {name for masks in (left, right, merged or {}) for name in masks if name.casefold() not in known}
    inventory.left_out["a mask without its image"] += sorted(names)
