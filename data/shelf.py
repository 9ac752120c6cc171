"""Data sets that several networks are applied to: each is read once."""

import argparse
from dataclasses import dataclass
from pathlib import Path

from data import create_dataset
from data.loader import Loader
from util.postprocess import MaskRule

# What decides which pixels a data set gives.
READING = (
    "dataroot", "dataset_mode", "phase", "classes", "direction", "input_nc", "output_nc", "preprocess", "crop_size",
    "intensity", "clahe",
    "source", "patient_regex", "split_seed", "fold", "phantom", "phantom_count", "max_dataset_size",
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Shelved:
    """A data set to test on. rule: how its masks are made, see util.scoring.evaluate."""

    loader: Loader
    name: str
    phase: str
    rule: MaskRule

    @property
    def shows(self) -> tuple:
        """Equal where two sets are of the same images with the same kind of target, however a network reads them."""
        classes = self.loader.dataset.classes
        return self.name, self.phase, self.loader.dataset.ids, classes and classes.binary


class Shelf:
    """Data sets by the options that test.py would read them with."""

    def __init__(self, num_test: float = float("inf")):
        self._num_test = num_test
        self._read: dict[tuple, Shelved] = {}

    def get(self, opt: argparse.Namespace) -> Shelved:
        """The data set of `opt`: the same object wherever the options that say how to read it are the same."""
        rule = MaskRule.of(opt)
        key = (*(getattr(opt, name, None) for name in READING), rule)
        if key not in self._read:
            loader = create_dataset(opt, opt.phase, train=False, num_test=self._num_test)
            name = Path(opt.dataroot).resolve().name if opt.dataroot else getattr(opt, "phantom", opt.dataset_mode)
            name += " reversed" if opt.direction == "BtoA" else ""
            self._read[key] = Shelved(loader, name, opt.phase, rule)
        return self._read[key]
