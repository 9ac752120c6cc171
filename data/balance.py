"""Which images an epoch takes.

--balance: a fixed share of images with a finding, and each epoch leaves out other images of the more frequent kind.
--replay: stored examples, in turns; of different patients first.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

NEGATIVE = {"0", "no", "none", "false", "normal", "negative", "healthy"}
"""Labels, in lower case, of images without a finding. Labels that begin with `no ` count, too."""


def is_positive(label: str) -> bool:
    """Whether a label of splits.csv names a finding: `pneumothorax` does, `no pneumothorax` does not."""
    label = label.strip().casefold()
    return label not in NEGATIVE and not label.startswith("no ")


class Choice(Protocol):
    """Which images an epoch takes."""

    @property
    def counts(self) -> tuple[int, int]:
        """Positives and negatives of one epoch."""
        ...

    def take(self, seed: int, epoch: int) -> np.ndarray:
        """Indices of one epoch's images, ascending."""
        ...


@dataclass(frozen=True)
class Turns:
    """`count` images an epoch, whatever the number of images: they take turns, so that all come equally often.

    Indices go on from epoch to epoch, and a data set counts them modulo its images. So an image that comes twice in an
    epoch is cropped and flipped in another way.
    """

    count: int

    @property
    def counts(self) -> tuple[int, int]:
        return self.count, 0

    def take(self, seed: int, epoch: int) -> np.ndarray:
        return np.arange(self.count) + epoch * self.count


@dataclass(frozen=True, eq=False)
class Balance:
    """positive: bool [images]. share: of positives in an epoch, 0 < share < 1. An epoch has all images of one kind, and
    as many of the other kind as give this share."""

    positive: np.ndarray
    share: float

    @property
    def counts(self) -> tuple[int, int]:
        """Positives and negatives of one epoch."""
        positives = int(self.positive.sum())
        negatives = len(self.positive) - positives
        odds = self.share / (1 - self.share)
        return min(positives, max(1, round(negatives * odds))), min(negatives, max(1, round(positives / odds)))

    def take(self, seed: int, epoch: int) -> np.ndarray:
        """Indices of one epoch's images, ascending. Epochs take turns with the more frequent kind: in an order drawn
        from `seed`, each epoch continues where the previous one stopped, so no image is left out for long."""
        chosen = []
        for kind, count in zip((self.positive, ~self.positive), self.counts, strict=True):
            order = np.random.default_rng(seed).permutation(np.flatnonzero(kind))
            chosen.append(np.take(order, np.arange(count) + epoch * count, mode="wrap"))
        return np.sort(np.concatenate(chosen))


def patients_first(patients: Sequence[str], seed: int) -> list[int]:
    """All images in an order drawn from `seed`, in which every patient comes once before any comes again.

    patients: of each image.
    """
    turns: dict[int, int] = {}
    met: Counter[str] = Counter()
    for image in map(int, np.random.default_rng(seed).permutation(len(patients))):
        turns[image] = met[patients[image]]
        met[patients[image]] += 1
    return sorted(turns, key=turns.__getitem__)  # the order within a turn stays as it is


def from_labels(labels: Iterable[str]) -> np.ndarray | None:
    """Which images are positive, bool [images]. None if a label is missing or all images are of one kind."""
    labels = list(labels)
    positive = np.array([is_positive(label) for label in labels], bool)
    return positive if all(labels) and 0 < positive.sum() < len(positive) else None
