"""--dataset_mode unaligned: upstream's layout, a folder of A and a folder of B that know nothing of each other."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.base import NoSuchPhase, PairedDataset, Sample
from data.images import find_images, read_pixels, safe_ids
from data.labels import labels_of
from data.single import existing_folder
from util.errors import UserError


class UnalignedDataset(PairedDataset):
    """The files of <dataroot>/<phase>A and <dataroot>/<phase>B. With --classes, B is read as label pictures."""

    model = "cycle_gan"

    def __init__(self, opt: argparse.Namespace, phase: str, train: bool, num_test: float = float("inf")) -> None:
        # Backwards, the folders change places; nothing within an item has to.
        self._sides = ("B", "A") if opt.direction == "BtoA" else ("A", "B")
        super().__init__(argparse.Namespace(**vars(opt) | {"direction": "AtoB"}), phase, train, num_test)

    def find(self, opt: argparse.Namespace, phase: str) -> list[Sample]:
        root = existing_folder(opt.dataroot)
        first, second = (self._samples(root, phase + side) for side in self._sides)
        return first + [replace(sample, targets=(sample.image,), lends=True) for sample in second]

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray | None]:
        pixels, lossy = read_pixels(sample.image)
        if not sample.lends:
            return pixels, None
        if self._stored_as is not None:
            return pixels, labels_of(pixels, lossy, self._stored_as, str(sample.image))
        return pixels, pixels

    def _samples(self, root: Path, name: str) -> list[Sample]:
        folder = root / name
        if not folder.is_dir():
            there = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
            raise NoSuchPhase(f"--dataroot {root}: no folder {name!r}; --dataset_mode unaligned wants <phase>A and "
                              f"<phase>B; there is {', '.join(there) or 'no folder at all'}")
        paths = find_images(folder)
        if not paths:
            raise UserError(f"{folder}: no images in this folder or below it")
        return [Sample(name, path) for name, path in zip(safe_ids(paths, folder), paths, strict=True)]
