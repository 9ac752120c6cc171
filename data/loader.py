"""From a data set to batches, in an order that is a function of seed and epoch alone."""

import signal
from collections.abc import Iterator

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler, default_collate

from data.balance import Balance
from data.base import PairedDataset
from util.errors import UserError


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (index, epoch) for one epoch, shuffled by (seed, epoch) or in order.

    share: (rank, processes): each process takes every n-th item, all of them equally many; the first items come
    twice where the epoch cannot be divided. balance: which items an epoch takes; else all.
    images: items of a whole epoch, over all processes.
    """

    def __init__(
        self, length: int, seed: int, shuffle: bool, share: tuple[int, int] = (0, 1), balance: Balance | None = None
    ) -> None:
        self.images = sum(balance.counts) if balance else length
        self._seed, self._shuffle, self._balance = seed, shuffle, balance
        self._rank, self._processes = share
        self._epoch, self._start = 0, 0

    def set_position(self, epoch: int, start: int = 0) -> None:
        """The next iterations give this epoch, without the first `start` items (over all processes), which were
        used before."""
        self._epoch, self._start = epoch, start

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = self._balance.take(self._seed, self._epoch) if self._balance else np.arange(self.images)
        if self._shuffle:
            np.random.default_rng((self._seed, self._epoch)).shuffle(order)
        left = np.resize(order[self._start :], len(self) * self._processes)
        epoch = self._epoch
        return iter([(index, epoch) for index in left[self._rank :: self._processes].tolist()])

    def __len__(self) -> int:
        return -(-max(0, self.images - self._start) // self._processes)


class Loader(DataLoader):
    """A DataLoader whose errors stay one line: torch would wrap a worker's error into the worker's traceback, so
    workers hand a `UserError` over as if it were a batch, and it is raised here."""

    def __init__(
        self, dataset: PairedDataset, batch_size: int, shuffle: bool, workers: int, share: tuple[int, int] = (0, 1)
    ) -> None:
        super().__init__(
            dataset,
            batch_size=batch_size,
            sampler=EpochSampler(len(dataset), dataset.seed, shuffle, share, dataset.balance),
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=collate,
            worker_init_fn=ignore_interrupt,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # its own, so that starting an epoch leaves the global random state alone
        )

    def __iter__(self) -> Iterator[dict[str, object]]:
        for batch in super().__iter__():
            if isinstance(batch, UserError):
                # A new one: `raise batch` would tie this frame and its own error into a knot that only the garbage
                # collector undoes, and workers that die by its hand keep the script waiting for 5 seconds.
                raise UserError(str(batch))
            yield batch


def ignore_interrupt(worker: int) -> None:
    """Ctrl-C reaches every process of a script: workers leave it to the main one, which then ends them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)


def collate(items: list[dict[str, object] | UserError]) -> dict[str, object] | UserError:
    """Stack items to a batch. An error among them, or sizes that differ, comes back as a `UserError`."""
    for item in items:
        if isinstance(item, UserError):
            return item
    for side in "AB":
        for item in items if side in items[0] else ():
            if item[side].shape != items[0][side].shape:
                small, large = (
                    f"{i[f'{side}_paths']} ({i[side].shape[2]} x {i[side].shape[1]})" for i in (items[0], item)
                )
                return UserError(
                    f"one batch cannot hold {small} and {large}: take --batch_size 1, "
                    "or --preprocess resize_and_crop, which gives all images one size"
                )
    batch = {
        side: torch.from_numpy(np.stack([item.pop(side).numpy() for item in items]))
        for side in "AB"
        if side in items[0]
    }
    return batch | default_collate(items)
