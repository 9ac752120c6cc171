"""Which mask belongs to which image, by name."""

import re
import unicodedata
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from data.read.images import without_extension

# What a mask's name may carry beyond its image's: x_mask.png, x_left.png, x_lung_mask.png.
SUFFIX = re.compile(r"([_-](left|right|lung|lungs|mask|seg|label))+$", re.IGNORECASE)


@dataclass(frozen=True)
class Matching:
    """found: the masks of each image that has any; strays: masks that belong to no image; unclear: files whose
    name leaves open what they belong to, each with a line that says so."""

    found: dict[Path, list[Path]]
    strays: list[Path]
    unclear: dict[Path, str]


def match(images: list[Path], image_root: Path, masks: list[Path], mask_root: Path) -> Matching:
    """Give each mask to its image.

    A mask belongs to the image of the same path below the two roots (without extension), else to the only image of
    the same stem; else the same again without an ending such as _mask or _left (`SUFFIX`).
    """
    unclear: dict[Path, str] = {}
    by_path: dict[Path, Path] = {}
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for image in images:
        key = _key(image, image_root)
        if key in by_path:
            unclear[image] = (
                f"{image} and {by_path[key].name}: two images of one name, so that a mask cannot tell "
                "which it belongs to; rename or remove one"
            )
            continue
        by_path[key] = image
        by_stem[key.name].append(image)

    found: dict[Path, list[Path]] = defaultdict(list)
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
            found[candidates[0]].append(mask)
        else:
            strays.append(mask)
    return Matching(dict(found), strays, unclear)


def _key(path: Path, root: Path) -> Path:
    """The path below `root` without extension, in one Unicode form: a Mac writes the same name in other bytes."""
    inside = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    return Path(unicodedata.normalize("NFC", str(without_extension(inside))))
