"""An exported file against test.py's own way, on the same images."""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from models.export.exported import Exported
from util.errors import UserError
from util.score.evaluate import evaluate
from util.score.image import Scored, resize

MOST = 0.001
"""The share of an image's pixels in which the two masks may differ."""
MOST_INT8 = 0.02
"""... with --int8."""

Apply = Callable[[np.ndarray, float], tuple[np.ndarray, np.ndarray]]
"""An exported file: float32 [1, C, H, W] and the value of white, to mask uint8 [1, H, W] and probability [1, H, W]."""


@dataclass(frozen=True)
class Difference:
    """The largest differences on some images: of probabilities, and of masks as a share of an image's pixels."""

    images: int
    probability: float
    mask: float


def as_input(pixels: np.ndarray) -> tuple[np.ndarray, float]:
    """[H, W] or [H, W, 3] of uint8 or uint16 to an exported file's inputs."""
    image = pixels.astype(np.float32)
    return (image[None] if image.ndim == 2 else image.transpose(2, 0, 1))[None], float(np.iinfo(pixels.dtype).max)


def difference(export: Exported, apply: Apply, pixels: Callable[[int], np.ndarray]) -> Difference:
    """Compare a file with test.py. pixels: an image of the loader as it is on disk, by its index.

    Masks are compared before holes and parts, which no file treats.
    """
    threshold_only = replace(export.rule, fill_holes=False, min_area=0, keep_largest=0)
    dataset, pairs = export.loader.dataset, []
    classes = dataset.classes
    assert classes is not None  # noqa: S101 - `exported` refuses a run without

    def compare(image: Scored) -> None:
        mask, probability = apply(*as_input(pixels(image.index)))
        assert image.labels is not None  # noqa: S101 - there are classes
        height, width = image.labels.shape
        values = resize(classes.foreground(image.fake[None])[None], (height, width))[0, 0].numpy()
        pairs.append((float(np.abs(values - probability[0]).max()), float((image.labels != mask[0]).mean())))

    evaluate(export.trained.translator(classes), export.loader, threshold_only, on_image=compare)
    probabilities, masks = zip(*pairs, strict=True)
    return Difference(len(pairs), max(probabilities), max(masks))


def refuse_different(found: Difference, path: object, most: float) -> None:
    """UserError if masks differ in more than this share of an image's pixels."""
    if not found.mask <= most:
        raise UserError(
            f"{path}: not written: on one of {found.images} images, its mask differs from test.py's in "
            f"{found.mask:.2%} of the pixels, and {most:.1%} are allowed (probabilities: up to {found.probability:.4f})"
        )
