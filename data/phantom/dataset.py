"""--dataset_mode phantom: images that are drawn when they are read. No --dataroot is needed."""

import argparse
from pathlib import Path

import numpy as np

from data.base import PairedDataset, Sample
from data.classes import Classes
from data.phantom.chests import chest, pneumothorax
from data.phantom.facades import facade
from data.read.folders import NoSuchPhase
from util.errors import UserError

KINDS = {"chests": (chest, "lungs"), "pneumothorax": (pneumothorax, "lungs"), "facades": (facade, "facades")}
"""--phantom to what draws it and its classes."""

FIRST = {"train": 0, "val": 1_000_000, "test": 2_000_000}
"""The first phantom of each phase: a phase keeps its images whatever --phantom_count is."""


def indices(phase: str, count: int) -> range:
    """The phantoms of a phase: `count` to train on, a fifth of that (8 at least) in val and in test."""
    return range(FIRST[phase], FIRST[phase] + (count if phase == "train" else max(8, count // 5)))


class _Kind(argparse.Action):
    """Sets --phantom, and --classes to what it shows, so that a run records it."""

    def __call__(self, parser, namespace, values, option_string=None) -> None:
        namespace.phantom = values
        namespace.classes = KINDS[values][1]


def add_phantom_options(group: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    """Add the flags that say which phantoms and how many."""
    group.add_argument("--phantom", action=_Kind, choices=tuple(KINDS), default="chests", help="what is drawn")
    group.add_argument(
        "--phantom_count",
        type=int,
        default=200,
        help="images in train; val and test have a fifth of that each, 8 at least",
    )


def check_count(count: int) -> None:
    """UserError unless the phases have images and do not run into each other."""
    if not 1 <= count <= FIRST["val"]:
        raise UserError(f"--phantom_count {count}: want 1 to {FIRST['val']:,} images")


class PhantomDataset(PairedDataset):
    """Phantoms, drawn at the size at which the network sees them. They depend on their index alone, not on --seed."""

    defaults = {"classes": KINDS["chests"][1]}

    @staticmethod
    def add_options(group: argparse._ArgumentGroup) -> None:
        add_phantom_options(group)

    def target_classes(self, opt: argparse.Namespace) -> Classes:
        self._draw, name = KINDS[opt.phantom]
        if opt.classes not in (None, name):
            raise UserError(f"--classes {opt.classes}: phantom {opt.phantom} show {name}; take --classes {name}")
        return Classes.load(name)

    def find(self, opt: argparse.Namespace, phase: str) -> list[Sample]:
        check_count(opt.phantom_count)
        if phase not in (*FIRST, "all"):
            raise NoSuchPhase(f"--phase {phase}: phantoms have the phases {', '.join(FIRST)} and all")
        phases = FIRST if phase == "all" else (phase,)
        self._index = {f"{opt.phantom}_{i:07d}": i for p in phases for i in indices(p, opt.phantom_count)}
        self._size = self.geometry.loaded_size(opt.crop_size, opt.crop_size)[0]
        # No such file exists: the path is the name that pages and messages show.
        return [Sample(name, Path(name), (Path(name),), source="phantom") for name in self._index]

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        return self._draw(self._index[sample.id], size=self._size)
