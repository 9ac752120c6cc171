"""--dataset_mode unaligned: upstream's layout, a folder of A and a folder of B whose images are not paired."""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.base import PairedDataset, Sample
from data.classes import Classes
from data.read.folders import existing_folder, images_of
from data.read.images import read_image
from data.read.labels import read_labels


class UnalignedDataset(PairedDataset):
    """The files of <dataroot>/<phase>A and <dataroot>/<phase>B. --direction BtoA swaps the two folders. With --classes,
    B is read as label pictures if it is the target."""

    swaps = False

    def target_classes(self, opt: argparse.Namespace) -> Classes | None:
        return None if opt.direction == "BtoA" else super().target_classes(opt)

    def find(self, opt: argparse.Namespace, phase: str) -> list[Sample]:
        root = existing_folder(opt.dataroot)
        first, second = (self._samples(root, phase + side) for side in ("BA" if opt.direction == "BtoA" else "AB"))
        return first + [replace(sample, targets=(sample.image,), lends=True) for sample in second]

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray | None]:
        if sample.lends and self._stored_as is not None:
            labels = read_labels([sample.image], self._stored_as)
            return labels.copy(), labels  # nobody sees the image of a lender
        pixels = read_image(sample.image)
        return pixels, pixels if sample.lends else None

    def _samples(self, root: Path, name: str) -> list[Sample]:
        images = images_of(root, name, "unaligned wants <phase>A and <phase>B")
        return [Sample(image_id, path) for image_id, path in images]
