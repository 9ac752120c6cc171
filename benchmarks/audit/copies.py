"""How alike `data.audit` finds changed copies of an X-ray, and X-rays of different patients."""

import io
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from PIL import Image, ImageEnhance, ImageOps

from data.audit.copies import thumbnail

COPIED = 60
"""So many images, evenly spaced in the list, are changed and compared with themselves."""

Change = Callable[[Image.Image], Image.Image]


def as_jpeg(image: Image.Image) -> Image.Image:
    file = io.BytesIO()
    image.save(file, "JPEG", quality=40)
    return Image.open(file)


def cropped(image: Image.Image) -> Image.Image:
    inside = ImageOps.crop(image, round(0.02 * image.width))
    return inside.resize(image.size)


CHANGES: dict[str, Change] = {
    "JPEG, quality 40": as_jpeg,
    "half the size": lambda image: image.reduce(2),
    "a fifth brighter": lambda image: ImageEnhance.Brightness(image).enhance(1.2),
    "less contrast (.8)": lambda image: ImageEnhance.Contrast(image).enhance(0.8),
    "gamma .7": lambda image: image.point([round(255 * (value / 255) ** 0.7) for value in range(256)]),
    "turned by 1 degree": lambda image: image.rotate(1),
    "2 % of each border cut off": cropped,
    "histogram equalised": ImageOps.equalize,
}


def how_alike(paths: Sequence[Path]) -> list[list[str]]:
    """Lines of a table: the lowest and the median correlation of copies by each change. The last line has the highest
    of two different images, and the median of each image's highest."""
    images = [Image.open(path).convert("L") for path in paths]
    fine = np.stack([_fine(image) for image in images])
    chosen = range(0, len(images), max(1, len(images) // COPIED))
    rows = []
    for name, change in CHANGES.items():
        alike = [float(_fine(change(images[place])) @ fine[place]) for place in chosen]
        rows.append([name, f"{min(alike):.3f}", f"{np.median(alike):.3f}"])
    others = fine @ fine.T - 2 * np.eye(len(fine))
    return [*rows, ["another patient (highest)", f"{others.max():.3f}", f"{np.median(others.max(axis=1)):.3f}"]]


def _fine(image: Image.Image) -> np.ndarray:
    return thumbnail(np.asarray(image.convert("RGB"))).fine
