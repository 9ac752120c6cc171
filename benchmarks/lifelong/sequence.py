"""A sequence of tasks, read from a file of train.py's flags (recipes/sequence_*.txt) and checked before any training.

Flags before the first --name hold for all tasks, and each --name begins a task. The first task is the donor's.
"""

import argparse
import contextlib
import re
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import options.train
from data import create_dataset
from data.read.folders import NoForeground, NoSuchPhase
from options.parser import read_flags
from util.errors import UserError


@dataclass(frozen=True)
class Task:
    """name: as in the file. flags: train.py's, those of all tasks first. opt: the same, parsed. images: to train on.
    phase: which images measure it: `val`, or `test` where the data has no val."""

    name: str
    flags: list[str]
    opt: argparse.Namespace
    images: int
    phase: str

    def epochs(self, images_seen: int) -> list[str]:
        """The flags of a training that sees about so many images, the last two thirds of it with a falling rate."""
        epochs = max(1, round(images_seen / self.images))
        limit = ["--max_dataset_size", str(images_seen)] if images_seen < self.images else []
        constant = -(-epochs // 3)
        return ["--n_epochs", str(constant), "--n_epochs_decay", str(epochs - constant), *limit]


def read_sequence(file: str, size: int | None) -> list[Task]:
    """The tasks of a file, the donor's first. size: width and height of all images, in place of the file's.

    UserError: no such file, fewer than two tasks, a wrong flag, a task without data.
    """
    return [_task(file, name, flags) for name, flags in split(file, size).items()]


def split(file: str, size: int | None) -> dict[str, list[str]]:
    """The flags of each task by its name, those of all tasks first. UserError: no such file, fewer than two tasks."""
    words = read_flags(file)
    starts = [i for i, word in enumerate(words) if word == "--name"]
    names = [(words[i + 1 : i + 2] or [""])[0] for i in starts]
    if len(set(names)) < max(2, len(names)) or not all(re.fullmatch(r"\w[\w.-]*", name) for name in names):
        raise UserError(
            f"{file}: {len(names)} tasks ({', '.join(names)}); want two or more, and each begins with a --name of its "
            "own (letters, digits, _, . and -)"
        )
    shared, sizes = words[: starts[0]], []
    if size:  # U-Nets are named by the size that they halve to one pixel
        shared = [re.sub(r"^unet_\d+$", f"unet_{size}", word) for word in shared]
        sizes = ["--load_size", str(size), "--crop_size", str(size)]
    ends = [*starts[1:], len(words)]
    parts = ([*shared, *words[start + 2 : end], *sizes] for start, end in zip(starts, ends, strict=True))
    return dict(zip(names, parts, strict=True))


def _task(file: str, name: str, flags: Sequence[str]) -> Task:
    try:
        opt = options.train.parse([*flags, "--name", name])
        with contextlib.redirect_stdout(sys.stderr):  # stdout is for the tables
            images = len(create_dataset(opt, opt.phase, train=True).dataset)
            return Task(name, list(flags), opt, images, _phase(opt))
    except UserError as error:
        raise UserError(f"{file}, task {name}: {error}") from error


def _phase(opt: argparse.Namespace) -> str:
    """UserError: the data has neither a val nor a test."""
    try:
        create_dataset(opt, "val", train=False)
    except (NoSuchPhase, NoForeground):
        create_dataset(opt, "test", train=False)
        return "test"
    return "val"
