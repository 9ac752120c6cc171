"""Masks as files: PNG, run lengths, DICOM Segmentation objects. Each is complete or absent."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from data.dicomseg import NOT_DICOM, SegmentationObjects
from data.read.headers import is_dicom
from data.stream import WRITERS
from util.contracts import ClassMap
from util.errors import UserError
from util.files import replacing
from util.show.pictures import save_png


class MaskWriter:
    """Writes the mask of an image in each of `kinds` (keys of `WRITERS`). Safe to call from several threads.

    png: 0 and 255 for two classes, else class colours. rle: a JSON list with an object for each class but the first,
    as COCO writes run lengths. dicomseg: by `objects`.
    """

    def __init__(self, kinds: Sequence[str], classes: ClassMap, objects: SegmentationObjects | None = None) -> None:
        self._kinds, self._classes, self._objects = kinds, classes, objects

    def targets(self, base: Path) -> list[Path]:
        """The files of the image whose masks go to `base` (its path without extension)."""
        return [base.with_name(base.name + WRITERS[kind]) for kind in self._kinds]

    def check(self, image: object) -> None:
        """UserError: the image cannot have a mask of each kind."""
        if self._objects is None:
            return
        if not isinstance(image, Path) or not is_dicom(image):
            raise UserError(f"--write dicomseg: {image} {NOT_DICOM}")
        if problem := self._objects.problem(image):
            raise UserError(f"--write dicomseg: {image}: {problem}")

    def write(self, image: Path, base: Path, labels: np.ndarray) -> None:
        """labels: the class of each pixel, uint8 [H, W] at the size of the image."""
        for kind, target in zip(self._kinds, self.targets(base), strict=True):
            if kind == "png":
                save_png(target, labels * np.uint8(255) if self._classes.binary else self._classes.encode(labels))
            elif kind == "rle":
                with replacing(target) as file:
                    json.dump(self._run_lengths(labels), file)
            elif self._objects:
                target.parent.mkdir(parents=True, exist_ok=True)
                self._objects.write(target, image, labels)

    def _run_lengths(self, labels: np.ndarray) -> list[dict[str, object]]:
        return [
            {"class": name, "size": list(labels.shape), "counts": run_lengths(labels == index)}
            for index, name in enumerate(self._classes.names)
            if index
        ]


def run_lengths(mask: np.ndarray) -> list[int]:
    """Lengths of runs of a boolean mask [H, W], down the columns, beginning with a run of zeros, which may be empty."""
    flat = mask.T.ravel()
    changes = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    counts = np.diff([0, *changes.tolist(), flat.size]).tolist()
    return [0, *counts] if flat[0] else counts
