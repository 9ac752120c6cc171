"""What `python -m data.prepare` has to know of a public set: which images it has, and how one is read."""

import re
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from data.classes import Classes
from data.read.images import files_below, read_image
from data.read.labels import read_labels
from util.errors import UserError

LUNGS = Classes.load("lungs")


@dataclass(frozen=True)
class Item:
    """One image of a set and where its mask lies, not read yet.

    id: what its files will be called; label: what splits are stratified by; source: part of the set that it is from.
    """

    id: str
    image: Path
    masks: tuple[Path, ...]
    patient: str
    label: str
    source: str = ""


@dataclass
class Found:
    """What lies in a set's folder. left_out: by the reason, the files that cannot be used because of it; odd: by
    what is odd about them, files that are used or do not matter."""

    items: list[Item] = field(default_factory=list)
    left_out: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    odd: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))


class Source(ABC):
    """A public set. name: the column `source` in splits.csv, unless an item says better; inner: folders in it that
    users name in its place; target: what its masks show, sets of one target can share a folder; classes: what its masks
    hold; colour: whether its images keep their colour."""

    name: str
    about: str
    homepage: str
    licence: str
    citation: str
    inner: frozenset[str] = frozenset()
    target = "lungs"
    classes = LUNGS
    colour = False

    def root(self, src: Path) -> Path:
        """The folder to look through: SRC, or the one around it if SRC is one of the set's inner folders."""
        if not src.exists():
            raise UserError(f"{src}: no such folder")
        if not src.is_dir():
            raise UserError(f"{src}: a file, not a folder; unpack the archive and name the folder")
        root = src
        while root.resolve().name in self.inner:
            root = root.resolve().parent
        return root

    @abstractmethod
    def find(self, root: Path) -> Found:
        """The set's images in or below `root`, in a fixed order. UserError: there are none, with what was looked
        for."""

    def read(self, item: Item) -> tuple[np.ndarray, np.ndarray]:
        """Image (uint8 or uint16, full scale) and class indices (uint8) [H, W]. UserError: a damaged file, two
        sizes."""
        image, mask = read_image(item.image), self.read_mask(item)
        if image.shape[:2] != mask.shape:
            raise UserError(
                f"{item.masks[0]}: {mask.shape[1]} x {mask.shape[0]} pixels, but its image "
                f"{item.image.name} has {image.shape[1]} x {image.shape[0]}"
            )
        return image, mask

    def read_mask(self, item: Item) -> np.ndarray:
        """Class indices, uint8 [H, W]. UserError: a damaged file."""
        return read_labels(item.masks, self.classes)

    def extent(self, item: Item) -> tuple[float, float] | None:
        """Height and width of the whole image in mm; None if unknown."""
        return None


def files_by_name(root: Path, pattern: str) -> dict[str, list[Path]]:
    """Files in or below `root` whose whole name matches (without case), by their name without extension; sorted."""
    wanted = re.compile(pattern, re.IGNORECASE)
    found: dict[str, list[Path]] = defaultdict(list)
    for path in files_below(root):
        if wanted.fullmatch(path.name):
            found[path.stem].append(path)
    return dict(sorted(found.items()))


def first_of_each(files: dict[str, list[Path]], found: Found) -> dict[str, Path]:
    """One file of each name; copies elsewhere in the folder are told as odd."""
    found.odd["a second file of the same name, not used"] += [str(p) for paths in files.values() for p in paths[1:]]
    return {name: paths[0] for name, paths in files.items()}


def in_folders(files: dict[str, list[Path]], *folders: str) -> dict[str, list[Path]]:
    """Those files that lie in a folder of one of these (lower-case) names."""
    inside = {name: [p for p in paths if p.parent.name.lower() in folders] for name, paths in files.items()}
    return {name: paths for name, paths in inside.items() if paths}


def with_both_lungs(
    pictures: dict[str, list[Path]], left: dict[str, list[Path]], right: dict[str, list[Path]], found: Found
) -> Iterator[tuple[str, Path, tuple[Path, Path]]]:
    """Name, image and the two masks of each image that has both; the others, and strays, are told in `found`."""
    sides = {side: first_of_each(masks, found) for side, masks in (("left", left), ("right", right))}
    for name, path in first_of_each(pictures, found).items():
        missing = [side for side, masks in sides.items() if name not in masks]
        if missing:
            found.left_out[f"no mask of the {' and '.join(missing)} lung"].append(path.name)
        else:
            yield name, path, (sides["left"][name], sides["right"][name])
    found.left_out["a mask without its image"] += sorted((left.keys() | right.keys()) - pictures.keys())
