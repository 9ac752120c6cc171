"""--within RUN: everything outside another run's mask of an image is background."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from util.contracts import Batches, Translator
from util.score.evaluate import evaluate
from util.score.image import Scored
from util.score.mask_rule import MaskRule


class Within:
    """The masks of another run: called with the index of an image, it gives a boolean mask [H, W] at the original size.

    The masks are compressed in memory: some kilobytes for an X-ray of 1,000 pixels a side. files: the networks that
    made them.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        self.files = files
        self._masks: dict[int, tuple[bytes, tuple[int, ...]]] = {}

    def keep(self, image: Scored) -> None:
        """Remember the mask of an image that the other run has just segmented; may be called from any thread."""
        mask = np.asarray(image.labels) == 1
        self._masks[image.index] = zlib.compress(np.packbits(mask).tobytes(), 1), mask.shape

    @classmethod
    def by(cls, model: Translator, loader: Batches, rule: MaskRule, name: str, files: Sequence[Path]) -> "Within":
        """The masks of the images of `loader` by a run's model and rule."""
        within = cls(files)
        evaluate(model, loader, rule, on_image=within.keep, progress=f"segmenting with {name}")
        return within

    def __call__(self, index: int) -> np.ndarray:
        data, shape = self._masks[index]
        bits = np.unpackbits(np.frombuffer(zlib.decompress(data), np.uint8), count=int(np.prod(shape)))
        return bits.reshape(shape).astype(bool)
