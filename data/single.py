"""--dataset_mode single: a folder of images, no targets."""

import argparse

import numpy as np

from data.base import PairedDataset, Sample
from data.classes import Classes
from data.read.folders import existing_folder, images_of, left_out_in_words, split_masks
from data.read.images import read_image
from util.errors import UserError


class SingleDataset(PairedDataset):
    """Every image in or below --dataroot. The images are the network's input, in whichever --direction it was trained.
    For testing only, because there are no targets to learn from."""

    swaps = False

    def target_classes(self, opt: argparse.Namespace) -> Classes | None:
        # A network trained with --direction BtoA paints photos, which have no classes.
        return None if opt.direction == "BtoA" else super().target_classes(opt)

    def find(self, opt: argparse.Namespace, phase: str) -> list[Sample]:
        if self.train:
            raise UserError("--dataset_mode single has no targets to train on: take unaligned, aligned, masks, phantom")
        root = existing_folder(opt.dataroot)
        samples = [Sample(*found) for found in images_of(root, "", "single wants a folder of images")]
        images, masks = split_masks([sample.image for sample in samples], root)
        if not images:  # a network that draws images from masks is tested on masks
            return samples
        self.notes += left_out_in_words(masks, f"--dataroot {root}")
        wanted = {*images}
        return [sample for sample in samples if sample.image in wanted]

    def read(self, sample: Sample) -> tuple[np.ndarray, None]:
        return read_image(sample.image), None
