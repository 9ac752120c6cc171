"""Data: from files to batches. `create_dataset` is the way in."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Iterator, Mapping
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from util import distributed
from util.errors import UserError

if TYPE_CHECKING:  # torch takes seconds to import, and flags are parsed without it
    from torch import Tensor

    from data.base import PairedDataset
    from data.loader import Loader, Rehearsal
    from util.contracts import Item

DATASETS = {
    "unaligned": "data.unaligned:UnalignedDataset",
    "aligned": "data.aligned:AlignedDataset",
    "masks": "data.masks:MasksDataset",
    "single": "data.single:SingleDataset",
    "phantom": "data.phantom.dataset:PhantomDataset",
}
"""--dataset_mode to its class, "module:name"."""

EXAMPLES = 500
"""Of an old task, at most, on which --adapt ewc measures its weights."""

INPUTS = 400
"""Of a task's training images, at most, by which its file describes them."""


def create_dataset(opt: argparse.Namespace, phase: str, train: bool, num_test: float = float("inf")) -> Loader:
    """Batches of one phase of the data set that the flags describe, at most `num_test` images of it.

    With `train`, images are shuffled (unless --serial_batches), resized to --load_size, cropped and flipped at random,
    and under torchrun each process gets its share. Without it, images come whole and in order, in batches of one if
    their sizes may differ. `loader.set_position(epoch, start)` chooses the epoch.

    UserError: a limit below one image, or the data set cannot be read.
    """
    from data.loader import Loader

    for flag, limit in (("--max_dataset_size", opt.max_dataset_size), ("--num_test", num_test)):
        if not limit >= 1:  # written so that NaN is refused, too
            raise UserError(f"{flag} {limit}: must be at least 1")
    dataset = resolve_name(DATASETS[opt.dataset_mode])(opt, phase, train, num_test)
    for line in dataset.skipped:
        distributed.say(f"skipped: {line}", file=sys.stderr)
    for line in dataset.notes:
        distributed.say(f"note: {line}", file=sys.stderr)
    empty, masks = dataset.empty
    if empty:
        distributed.say(f"{phase}: {empty} of {masks} masks read are empty (no foreground)")
    _say_contradictions(dataset, phase)
    if balance := dataset.balance:
        with_finding = int(balance.positive.sum())
        positives, negatives = balance.counts
        distributed.say(
            f"--balance: an epoch has {positives} images with a finding and {negatives} without, "
            f"of {with_finding} and {len(dataset) - with_finding}"
        )
    # With everything in memory, making an item takes less time than passing it from a worker process to this one.
    workers = 0 if dataset.cached else opt.num_threads
    share = (distributed.rank(), distributed.world_size()) if train else (0, 1)
    batch_size = opt.batch_size if train or dataset.geometry.one_size else 1
    return Loader(dataset, batch_size, train and not opt.serial_batches, workers, share)


def _say_contradictions(dataset: PairedDataset, phase: str) -> None:
    """Count the DICOM files that contradict themselves about what is black: one warning is lost among other lines."""
    from data.read.headers import contradicting

    if odd := contradicting(dataset.files):
        read = "" if dataset.cached else "of those read so far, "
        distributed.say(
            f"{phase}: {read}{len(odd)} of {len(dataset.files)} images have a PresentationLUTShape that contradicts "
            f"their PhotometricInterpretation, the first is {odd[0]}; check that bone is bright",
            file=sys.stderr,
        )


def _create_stored(name: str, old: argparse.Namespace, count: float, train: bool) -> PairedDataset:
    """At most `count` examples of an old task, drawn by --seed from its training images.

    UserError: they cannot be read, or are no pairs.
    """
    try:
        stored = resolve_name(DATASETS[old.dataset_mode])(old, old.phase, train, count, drawn=True)
        if not stored.paired:
            raise UserError(f"its images have no targets of their own (--old_mode {old.dataset_mode})")
    except UserError as error:
        raise UserError(f"old task {name} (its options.json, or --old_data, --old_mode, ...): {error}") from error
    return stored


def examples_of(name: str, old: argparse.Namespace) -> Iterable[Item]:
    """Examples of an old task as testing sees them, at most `EXAMPLES`, to measure which weights it needs.

    old: the flags that describe its training images (`options.complete.old_task`). UserError: they cannot be read, or
    are no pairs.
    """
    stored = _create_stored(name, old, EXAMPLES, train=False)
    return (stored[index] for index in range(len(stored)))


def inputs_of(opt: argparse.Namespace) -> Iterator[Tensor]:
    """Inputs of a run's training images as testing sees them, float32 [C, H, W] in [-1, 1]; at most `INPUTS`."""
    dataset = resolve_name(DATASETS[opt.dataset_mode])(opt, opt.phase, False, INPUTS, drawn=True)
    return (dataset[index]["A"] for index in range(len(dataset)))


def create_rehearsal(opt: argparse.Namespace, new: Loader, old: Mapping[str, argparse.Namespace]) -> Rehearsal:
    """Training batches of a new task with --replay examples of each old one. old: by name, as in `examples_of`.

    UserError: a task's images cannot be read, are fewer, or are no pairs; or --augment would have to treat it and the
    new one differently.
    """
    from data.loader import Rehearsal

    count = float("inf") if opt.replay == "all" else int(opt.replay)
    stored = {name: _create_stored(name, one, count, train=True) for name, one in old.items()}
    for name, task in stored.items():
        if len(task) < count < float("inf"):
            raise UserError(f"--replay {count}: the old task {name} has {len(task)} training images; take --replay all")
        if task.labels != new.dataset.labels and opt.augment not in ("none", "flip"):
            raise UserError(
                f"--augment {opt.augment}: the classes of the old task {name} and of the new one are not on the same "
                "side; take --augment none with --replay"
            )
    return Rehearsal(new, stored, opt.num_threads, (distributed.rank(), distributed.world_size()))


def create_validation(opt: argparse.Namespace) -> Loader | None:
    """All of phase `val`, for scores during training.

    None, after a line that says why, if there is no such phase or nothing in it can be scored; also with --val_freq 0.
    UserError: --early_stop or --lr_policy plateau waits for scores that will not come.
    """
    loader = _find_validation(opt) if opt.val_freq else None
    if not loader and (opt.early_stop or opt.lr_policy == "plateau"):
        flag = "--early_stop" if opt.early_stop else "--lr_policy plateau"
        raise UserError(
            f"{flag} watches the validation score, and there is no validation: take --val_freq 1 and data with a "
            "phase val"
        )
    return loader


def _find_validation(opt: argparse.Namespace) -> Loader | None:
    from data.read.folders import NoForeground, NoSuchPhase

    whole = argparse.Namespace(**vars(opt) | {"max_dataset_size": float("inf")})
    try:
        loader = create_dataset(whole, "val", train=False)
    except (NoSuchPhase, NoForeground) as error:
        distributed.say(f"no validation: {error}")
        return None
    if loader.dataset.classes is None or not loader.dataset.has_targets:
        distributed.say(
            "no validation: a score needs images with targets of their own, and --classes for these targets"
        )
        return None
    return loader
