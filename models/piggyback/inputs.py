"""What the images of a task look like, in some kB and without an image: by it a task knows its own images.

The donor without a task sees each image. Its features are the mean and the logarithm of the deviation of every channel
of the third convolution, before any norm, and the root of the histogram of the grey values. Of all training images
their mean, their spread and the directions in which they vary most are kept (benchmarks/lifelong.md compares others).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
import torch
from torch import nn

from models.networks.generator import Generator, generate
from models.norm_stats import inference
from models.piggyback.weights import Tensors

OWN, OLD = "inputs.", "old_inputs."
"""What the names of the tensors begin with: of the task's images, and of those that its donor learnt from."""
CONVOLUTION, BINS = 3, 32
DIRECTIONS, SHRINK, POOLED = 32, 0.02, 0.5
"""Directions that are kept. How much of the other correlations is left out. The share of all tasks' mean covariance in
that of each when they are compared: a task of few images knows its own only roughly."""
FEWEST, PARTS, QUANTILE = 16, 4, 0.99
"""Fewer images describe nothing. To know how far a new image of the same kind is, each quarter of the images is
measured by the others; beyond this quantile an image counts as unlike the task's."""


class _Enough(Exception):
    """Ends a forward pass: the layers that follow are not needed."""


@torch.no_grad()
def features(net: Generator, images: torch.Tensor) -> np.ndarray:
    """Of images, float [N, C, H, W] in [-1, 1], by a generator that has no task on: float64 [N, D]."""
    pooled: list[torch.Tensor] = []

    def look(_: nn.Module, inputs: object, outputs: torch.Tensor) -> None:
        flat = outputs.float().flatten(2)
        pooled.extend((flat.mean(2), (flat.std(2, correction=0) + 1e-4).log()))
        raise _Enough

    hook = _layer(net).register_forward_hook(look)
    try:
        with inference(net, "image"):
            generate(net, images)
    except _Enough:
        pass
    finally:
        hook.remove()
    grey = images.float().mean(1).flatten(1).cpu()
    pooled += [torch.stack([torch.histc(each, BINS, -1, 1) / len(each) for each in grey]).sqrt()]
    return torch.cat([each.double().cpu() for each in pooled], 1).numpy()


def largest(net: nn.Module) -> int:
    """Bytes that a task's file takes at most to say what its own images and the donor's look like."""
    length = 2 * _layer(net).out_channels + BINS
    return 2 * (2 * 4 * length + 2 * DIRECTIONS * length + 4)


