"""Which mask belongs to which image, by name."""

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from data.read.images import without_extension

# Endings that a mask's name may have and its image's name does not: x_mask.png, x_left.png, x_lung_mask.png.
SUFFIX = re.compile(r"([_-](left|right|lung|lungs|mask|seg|label))+$", re.IGNORECASE)


@dataclass(frozen=True)
class Matching:
    """masks_of: the masks of each image that has any. strays: masks without an image. unclear: files whose name does
    not decide where they belong, each with an error message."""

    masks_of: dict[Path, list[Path]]
    strays: list[Path]
    unclear: dict[Path, str]


def match(images: list[Path], image_root: Path, masks: list[Path], mask_root: Path) -> Matching:
    """Find the image of each mask.

    A mask belongs to the image with the same path below its root (without extension), else to the only image with the
    same stem. If there is neither, the mask's name is tried without an ending such as _mask or _left (`SUFFIX`).
    """
    unclear: dict[Path, str] = {}
    by_path: dict[Path, Path] = {}
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for image in images:
        key = _key(image, image_root)
        if key in by_path:
            unclear[image] = (
                f"{image} and {by_path[key].name}: two images of one name, so a mask could belong to either; "
                "rename or remove one"
            )
            continue
        by_path[key] = image
        by_stem[key.name].append(image)

    masks_of: dict[Path, list[Path]] = defaultdict(list)
    strays = []
    for mask in masks:
        key = _key(mask, mask_root)
        for name in (key.name, SUFFIX.sub("", key.name)):
            image = by_path.get(key.with_name(name)) if name else None
            candidates = [image] if image else by_stem[name]
            if candidates:
                break
        if len(candidates) > 1:
            unclear[mask] = (
                f"{mask}: belongs to {candidates[0]} or to {candidates[1]}? Give it the same sub-folder as its image"
            )
        elif candidates:
            masks_of[candidates[0]].append(mask)
        else:
            strays.append(mask)
    return Matching(dict(masks_of), strays, unclear)


def _key(path: Path, root: Path) -> Path:
    """The path below `root` without extension, in one Unicode form: macOS writes the same name with other bytes."""
    inside = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    return Path(unicodedata.normalize("NFC", str(without_extension(inside))))
