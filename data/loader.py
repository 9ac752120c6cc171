"""From a data set to batches, in an order that depends on seed and epoch alone."""

import os
import signal
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import cast

import numpy as np
import torch
from torch.utils.data import DataLoader, Sampler, default_collate

from data.balance import Choice, Turns
from data.base import PairedDataset
from util.contracts import Batch, Item
from util.errors import UserError


class EpochSampler(Sampler[tuple[int, int]]):
    """Yields (index, epoch) for one epoch, shuffled by (seed, epoch) or in order.

    share: (rank, processes). Each process takes every n-th item. All take equally many: the first items come twice if
    the epoch cannot be divided. balance: chooses the items of an epoch; None for all.
    images: the number of items in a whole epoch, over all processes.
    """

    def __init__(
        self, length: int, seed: int, shuffle: bool, share: tuple[int, int] = (0, 1), balance: Choice | None = None
    ) -> None:
        self.images = sum(balance.counts) if balance else length
        self._seed, self._shuffle, self._balance = seed, shuffle, balance
        self._rank, self._processes = share
        self._epoch, self._start = 0, 0

    def set_position(self, epoch: int, start: int = 0) -> None:
        """The next iterations give this epoch without its first `start` items (over all processes), which a run that
        was interrupted has already seen."""
        self._epoch, self._start = epoch, start

    def __iter__(self) -> Iterator[tuple[int, int]]:
        order = self._balance.take(self._seed, self._epoch) if self._balance else np.arange(self.images)
        if self._shuffle:
            np.random.default_rng((self._seed, self._epoch)).shuffle(order)
        # The first items fill up a whole epoch, and not what is left of one, which would repeat others.
        whole = np.resize(order, -(-self.images // self._processes) * self._processes)
        remaining = np.resize(whole[self._start :], len(self) * self._processes)
        epoch = self._epoch
        return iter([(index, epoch) for index in remaining[self._rank :: self._processes].tolist()])

    def __len__(self) -> int:
        return -(-max(0, self.images - self._start) // self._processes)


class Loader:
    """Batches of a data set, from torch's DataLoader. Errors stay one line: torch would wrap an error of a worker
    process into that worker's traceback, so workers return a `UserError` in place of a batch, and it is raised here.

    choice: which images an epoch takes; default: those of the data set's --balance, or all.
    images: in a whole epoch. set_position: chooses the epoch and the image where the next iteration begins. batches:
    torch's DataLoader.
    """

    def __init__(
        self,
        dataset: PairedDataset,
        batch_size: int,
        shuffle: bool,
        workers: int,
        share: tuple[int, int] = (0, 1),
        choice: Choice | None = None,
    ) -> None:
        self.dataset = dataset
        sampler = EpochSampler(len(dataset), dataset.seed, shuffle, share, choice or dataset.balance)
        self.images, self.set_position = sampler.images, sampler.set_position
        self.batches = DataLoader(
            dataset,
            batch_size=batch_size,
            sampler=sampler,
            num_workers=workers,
            persistent_workers=workers > 0,
            collate_fn=collate,
            worker_init_fn=ignore_interrupt,
            pin_memory=torch.cuda.is_available(),
            generator=torch.Generator(),  # its own, so that starting an epoch leaves the global random state alone
        )

    def __iter__(self) -> Iterator[Batch]:
        for batch in self.batches:
            if isinstance(batch, UserError):
                # A new error: `raise batch` would put this frame and the error into a reference cycle. The garbage
                # collector would then end the workers, and the script would wait 5 seconds for them.
                raise UserError(str(batch))
            yield batch

    def __len__(self) -> int:
        return len(self.batches)

    @property
    def files(self) -> list[Path]:
        return self.dataset.files


class Rehearsal:
    """Batches of a new task; each brings as many stored examples of every old task along, as `Batch` old (--replay).

    dataset, images: the new task's. stored: of each old task, by its name.
    """

    def __init__(
        self, new: Loader, stored: Mapping[str, PairedDataset], workers: int, share: tuple[int, int] = (0, 1)
    ) -> None:
        self.dataset, self.images, self.stored, self._new = new.dataset, new.images, stored, new
        batch_size, turns = cast(int, new.batches.batch_size), Turns(new.images)
        self._old = [
            Loader(task, batch_size, True, 0 if task.cached else workers, share, turns) for task in stored.values()
        ]

    def set_position(self, epoch: int, start: int = 0) -> None:
        for loader in (self._new, *self._old):
            loader.set_position(epoch, start)

    def __iter__(self) -> Iterator[Batch]:
        for batch, old in zip(self._new, zip(*self._old, strict=True), strict=True):
            yield {**batch, "old": [*old]}

    @property
    def files(self) -> list[Path]:
        return [file for task in (self.dataset, *self.stored.values()) for file in task.files]


def ignore_interrupt(worker: int) -> None:
    """Ctrl-C reaches every process of a script, as do a closed terminal, Slurm's warning and its scancel (SIGTERM).
    Workers ignore these signals; the main process saves and then ends them."""
    for name in ("SIGINT", "SIGHUP", "SIGUSR1"):
        if hasattr(signal, name):
            signal.signal(getattr(signal, name), signal.SIG_IGN)
    if hasattr(signal, "sigwaitinfo"):  # not on macOS and Windows, where scancel is rare
        signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
        threading.Thread(target=_obey_main_process, daemon=True).start()


def _obey_main_process() -> None:
    """End this worker at a SIGTERM of the main process, with which Python ends workers that are left at its exit."""
    while signal.sigwaitinfo({signal.SIGTERM}).si_pid != os.getppid():
        pass
    os._exit(0)


def collate(items: list[Item | UserError]) -> Batch | UserError:
    """Stack items to a batch. If there is an error among them, or if their sizes differ, returns a `UserError`."""
    good: list[Item] = []
    for item in items:
        if isinstance(item, UserError):
            return item
        good.append(item)
    stacked = {}
    for side, paths in (("A", "A_paths"), ("B", "B_paths"), ("U", "U_paths")):
        if side not in good[0]:
            continue
        first = good[0][side]
        for item in good:
            if item[side].shape != first.shape:
                small, large = (f"{i[paths]} ({i[side].shape[2]} x {i[side].shape[1]})" for i in (good[0], item))
                return UserError(
                    f"one batch cannot hold {small} and {large}: take --batch_size 1, "
                    "or --preprocess resize_and_crop, which gives all images one size"
                )
        # numpy copies here, not torch: torch's threads cost more than they save on small images.
        stacked[side] = torch.from_numpy(np.stack([item[side].numpy() for item in good]))
    rest = [{key: value for key, value in item.items() if key not in stacked} for item in good]
    return cast(Batch, stacked | default_collate(rest))
