"""Data sets for several networks: each set is read once, and all networks get the same images."""

import argparse
from collections.abc import Sequence
from pathlib import Path

from data import create_dataset
from data.classes import Classes
from data.loader import Loader
from util.contracts import ScoredData
from util.errors import UserError
from util.flags import Fact, flags
from util.score.evaluate import ImageSet
from util.score.mask_rule import MaskRule


class ImageSets:
    """Reads data sets as test.py would, and keeps them. num_test: at most this many images of each."""

    def __init__(self, num_test: float = float("inf")):
        self._num_test = num_test
        self._read: dict[tuple, ImageSet] = {}

    def get(self, opt: argparse.Namespace) -> ImageSet:
        """The data set of the options `opt`. Options that read the same images in the same way get the same object."""
        rule = MaskRule.of(opt)
        key = (*(getattr(opt, name, None) for name in flags(Fact.IMAGES | Fact.READING)), rule)
        if key not in self._read:
            loader = create_dataset(opt, opt.phase, train=False, num_test=self._num_test)
            name = Path(opt.dataroot).resolve().name if opt.dataroot else getattr(opt, "phantom", opt.dataset_mode)
            name += f" ({source})" if (source := getattr(opt, "source", "")) else ""
            name += " reversed" if opt.direction == "BtoA" else ""
            self._read[key] = ImageSet(loader, name, opt.phase, rule)
        return self._read[key]


def same_images(runs: Sequence[argparse.Namespace]) -> list[ImageSet]:
    """The data set of each run of --compare. UserError: a run reads other images than the first run, or has masks of
    more than two classes."""
    read = ImageSets(runs[0].num_test)
    sets = [read.get(run) for run in runs]
    for run, data in zip(runs, sets, strict=True):
        classes = data.loader.dataset.classes
        if not classes or not classes.binary:
            raise UserError(
                f"--compare {run.name}: only masks of two classes can be compared, and this run has --classes "
                f"{run.classes}; give --classes lungs, or leave it out"
            )
        if data.shows != sets[0].shows:
            raise UserError(
                f"--compare {run.name}: it reads other images ({len(data.loader.dataset)}) than "
                f"{runs[0].name} ({len(sets[0].loader.dataset)}); name them with --dataroot"
            )
    return sets


def read_within(run: argparse.Namespace, opt: argparse.Namespace, dataset: ScoredData) -> Loader:
    """The images of `dataset` as the run of --within reads them. opt: the tested run, whose data set is `dataset`.
    UserError: the run of --within reads other images, or one of the two runs does not have two classes."""
    classes = Classes.load(run.classes) if run.classes else dataset.classes
    for of_run, whose in ((classes, "that run's"), (dataset.classes, "the tested run's")):
        if of_run is None or not of_run.binary:
            raise UserError(f"--within {run.name}: {whose} masks are not of two classes (--classes); take another")
    # Masks on disk have the colours of the tested run. The other run's network paints in that run's colours.
    reading = argparse.Namespace(**vars(run) | {"classes": opt.classes})
    loader = create_dataset(reading, run.phase, train=False, num_test=opt.num_test)
    loader.dataset.classes = classes
    if loader.dataset.ids != dataset.ids:
        raise UserError(
            f"--within {run.name}: it reads {len(loader.dataset)} images where the tested run reads "
            f"{len(dataset)}; without --skip_bad_files you see which one cannot be read"
        )
    return loader