@dataclass(frozen=True)
class Inputs:
    """mean, spread: of each feature, float32 [D]. directions: of the spread-out features, float16 [R, D]; the products
    of their columns are about the correlations. limit: the distance that few images of the task exceed."""

    mean: np.ndarray
    spread: np.ndarray
    directions: np.ndarray
    limit: float

    @classmethod
    def of(cls, known: np.ndarray) -> Inputs | None:
        """known: the features of training images, [N, D]. None if there are fewer than FEWEST."""
        if len(known) < FEWEST:
            return None
        number = np.arange(len(known)) % PARTS
        distances = [_fitted(known[number != part], 0.0).distances(known[number == part]) for part in range(PARTS)]
        return _fitted(known, float(np.quantile(np.concatenate(distances), QUANTILE)))

    @classmethod
    def read(cls, tensors: Mapping[str, torch.Tensor], prefix: str = OWN) -> Inputs | None:
        """From a task file's tensors; None if it has none. ValueError: they do not fit each other."""
        own = {name.removeprefix(prefix): each for name, each in tensors.items() if name.startswith(prefix)}
        if not own:
            return None
        wanted = {"mean": torch.float32, "spread": torch.float32, "directions": torch.float16, "limit": torch.float32}
        if {name: each.dtype for name, each in own.items()} != wanted:
            raise ValueError("not the tensors of a description")
        (length,) = own["mean"].shape
        shapes = [tuple(own[name].shape) for name in ("spread", "limit")]
        finite = all(bool(each.isfinite().all()) for each in own.values()) and bool((own["spread"] > 0).all())
        if shapes != [(length,), (1,)] or tuple(own["directions"].shape) != (DIRECTIONS, length) or not finite:
            raise ValueError("not the tensors of a description")
        mean, spread, directions = (own[name].numpy() for name in ("mean", "spread", "directions"))
        return cls(mean, spread, directions, float(own["limit"]))

    def tensors(self, prefix: str = OWN) -> Tensors:
        """As a task file holds them."""
        arrays = {"mean": self.mean, "spread": self.spread, "directions": self.directions}
        stored = {f"{prefix}{name}": torch.from_numpy(array) for name, array in arrays.items()}
        return stored | {f"{prefix}limit": torch.tensor([self.limit])}

    @property
    def covariance(self) -> np.ndarray:
        """Of the features, float64 [D, D]."""
        directions = self.directions.astype(float)
        correlations = (1 - SHRINK) * directions.T @ directions
        np.fill_diagonal(correlations, 1)
        return correlations * np.outer(self.spread, self.spread).astype(float)

    @cached_property
    def inverse(self) -> np.ndarray:
        """Of the covariance. It takes longer than an image, so it is computed once."""
        return np.linalg.inv(self.covariance)

    def distances(self, seen: np.ndarray, inverse: np.ndarray | None = None) -> np.ndarray:
        """The mean squared distance of features [N, D] to the task's mean, in units of the covariance with this inverse
        (its own): [N]."""
        apart = seen - self.mean
        return np.einsum("nj,nj->n", apart @ (self.inverse if inverse is None else inverse), apart) / len(self.mean)


class Choice(NamedTuple):
    """task: number of the nearest one. distance: to it, 1 where few of its own images are farther. unlike: whether the
    image is farther from every task than nearly all of that task's own images."""

    task: int
    distance: float
    unlike: bool


class Chooser:
    """Tells to which of several tasks images belong."""

    def __init__(self, tasks: Sequence[Inputs]) -> None:
        covariances = [task.covariance for task in tasks]
        mean = np.mean(covariances, axis=0)
        self._tasks = [*tasks]
        self._inverses = [np.linalg.inv((1 - POOLED) * covariance + POOLED * mean) for covariance in covariances]

    def choose(self, seen: np.ndarray) -> list[Choice]:
        """The task to which each image belongs. seen: features [N, D]."""
        pairs = zip(self._tasks, self._inverses, strict=True)
        nearest = np.stack([task.distances(seen, inverse) for task, inverse in pairs]).argmin(0)
        share = np.stack([task.distances(seen) / task.limit for task in self._tasks])
        picked = share[nearest, np.arange(len(seen))]
        far = np.all(share > 1, axis=0)
        return [Choice(*one) for one in zip(nearest.tolist(), picked.tolist(), far.tolist(), strict=True)]


def describe(net: Generator, images: Iterable[torch.Tensor]) -> Inputs | None:
    """What images, float [C, H, W] each, look like to a generator that has no task on; None if they are too few."""
    device = next(net.parameters()).device
    seen = [features(net, image[None].to(device)) for image in images]
    return Inputs.of(np.concatenate(seen)) if seen else None


def _layer(net: nn.Module) -> nn.Conv2d:
    """The layer whose outputs are the features."""
    convolutions = [module for module in net.modules() if isinstance(module, nn.Conv2d)]
    return convolutions[min(CONVOLUTION, len(convolutions)) - 1]


def _fitted(known: np.ndarray, limit: float) -> Inputs:
    mean, spread = known.mean(0), known.std(0)
    spread = np.maximum(spread, 1e-3 * spread.mean() + 1e-6)
    normed = (known - mean) / spread
    values, vectors = np.linalg.eigh(normed.T @ normed / len(known))
    strongest = (vectors * np.sqrt(values.clip(0))).T[::-1][:DIRECTIONS]
    directions = np.zeros((DIRECTIONS, known.shape[1]))
    directions[: len(strongest)] = strongest
    return Inputs(mean.astype(np.float32), spread.astype(np.float32), directions.astype(np.float16), limit)
