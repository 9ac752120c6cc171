"""The images that trained networks have segmented, and how much their masks differ from those of the data set."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from data.audit.copies import Thumbnail, thumbnail
from data.audit.disagreement import Disagreement, disagreement
from data.audit.kinds import side_of, to_grid
from data.classes import MASKS, Classes, without_void
from data.read.decode import Stored
from data.read.images import find_images, read_file
from data.read.labels import read_labels
from data.transforms import to_rgb8
from util.errors import UserError

LARGEST = 512
"""Masks are compared at this many pixels a side at most: every second, third, ... pixel of larger ones."""
MAPS = ("probabilities/{}.png", "images/{}_fake_B.png", "images/{}_fake.png")
"""Where results may hold a network's foreground values of an image, 0 to 255."""


@dataclass(frozen=True)
class Case:
    """An image with its mask in the data set, of one or more files, and its place in results: the folder and its id."""

    image: Path
    masks: tuple[Path, ...]
    results: Path
    id: str

    @property
    def predicted(self) -> Path:
        return self.results / "masks" / f"{self.id}.png"


@dataclass(frozen=True)
class Measured:
    """mask, predicted: on the grid of `data.audit.kinds`. offset: by how many pixels the part called left is right of
    the other part, None without such parts. sure: whether the results hold the network's confidence. thumbnail: of the
    image, which is decoded for its mask anyway."""

    disagreement: Disagreement
    thumbnail: Thumbnail
    mask: np.ndarray
    predicted: np.ndarray
    offset: float | None
    sure: bool


class Pixels(NamedTuple):
    """picture: the image, uint8 [H, W, 3]. mask, predicted: bool [H, W]. confidence: the network's in each pixel, 0..1
    [H, W], or None. offset: of the parts."""

    picture: np.ndarray
    mask: np.ndarray
    predicted: np.ndarray
    confidence: np.ndarray | None
    offset: float | None


def ids_in(results: Path) -> list[str]:
    """The ids of the images that a folder of results has masks of. UserError: it has none."""
    ids = [path.stem for path in find_images(results / "masks")] if (results / "masks").is_dir() else []
    if not ids:
        raise UserError(f"{results}: no masks/ with pictures in it; give a folder of results of test.py")
    return ids


def find_cases(
    results: Sequence[Path], images: Mapping[str, Path], masks_of: Mapping[Path, tuple[Path, ...]]
) -> list[Case]:
    """The segmented images of all folders of results. images: those of the data set by id. masks_of: their masks.

    UserError: a folder holds a mask of another data set; an image was segmented twice; no image has a mask.
    """
    cases: dict[str, Case] = {}
    for folder in results:
        for name in ids_in(folder):
            if name not in images:
                raise UserError(
                    f"{folder}: the data set has no image {name}; are these results of another one? "
                    "--dataroot names the right one"
                )
            if name in cases:
                raise UserError(f"{folder}: {cases[name].results} has a mask of {name}, too; give each image once")
            cases[name] = Case(images[name], masks_of.get(images[name], ()), folder, name)
    masked = [case for case in cases.values() if case.masks]
    if not masked:
        raise UserError(f"{results[0]}: none of these {len(cases)} images has a mask in the data set to be audited")
    return masked


def measure(case: Case) -> Measured:
    """Compare the mask of a case with the network's. UserError: a file cannot be read, or their sizes differ."""
    picture, mask, predicted, confidence, offset = read_case(case)
    step = -(-max(mask.shape) // LARGEST)
    small = (slice(None, None, step),) * 2
    sure = np.ones(mask.shape) if confidence is None else confidence
    return Measured(
        disagreement(mask[small], predicted[small], sure[small], step),
        thumbnail(picture),
        to_grid(mask),
        to_grid(predicted),
        offset,
        confidence is not None,
    )


def read_case(case: Case) -> Pixels:
    """Everything about a case. UserError: a file cannot be read, or sizes differ."""
    stored = read_file(case.predicted).pages[0].pixels
    if stored.ndim != 2 or not np.isin(stored, (0, 255)).all():  # first, as masks of three classes may be good ones
        raise UserError(f"{case.predicted}: not a mask of two classes; the audit compares masks of two classes")
    image = read_file(case.image)
    parts = [_read_mask((path,), image) for path in case.masks]
    mask = np.logical_or.reduce(parts)
    if stored.shape != mask.shape:
        raise UserError(
            f"{case.predicted}: {_size(stored)}, but {case.masks[0]} has {_size(mask)}: are these results of another "
            "data set?"
        )
    picture = to_rgb8(image.pages[0].pixels)
    return Pixels(picture, mask, stored > 0, _confidence(case, *mask.shape), _offset(case.masks, parts))


def _read_mask(paths: tuple[Path, ...], image: Stored) -> np.ndarray:
    return without_void(read_labels(paths, Classes.load(MASKS), image)) == 1


def _confidence(case: Case, height: int, width: int) -> np.ndarray | None:
    """How far the network's values are from undecided, which is 0. A colour shows two classes as black and itself."""
    from PIL import Image

    for place in MAPS:
        if (path := case.results / place.format(case.id)).is_file():
            values = read_file(path).pages[0].pixels
            values = values.max(axis=2) if values.ndim == 3 else values
            if values.shape != (height, width):  # test.py --aspect_ratio
                values = np.asarray(Image.fromarray(values).resize((width, height)))
            return np.abs(values.astype(np.float32) / 127.5 - 1)
    return None


def _offset(paths: tuple[Path, ...], parts: list[np.ndarray]) -> float | None:
    middles = {
        side: float(np.nonzero(part)[1].mean())
        for path, part in zip(paths, parts, strict=True)
        if part.any() and (side := side_of(path))
    }
    return middles["left"] - middles["right"] if len(middles) == 2 else None


def read_thumbnail(image: Path) -> Thumbnail:
    return thumbnail(to_rgb8(read_file(image).pages[0].pixels))


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]} x {array.shape[0]} pixels"
