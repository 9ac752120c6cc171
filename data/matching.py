"""Which mask belongs to which image, by name."""

import re
import unicodedata
from collections import defaultdict
from pathlib import Path

from util.errors import UserError

# What a mask's name may carry beyond its image's: x_mask.png, x_left.png, x_lung_mask.png.
SUFFIX = re.compile(r"([_-](left|right|lung|lungs|mask|seg|label))+$", re.IGNORECASE)


def match(images: list[Path], image_root: Path, masks: list[Path], mask_root: Path
          ) -> tuple[dict[Path, list[Path]], list[Path]]:
    """The masks of each image that has any, and the masks that belong to no image.

    A mask belongs to the image of the same path below the two roots (without extension), else to the only image of
    the same stem; else the same again without an ending such as _mask or _left (`SUFFIX`).
    """
    by_path: dict[Path, Path] = {}
    by_stem: dict[str, list[Path]] = defaultdict(list)
    for image in images:
        key = _key(image, image_root)
        if key in by_path:
            raise UserError(f"{image} and {by_path[key].name}: two images of one name, so that a mask cannot tell "
                            "which it belongs to; rename or remove one")
        by_path[key] = image
        by_stem[key.name].append(image)

    found: dict[Path, list[Path]] = defaultdict(list)
    strays = []
    for mask in masks:
        key = _key(mask, mask_root)
        image = None
        for name in (key.name, SUFFIX.sub("", key.name)):
            image = by_path.get(key.with_name(name)) if name else None
            if image is None and len(by_stem[name]) > 1:
                raise UserError(f"{mask}: belongs to {by_stem[name][0]} or to {by_stem[name][1]}? Give it the same "
                                "sub-folder as its image")
            if image is None and by_stem[name]:
                image = by_stem[name][0]
            if image is not None:
                break
        if image is None:
            strays.append(mask)
        else:
            found[image].append(mask)
    return dict(found), strays


def _key(path: Path, root: Path) -> Path:
    """The path below `root` without extension, in one Unicode form: a Mac writes the same name in other bytes."""
    inside = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    return Path(unicodedata.normalize("NFC", str(inside.with_suffix(""))))
