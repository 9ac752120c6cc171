"""As many images with a finding as without: an epoch leaves out some, each epoch others (`--balance`)."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

NEGATIVE = {"0", "no", "none", "false", "normal", "negative", "healthy"}
"""Labels (in small letters) of images without a finding; so are those that begin with `no `."""


def is_positive(label: str) -> bool:
    """Whether a label of splits.csv names a finding: `pneumothorax` does, `no pneumothorax` does not."""
    word = label.strip().casefold()
    return word not in NEGATIVE and not word.startswith("no ")


@dataclass(frozen=True, eq=False)
class Balance:
    """positive: bool [images]; share: of positives in an epoch, 0 < share < 1. All images of the rarer kind are in an
    epoch, and as many of the other kind as that leaves room for."""

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
        """Indices of one epoch's images, ascending. Of the kind that there is too much of, epochs take turns: in an
        order drawn from `seed`, each goes on where the one before stopped, so that no image is left out for long."""
        chosen = []
        for kind, count in zip((self.positive, ~self.positive), self.counts, strict=True):
            there = np.random.default_rng(seed).permutation(np.flatnonzero(kind))
            chosen.append(np.take(there, np.arange(count) + epoch * count, mode="wrap"))
        return np.sort(np.concatenate(chosen))


def from_labels(labels: Iterable[str]) -> np.ndarray | None:
    """Which images are positive, bool [images]; None unless every image has a label and both kinds come up."""
    labels = list(labels)
    positive = np.array([is_positive(label) for label in labels], bool)
    return positive if all(labels) and 0 < positive.sum() < len(positive) else None
