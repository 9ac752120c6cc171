"""Data: from files to batches. `create_dataset` is the way in."""

import argparse

from data.aligned import AlignedDataset
from data.base import PairedDataset
from data.loader import Loader
from data.masks import MasksDataset
from data.single import SingleDataset

DATASETS: dict[str, type[PairedDataset]] = {
    "aligned": AlignedDataset,
    "masks": MasksDataset,
    "single": SingleDataset,
}
"""--dataset_mode to its class."""


def create_dataset(opt: argparse.Namespace, phase: str, train: bool) -> Loader:
    """Batches of one phase of the data set that the flags describe.

    train: shuffled (unless --serial_batches), resized to --load_size, cropped and flipped at random; else in order,
    whole images. `loader.dataset` is the data set, `loader.sampler.set_position(epoch, start)` places it.
    """
    dataset = DATASETS[opt.dataset_mode](opt, phase, train)
    # With everything in memory an item takes less time than handing it from one process to another.
    workers = 0 if dataset.cached else opt.num_threads
    return Loader(dataset, opt.batch_size, shuffle=train and not opt.serial_batches, workers=workers)
