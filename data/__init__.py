"""Data: from files to batches. `create_dataset` is the way in."""

import argparse
import sys

from data.aligned import AlignedDataset
from data.base import PairedDataset
from data.loader import Loader
from data.masks import MasksDataset
from data.phantom import PhantomDataset
from data.read.folders import NoSuchPhase
from data.single import SingleDataset
from data.unaligned import UnalignedDataset
from util import distributed
from util.errors import UserError

DATASETS: dict[str, type[PairedDataset]] = {
    "unaligned": UnalignedDataset,
    "aligned": AlignedDataset,
    "masks": MasksDataset,
    "single": SingleDataset,
    "phantom": PhantomDataset,
}
"""--dataset_mode to its class."""


def create_dataset(opt: argparse.Namespace, phase: str, train: bool, num_test: float = float("inf")) -> Loader:
    """Batches of one phase of the data set that the flags describe; at most `num_test` images of it.

    train: shuffled (unless --serial_batches), resized to --load_size, cropped and flipped at random, and under
    torchrun only this process's share; else in order, whole images, one by one where their sizes may differ.
    `loader.dataset` is the data set, `loader.sampler.set_position(epoch, start)` places it.
    """
    for flag, limit in (("--max_dataset_size", opt.max_dataset_size), ("--num_test", num_test)):
        if not limit >= 1:  # NaN neither
            raise UserError(f"{flag} {limit}: must be at least 1")
    dataset = DATASETS[opt.dataset_mode](opt, phase, train, num_test)
    for line in dataset.skipped:
        print(f"skipped: {line}", file=sys.stderr)
    if balance := dataset.balance:
        with_finding = int(balance.positive.sum())
        there = (with_finding, len(dataset) - with_finding)
        print(
            "--balance: an epoch has {} images with a finding and {} without, of {} and {}".format(
                *balance.counts, *there
            )
        )
    # With everything in memory an item takes less time than handing it from one process to another.
    workers = 0 if dataset.cached else opt.num_threads
    share = (distributed.rank(), distributed.world_size()) if train else (0, 1)
    batch_size = opt.batch_size if train or dataset.geometry.one_size else 1
    return Loader(dataset, batch_size, train and not opt.serial_batches, workers, share)


def create_validation(opt: argparse.Namespace) -> Loader | None:
    """Phase `val`, all of it, for scores during training; None (one line says why) where there is no such phase, or
    nothing in it to score by."""
    whole = argparse.Namespace(**vars(opt) | {"max_dataset_size": float("inf")})
    try:
        loader = create_dataset(whole, "val", train=False)
    except NoSuchPhase as error:
        print(f"no validation: {error}")
        return None
    if loader.dataset.classes is None or not loader.dataset.has_targets:
        print("no validation: a score needs images with targets of their own, and --classes that tell what these mean")
        return None
    return loader
