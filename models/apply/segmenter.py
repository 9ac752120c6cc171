"""Trained runs as a function: an image in, a mask of its original size out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import numpy as np
import torch

from models.apply.choosing import Chosen, chosen_for
from models.apply.trained import Trained
from util.contracts import ClassMap
from util.errors import UserError
from util.score.image import Labeller
from util.score.mask_rule import MaskRule
from util.score.trust.expected import agreements, clues, confidence, expect


class Segmentation(NamedTuple):
    """What a segmenter says about an image.

    mask: class of each pixel, uint8 [H, W] at the original size; with two classes 0 and 1. probabilities: of the
    foreground, float32 [H, W] in 0..1; None with more classes, which are painted in colours.
    """

    mask: np.ndarray
    probabilities: np.ndarray | None

    @property
    def confidence(self) -> float | None:
        """0..1: the Dice of the mask with the map of probabilities, about the Dice to expect if these are right.

        1: the map is black and white, and the mask is what is white. For an empty mask, 1 minus the largest
        probability. None without probabilities.
        """
        if self.probabilities is None:
            return None
        return confidence(self.mask == 1, self.probabilities)


class Reader(Protocol):
    """How images become a network's input (`data.stream.reader.Reader`)."""

    one_size: bool
    contradicting: int

    def pixels(self, image: object) -> np.ndarray: ...

    def to_input(self, pixels: np.ndarray, name: str) -> torch.Tensor: ...


@dataclass(frozen=True)
class Prepared:
    """An image on its way into the networks. inputs: of the segmenter and of those within whose masks it stays, each
    float32 [C, h, w] in [-1, 1]. size: original height and width."""

    inputs: tuple[torch.Tensor, ...]
    size: tuple[int, int]
    name: str


@dataclass(frozen=True)
class Outputs:
    """What the networks made of one prepared image: float32 [C, h, w] in [-1, 1], on the CPU. agreement: of their
    single masks, see `models.apply.translators`. chosen: the task that the image got (--task auto)."""

    maps: tuple[torch.Tensor, ...]
    prepared: Prepared
    agreement: float | None = None
    chosen: Chosen | None = None


Applied = tuple[torch.Tensor, float | None, Chosen | None]
"""An output, the agreement and the chosen task."""


class Segmenter:
    """Applies a run, or an ensemble, to images.

    `segmenter(image)` takes a path, a PIL image, a NumPy array ([H, W] or [H, W, 3] of uint8 or uint16) or a pydicom
    data set, and returns a `Segmentation`; a list of these gives a list. The three steps can also be called by
    themselves: `prepare` and `finish` from any thread, `translate` from one.

    trained: the runs. reader: reads images as they do. classes: of their masks. within: outside of its masks everything
    is background (two classes). batch_size: images that the networks see at a time.

    On a GPU a result depends in its last digits on how many images are computed together. Every batch is therefore
    filled up to `batch_size`, so that an image gets the same mask whichever images come with it.
    """

    def __init__(
        self,
        trained: Trained,
        reader: Reader,
        classes: ClassMap,
        rule: MaskRule,
        within: Segmenter | None = None,
        batch_size: int = 1,
    ) -> None:
        self.name, self.classes, self.rule, self.trained = trained.name, classes, rule, trained
        self.batch_size = batch_size
        self._translator, self._reader, self._within = trained.translator(classes), reader, within
        self._label = Labeller(classes, rule)
        self._seen = trained.seen(classes)
        self._medians = trained.medians(classes) if self._seen else None

    @property
    def files(self) -> list[Path]:
        """The files of all networks."""
        return [*self.trained.files, *(self._within.files if self._within else [])]

    @property
    def settings(self) -> dict[str, object]:
        """The rule that masks are cut by, and that of the masks they stay within."""
        return self.rule.settings | ({"within": self._within.settings} if self._within else {})

    @property
    def contradicting(self) -> int:
        """How many of the DICOM files read so far contradict themselves about what is black."""
        return self._reader.contradicting

    def doubts(self, mask: np.ndarray) -> str:
        """How a mask differs from all training masks; "" if it does not, or if the run has no record of them."""
        return self._seen.doubts(mask) if self._seen else ""

    def expected_dice(self, segmentation: Segmentation, outputs: Outputs) -> float | None:
        """The Dice to expect of a segmentation that `finish` made of these outputs, 0..1 (`util.score.trust.expected`).
        None with more than two classes, or before the run was tested on its own val images."""
        if segmentation.probabilities is None or not (self._seen and self._medians):
            return None
        found = clues(segmentation.mask == 1, segmentation.probabilities, self._seen, outputs.agreement)
        return expect(self._medians, found)

    def __call__(self, image: Any) -> Any:
        """A `Segmentation`, or a list of them. UserError: an image cannot be read, the output is not a number."""
        if not isinstance(image, list | tuple):
            return self([image])[0]
        results: list[Segmentation] = []
        for start in range(0, len(image), self.batch_size):
            prepared = [self.prepare(one) for one in image[start : start + self.batch_size]]
            results += [self.finish(outputs) for outputs in self.translate(prepared)]
        return results

    def prepare(self, image: object) -> Prepared:
        """Read an image. UserError: it cannot be read."""
        pixels, name = self._reader.pixels(image), str(image) if isinstance(image, str | Path) else "the image"
        return Prepared(self._inputs(pixels, name), (pixels.shape[0], pixels.shape[1]), name)

    def _inputs(self, pixels: np.ndarray, name: str) -> tuple[torch.Tensor, ...]:
        inner = self._within._inputs(pixels, name) if self._within else ()
        return self._reader.to_input(pixels, name), *inner

    def translate(self, prepared: Sequence[Prepared]) -> list[Outputs]:
        """Apply the networks to at most `batch_size` images."""
        columns = zip(*(one.inputs for one in prepared), strict=True)
        segmenters: list[Segmenter] = [self]
        while (inner := segmenters[-1]._within) is not None:
            segmenters.append(inner)
        applied = [one._apply(inputs, self.batch_size) for one, inputs in zip(segmenters, columns, strict=True)]
        return [
            Outputs(tuple(output for output, *_ in each), one, *each[0][1:])
            for each, one in zip(zip(*applied, strict=True), prepared, strict=True)
        ]

    @torch.no_grad()
    def _apply(self, inputs: Sequence[torch.Tensor], batch_size: int) -> list[Applied]:
        if not self._reader.one_size or batch_size == 1:
            return [self._apply_to(one[None])[0] for one in inputs]
        full = torch.stack([*inputs, *[inputs[-1]] * (batch_size - len(inputs))])
        return self._apply_to(full)[: len(inputs)]

    def _apply_to(self, batch: torch.Tensor) -> list[Applied]:
        outputs, how, count = self._translator.translate(batch).float().cpu(), self._translator, len(batch)
        return list(zip(outputs, agreements(how, count), chosen_for(how, count), strict=True))

    def finish(self, outputs: Outputs) -> Segmentation:
        """The mask of an image, at its original size. UserError: the network's output is not a number."""
        (own, *inner), prepared = outputs.maps, outputs.prepared
        if not all(output.isfinite().all() for output in outputs.maps):
            raise UserError(
                f"{prepared.name}: the network's output is not a number (diverged training or damaged checkpoint)"
            )
        inside = None
        if self._within:
            inside = self._within.finish(Outputs(tuple(inner), prepared)).mask == 1
        return Segmentation(*self._label(own, prepared.size, inside))
