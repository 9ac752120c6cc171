"""Summaries of many pictures and masks. Each file is decoded once, in threads, and only its summary is kept."""

import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import numpy as np
from tqdm import tqdm

from data.classes import Classes, without_void
from data.read.decode import Stored
from data.read.headers import read_patient
from data.read.images import read_file
from data.read.labels import as_stored, labels_of_file
from data.transforms import to_rgb8
from util.errors import UserError

Thing = TypeVar("Thing")
Result = TypeVar("Result")

SOFT = 8.0
"""A pixel that is farther than this (Euclidean, in 0..255 RGB) from the colour of every class is on a blurred edge."""


@dataclass(frozen=True)
class Picture:
    """size: width, height. kind: such as "16-bit grey". digest: of the pixels, so equal pictures have the same digest
    in any file format. high: of a 16-bit picture, the value that 99.9 % of its pixels do not exceed, as a share of the
    range. even: all pixels are equal. owner: digest of the patient's ID in a DICOM header; None if there is none.
    orientation: the EXIF orientation by which it was turned."""

    size: tuple[int, int]
    kind: str
    digest: bytes
    high: float
    even: bool
    owner: bytes | None
    orientation: int


@dataclass(frozen=True)
class Mask:
    """counts: pixels of each class. borders: whether the foreground reaches all four borders. soft: the share of pixels
    on blurred edges if the file is lossy, else None."""

    picture: Picture
    counts: np.ndarray
    borders: bool
    soft: float | None

    @property
    def foreground(self) -> float:
        """Share of pixels that are not of class 0."""
        return float(self.counts[1:].sum() / self.counts.sum())


def read_all(
    images: Sequence[Path], masks: Sequence[Path], classes: Classes
) -> Iterator[tuple[Path, Picture | Mask | UserError]]:
    """Every file with its summary, or with the error that reading it raised. Shows a progress bar."""
    jobs = [(path, None) for path in images] + [(path, classes) for path in masks]
    for (path, _), content in zip(jobs, in_threads(lambda job: _read(*job), jobs, "reading"), strict=True):
        yield path, content


def in_threads(work: Callable[[Thing], Result], files: Sequence[Thing], about: str) -> Iterator[Result]:
    """What `work` makes of each file, in order, with a progress bar that says what it is about."""
    pool = ThreadPoolExecutor(min(8, os.cpu_count() or 1))
    bar = tqdm(total=len(files), desc=about, unit="file", delay=2, leave=False, disable=None)
    try:
        for result in pool.map(work, files):
            bar.update()
            yield result
    finally:
        bar.close()
        pool.shutdown(cancel_futures=True)


def _read(path: Path, classes: Classes | None) -> Picture | Mask | UserError:
    try:
        file = read_file(path, several=classes is not None and classes.binary)
        return _picture(file, _owner(path)) if classes is None else _mask(file, classes, path)
    except UserError as error:
        return error


def _picture(file: Stored, owner: bytes | None = None) -> Picture:
    pixels = file.pages[0].pixels
    if pixels.ndim == 3 and (pixels == pixels[:, :, :1]).all():
        pixels = pixels[:, :, 0]
    deep = pixels.dtype == np.uint16
    return Picture(
        size=(pixels.shape[1], pixels.shape[0]),
        kind=f"{16 if deep else 8}-bit {'grey' if pixels.ndim == 2 else 'colour'}",
        digest=hashlib.sha256(f"{pixels.shape} {pixels.dtype} ".encode() + pixels.tobytes()).digest(),
        high=float(np.quantile(pixels, 0.999)) / 65535 if deep else 1.0,
        even=bool(pixels.min() == pixels.max()),
        owner=owner,
        orientation=file.orientation,
    )


def _owner(path: Path) -> bytes | None:
    patient = read_patient(path)
    return hashlib.sha256(patient.encode()).digest() if patient else None


def _mask(file: Stored, classes: Classes, path: Path) -> Mask:
    labels = without_void(labels_of_file(file, classes, path))
    pixels = file.pages[0].pixels
    inside = labels > 0
    return Mask(
        picture=_picture(file),
        counts=np.bincount(labels.ravel(), minlength=len(classes)),
        borders=all(edge.any() for edge in (inside[0], inside[-1], inside[:, 0], inside[:, -1])),
        soft=_soft(pixels, as_stored(pixels, classes, str(path))) if file.lossy else None,
    )


def _soft(pixels: np.ndarray, classes: Classes) -> float:
    return float((classes.nearest(to_rgb8(pixels))[1] > SOFT).mean())
