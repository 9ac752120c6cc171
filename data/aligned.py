"""--dataset_mode aligned: upstream's layout, where each file shows A in its left half and B in its right half."""

import argparse

import numpy as np

from data.base import PairedDataset, Sample
from data.read.folders import existing_folder, images_of, likely_folders, renaming
from data.read.images import read_file
from data.read.labels import labels_of
from util.errors import UserError


class AlignedDataset(PairedDataset):
    """The files of <dataroot>/<phase> (--phase all: of every phase). With --classes, B is read as a label picture."""

    def find(self, opt: argparse.Namespace, phase: str) -> list[Sample]:
        root, folder = existing_folder(opt.dataroot), "" if phase == "all" else phase
        if all(likely_folders(root / folder)):
            raise UserError(
                f"--dataroot {root}: {root / folder} has images and masks in two folders, not A and B side by side in "
                f"each file; {renaming(root) or 'take --dataset_mode masks'}"
            )
        images = images_of(root, folder, "aligned wants <phase>/ with A and B side by side")
        return [Sample(name, path, (path,)) for name, path in images]

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        file = read_file(sample.image)
        pixels, opacity = file.pages[0].pixels, file.pages[0].opacity
        width = pixels.shape[1]
        if width % 2:
            raise UserError(f"{sample.image}: {width} pixels wide; A and B side by side have an even width")
        left, right = pixels[:, : width // 2], pixels[:, width // 2 :]
        if self._stored_as is not None:
            opacity = None if opacity is None else opacity[:, width // 2 :]
            right = labels_of(right, file.lossy, self._stored_as, str(sample.image), opacity)
        return np.ascontiguousarray(left), np.ascontiguousarray(right)
