"""Which mask belongs to which image, by name."""

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import Path

from data.read.images import find_images, without_extension
from data.read.splits import Row

# Endings that a mask's name may have and its image's name does not: x_mask.png, x_left.png, x_lung_mask.png.
SUFFIX = re.compile(r"([_-](left|right|lung|lungs|mask|seg|label))+$", re.IGNORECASE)
LAST = re.compile(r"[_-][^_-]+$")
# Folders that may hold masks and say nothing about the image: left, leftMask, "right lung", ManualMask.
FOLDER = re.compile(r"((left|right|lungs?|manual|masks?|seg|labels?)[ _-]?)+", re.IGNORECASE)
SIDE = re.compile("left|right", re.IGNORECASE)


@dataclass(frozen=True)
class Matching:
    """masks_of: the masks of each image that has any. strays: masks without an image, each with an error message.
    unclear: files whose name does not decide where they belong, and images with more masks than one mask or named
    parts, each with an error message."""

    masks_of: dict[Path, list[Path]]
    strays: dict[Path, str]
    unclear: dict[Path, str]


def match(images: list[Path], image_root: Path, masks: list[Path], mask_root: Path) -> Matching:
    """Find the image of each mask.

    A mask belongs to the image with the same path below its root, without extension. If there is none, upper and lower
    case are taken for equal, then endings such as _mask or _left (`SUFFIX`), the last one first, and folders such as
    leftMask (`FOLDER`) are left out. A mask in another sub-folder than an image never belongs to it; only where all
    images are in sub-folders and no mask is, the name alone decides. Several masks of one image are parts: each must
    name its side (left, right), and no two the same.
    """
    unclear: dict[Path, str] = {}
    names = _Names(image_root)
    for image in images:
        if other := names.add(image):
            unclear[image] = (
                f"{image} and {other.name}: two images of one name, so a mask could belong to either; "
                "rename or remove one"
            )
    keys = {mask: _key(mask, mask_root) for mask in masks}
    by_name_alone = names.only_in_folders and all(_without_parts(key).parent == Path() for key in keys.values())
    masks_of: dict[Path, list[Path]] = defaultdict(list)
    strays = {}
    for mask, key in keys.items():
        candidates = names.of(key, by_name_alone)
        if len(candidates) > 1:
            unclear[mask] = (
                f"{mask}: belongs to {candidates[0]} or to {candidates[1]}? Give it the same name and sub-folder as "
                "its image"
            )
        elif candidates:
            masks_of[candidates[0]].append(mask)
        else:
            strays[mask] = f"{mask}: no image of this name in {image_root / _without_parts(key).parent}"
    for image, own in masks_of.items():
        if len(own) > 1 and not _are_parts([keys[mask] for mask in own]):
            unclear[image] = (
                f"{image}: {own[0]} and {own[1]} are both named as its mask; only parts are joined, such as "
                "x_left.png and x_right.png: rename or remove one"
            )
    return Matching(dict(masks_of), strays, unclear)


def match_listed(rows: list[Row], root: Path) -> Matching:
    """Match the files in masks/ with the images whose masks the list does not name.

    All files in images/ take part, because a mask of an image that is not listed belongs to no other image.
    """
    by_name = [row.image for row in rows if not row.masks]
    named = [row.image for row in rows if row.masks]
    listed = {*by_name, *named}
    unlisted = [path for path in find_images(root / "images") if path not in listed]
    matching = match([*by_name, *named, *unlisted], root / "images", find_images(root / "masks"), root / "masks")
    settled = {*named, *unlisted, *(mask for row in rows for mask in row.masks)}
    return Matching(
        {image: masks for image, masks in matching.masks_of.items() if image not in settled},
        {mask: line for mask, line in matching.strays.items() if mask not in settled},
        {path: line for path, line in matching.unclear.items() if path not in settled},
    )


@dataclass
class _Names:
    """Images by their path below `root`. folded: by that path in lower case. by_name: by the last part of it."""

    root: Path
    by_path: dict[Path, Path] = field(default_factory=dict)
    folded: dict[Path, list[Path]] = field(default_factory=lambda: defaultdict(list))
    by_name: dict[str, list[Path]] = field(default_factory=lambda: defaultdict(list))
    only_in_folders: bool = True

    def add(self, image: Path) -> Path | None:
        """Add an image, or return the earlier one of the same name."""
        key = _key(image, self.root)
        if key in self.by_path:
            return self.by_path[key]
        self.by_path[key] = image
        self.folded[_folded(key)].append(image)
        self.by_name[key.name.casefold()].append(image)
        self.only_in_folders &= key.parent != Path()
        return None

    def of(self, key: Path, by_name_alone: bool) -> list[Path]:
        """The images that a mask with this path may belong to."""
        for wanted in dict.fromkeys([*_shortened(key), *_shortened(_without_parts(key))]):
            if wanted in self.by_path:
                return [self.by_path[wanted]]
            if candidates := self.folded.get(_folded(wanted)):
                return candidates
            if by_name_alone and (candidates := self.by_name.get(wanted.name.casefold())):
                return candidates
        return []


def _key(path: Path, root: Path) -> Path:
    """The path below `root` without extension, in one Unicode form: macOS writes the same name with other bytes."""
    inside = path.relative_to(root) if root in path.parents else Path(path.name)
    return Path(unicodedata.normalize("NFC", str(without_extension(inside))))


def _folded(key: Path) -> Path:
    return Path(str(key).casefold())


def _shortened(key: Path) -> list[Path]:
    """x/a_left_mask -> x/a_left_mask, x/a_left, x/a: an image may itself be called a_left"""
    names = [key.name]
    while SUFFIX.search(names[-1]) and (shorter := LAST.sub("", names[-1])):
        names.append(shorter)
    return [key.with_name(name) for name in names]


def _without_parts(key: Path) -> Path:
    """leftMask/x/a_mask -> x/a_mask"""
    return Path(*(folder for folder in key.parent.parts if not FOLDER.fullmatch(folder)), key.name)


def _are_parts(keys: list[Path]) -> bool:
    """Whether each mask names another side in its ending or in one of its folders."""
    sides = []
    for key in keys:
        ending = SUFFIX.search(key.name)
        words = [ending[0] if ending else "", *(folder for folder in key.parent.parts if FOLDER.fullmatch(folder))]
        sides.append({side.lower() for side in SIDE.findall(" ".join(words))})
    return all(len(side) == 1 for side in sides) and len(set().union(*sides)) == len(keys)
