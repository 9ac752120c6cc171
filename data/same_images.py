"""Data sets that several networks are applied to: each is read once, and all are shown the same images."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from data import create_dataset
from data.base import PairedDataset
from data.classes import Classes
from data.loader import Loader
from util.errors import UserError
from util.flags import Fact, flags
from util.score.evaluate import ImageSet
from util.score.mask_rule import MaskRule


class Shelf:
    """Data sets by the options that test.py would read them with."""

    def __init__(self, num_test: float = float("inf")):
        self._num_test = num_test
        self._read: dict[tuple, ImageSet] = {}

    def get(self, opt: argparse.Namespace) -> ImageSet:
        """The data set of `opt`: the same object wherever the options that say how to read it are the same."""
        rule = MaskRule.of(opt)
        key = (*(getattr(opt, name, None) for name in flags(Fact.IMAGES | Fact.READING)), rule)
        if key not in self._read:
            loader = create_dataset(opt, opt.phase, train=False, num_test=self._num_test)
            name = Path(opt.dataroot).resolve().name if opt.dataroot else getattr(opt, "phantom", opt.dataset_mode)
            name += " reversed" if opt.direction == "BtoA" else ""
            self._read[key] = ImageSet(loader, name, opt.phase, rule)
        return self._read[key]


def same_images(runs: Sequence[argparse.Namespace]) -> list[ImageSet]:
    """The data as each run of --compare reads them. UserError: other images than the first run's, or not of two
    classes."""
    shelf = Shelf(runs[0].num_test)
    sets = [shelf.get(run) for run in runs]
    for run, data in zip(runs, sets, strict=True):
        classes = data.loader.dataset.classes
        if not classes or not classes.binary:
            raise UserError(
                f"--compare {run.name}: masks of two classes are compared, and --classes {run.classes} of "
                "this run are not that; give --classes lungs, or leave it out"
            )
        if data.shows != sets[0].shows:
            raise UserError(
                f"--compare {run.name}: it reads other images ({len(data.loader.dataset)}) than "
                f"{runs[0].name} ({len(sets[0].loader.dataset)}); name them with --dataroot"
            )
    return sets


def read_within(run: argparse.Namespace, opt: argparse.Namespace, dataset: PairedDataset) -> Loader:
    """The images of `dataset`, which `opt` gave, as the run of --within reads them. UserError: it reads others, or one
    of the two is not of two classes."""
    classes = Classes.load(run.classes) if run.classes else dataset.classes
    for found, whose in ((classes, "that run's"), (dataset.classes, "the tested run's")):
        if found is None or not found.binary:
            raise UserError(f"--within {run.name}: {whose} masks are not of two classes (--classes); take another")
    # Masks on disk are in the tested run's colours, what comes out of the other in its own.
    reading = argparse.Namespace(**vars(run) | {"classes": opt.classes})
    loader = create_dataset(reading, run.phase, train=False, num_test=opt.num_test)
    loader.dataset.classes = classes
    if loader.dataset.ids != dataset.ids:
        raise UserError(
            f"--within {run.name}: it reads {len(loader.dataset)} images where the tested run reads "
            f"{len(dataset)}; without --skip_bad_files you see which one cannot be read"
        )
    return loader
