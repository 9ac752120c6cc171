"""--dataset_mode single: a folder of images, no targets."""

import argparse
from pathlib import Path

import numpy as np

from data.base import NoSuchPhase, PairedDataset, Sample
from data.classes import Classes
from data.images import find_images, read_image, safe_ids
from util.errors import UserError


class SingleDataset(PairedDataset):
    """Every image below --dataroot, the network's input whatever --direction its training had; for testing only, since
    there is nothing to learn from."""

    model = "test"
    swaps = False

    def target_classes(self, opt: argparse.Namespace) -> Classes | None:
        return None if opt.direction == "BtoA" else super().target_classes(opt)  # then photos come out

    def find(self, opt: argparse.Namespace, phase: str) -> list[Sample]:
        if self.train:
            raise UserError("--dataset_mode single has no targets to train on: take unaligned, aligned, masks, phantom")
        root = existing_folder(opt.dataroot)
        return [Sample(*found) for found in images_of(root, "", "single wants a folder of images")]

    def read(self, sample: Sample) -> tuple[np.ndarray, None]:
        return read_image(sample.image), None


def existing_folder(dataroot: str) -> Path:
    """--dataroot as a path. UserError: not given, not there, not a folder."""
    if not dataroot:
        raise UserError("--dataroot is missing: give the folder of the images")
    root = Path(dataroot)
    if not root.is_dir():
        raise UserError(f"--dataroot {root}: {'a file, not a folder' if root.exists() else 'no such folder'}")
    return root


def images_of(root: Path, name: str, wanted: str) -> list[tuple[str, Path]]:
    """The images in <root>/<name> and below it, by their ids. NoSuchPhase: there are none, and what is `wanted`."""
    folder = root / name
    if not folder.is_dir():
        there = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
        raise NoSuchPhase(f"--dataroot {root}: no folder {name!r}; --dataset_mode {wanted}; "
                          f"there is {', '.join(there) or 'no folder at all'}")
    paths = find_images(folder)
    if not paths:
        raise NoSuchPhase(f"{folder}: no images in this folder or below it; --dataset_mode {wanted}")
    return list(zip(safe_ids(paths, folder), paths, strict=True))
