"""--dataset_mode unaligned: upstream's layout, a folder of A and a folder of B that know nothing of each other."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.base import NoSuchPhase, PairedDataset, Sample
from data.classes import Classes
from data.images import find_images, read_pixels, safe_ids
from data.labels import labels_of
from data.single import existing_folder


class UnalignedDataset(PairedDataset):
    """The files of <dataroot>/<phase>A and <dataroot>/<phase>B; --direction BtoA lets the folders change places. With
    --classes, B is read as label pictures where it is the target."""

    model = "cycle_gan"
    swaps = False

    def target_classes(self, opt: argparse.Namespace) -> Classes | None:
        return None if opt.direction == "BtoA" else super().target_classes(opt)

    def find(self, opt: argparse.Namespace, phase: str) -> list[Sample]:
        root = existing_folder(opt.dataroot)
        first, second = (self._samples(root, phase + side) for side in ("BA" if opt.direction == "BtoA" else "AB"))
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
            raise NoSuchPhase(f"{folder}: no images in this folder or below it")
        return [Sample(name, path) for name, path in zip(safe_ids(paths, folder), paths, strict=True)]
