"""--dataset_mode aligned: upstream's layout, each file shows A on its left half and B on its right."""

import argparse

import numpy as np

from data.base import NoSuchPhase, PairedDataset, Sample
from data.images import find_images, read_pixels, safe_ids
from data.labels import labels_of
from data.single import existing_folder
from util.errors import UserError


class AlignedDataset(PairedDataset):
    """The files of <dataroot>/<phase> (--phase all: of every phase). With --classes, B is read as a label picture."""

    def find(self, opt: argparse.Namespace, phase: str) -> list[Sample]:
        root = existing_folder(opt.dataroot)
        folder = root if phase == "all" else root / phase
        if not folder.is_dir():
            there = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
            raise NoSuchPhase(f"--dataroot {root}: no folder {phase!r} for --phase {phase}; "
                              f"there is {', '.join(there) or 'no folder at all'}")
        paths = find_images(folder)
        if not paths:
            raise NoSuchPhase(f"{folder}: no images in this folder (--dataset_mode aligned wants A and B side by side)")
        return [Sample(name, path, (path,)) for name, path in zip(safe_ids(paths, folder), paths, strict=True)]

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        pixels, lossy = read_pixels(sample.image)
        width = pixels.shape[1]
        if width % 2:
            raise UserError(f"{sample.image}: {width} pixels wide; A and B side by side have an even width")
        left, right = pixels[:, :width // 2], pixels[:, width // 2:]
        if self._stored_as is not None:
            right = labels_of(right, lossy, self._stored_as, str(sample.image))
        return np.ascontiguousarray(left), np.ascontiguousarray(right)
