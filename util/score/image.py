"""One image: from the network's output to a mask or classes, pixel counts and a row of metrics.csv."""

import sys
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch.nn.functional import interpolate

from util.contracts import VOID, ClassMap, Masks, ScoredData
from util.errors import UserError
from util.score import metrics, uncertainty
from util.score.detection import image_score
from util.score.mask_rule import MaskRule
from util.score.trust import calibration
from util.score.trust.expected import clues
from util.score.trust.plausible import COLUMN, Seen


@dataclass
class Scored:
    """One translated image. A field is None where the data set has nothing to fill it.

    The pictures, from `fake` to `truth`, are dropped when `on_image` has returned.
    """

    index: int
    size: tuple[int, int]  # height and width of the original
    fake: torch.Tensor  # the network's output, float [C, h, w] in -1..1
    target: torch.Tensor | None = None  # the batch's B, in the same form
    companions: dict[str, torch.Tensor] = field(default_factory=dict)  # further pictures by the model, in the same form
    labels: np.ndarray | None = None  # uint8 [H, W]: predicted class of every original pixel
    truth: np.ndarray | None = None  # uint8 [H, W]: its true class, or VOID
    row: dict[str, str | int | float] = field(default_factory=dict)  # a line of metrics.csv
    pooled: np.ndarray | None = None  # TP FP FN TN, or the confusion matrix
    histogram: np.ndarray | None = None  # see metrics.histogram
    calibration: np.ndarray | None = None  # see calibration.count
    agreement: float | None = None  # of the masks of several outputs, see models.apply.translators


@dataclass(frozen=True)
class Labeller:
    """From a network's output to the class of every original pixel. test.py and segment.py make their masks by it."""

    classes: ClassMap
    rule: MaskRule

    def __call__(
        self, output: torch.Tensor, size: tuple[int, int], inside: np.ndarray | None = None
    ) -> tuple[np.ndarray, np.ndarray | None]:
        """Labels, uint8 [H, W], and with two classes the values that they are cut from, float32 [H, W] in 0..1.

        output: float [C, h, w] in [-1, 1]. size: height and width of the original. inside: bool [H, W]; values outside
        of it become 0 (two classes only).
        """
        if not self.classes.binary:
            return np.asarray(self.classes.decode(resize(output[None], size))[0]), None
        values = resize(self.classes.foreground(output[None])[None], size)[0, 0].numpy()
        if inside is not None:
            values = np.where(inside, values, np.float32(0))
        return self.rule(values).astype(np.uint8), values


@dataclass
class ImageScorer:
    """Fills in an image's labels, counts and row; may be called from several threads. See util.score.evaluate."""

    data: ScoredData
    rule: MaskRule
    surface: bool
    on_image: Callable[[Scored], None] | None
    within: Masks | None
    seen: Seen | None = None

    def __post_init__(self) -> None:
        data = self.data
        if self.surface:
            if not (data.classes and data.has_targets):
                raise UserError("--surface: the images have no masks to measure distances between: leave it out")
            if not data.classes.binary:
                raise UserError(
                    "--surface: distances are measured between outlines of one foreground, but these masks have "
                    f"{len(data.classes.names)} classes: leave it out"
                )
        # One unit for all images: a mean of some distances in mm and others in pixels would mean nothing.
        self.spacings = [data.spacing(i) for i in range(len(data))] if self.surface else []
        lack = [i for i, mm in enumerate(self.spacings) if mm is None]
        if 0 < len(lack) < len(self.spacings):
            which = f"{len(lack)} of {len(self.spacings)} images lack a pixel spacing, such as {data.ids[lack[0]]}"
            print(f"note: --surface: all distances are in pixels, because {which}", file=sys.stderr)
        self.in_mm = not lack

    def __call__(self, image: Scored) -> Scored:
        data, index = self.data, image.index
        if not image.fake.isfinite().all():
            raise UserError(
                f"{data.ids[index]}: the network's output is not a number (diverged training or damaged checkpoint)"
            )
        image.row = {"id": data.ids[index], "patient": data.patients[index], "source": data.sources[index]}
        if data.classes is not None:
            self._segment(image, data.classes)
        if self.on_image:
            self.on_image(image)
        for name in ("fake", "target", "companions", "labels", "truth"):
            setattr(image, name, None)  # the pictures of a whole test set may not fit into memory
        return image

    def _segment(self, image: Scored, classes: ClassMap) -> None:
        image.truth = self.data.truth(image.index) if self.data.has_targets else None
        height, width = image.size if image.truth is None else image.truth.shape
        label = Labeller(classes, self.rule)
        inside = self._inside(self.within, image, (height, width)) if self.within and classes.binary else None
        image.labels, values = label(image.fake, (height, width), inside)
        if image.truth is not None and values is not None:
            self._score_two_classes(image, image.labels == 1, values, image.truth)
        elif image.truth is not None:
            self._score_many_classes(image, image.labels, image.truth, classes)
        if self.seen:
            image.row[COLUMN] = self.seen.doubts(image.labels)
            if values is not None:
                image.row |= clues(image.labels == 1, values, self.seen, image.agreement)
        if uncertainty.LABEL in image.companions:
            picture = resize(image.companions[uncertainty.LABEL][None], (height, width))[0]
            image.row |= uncertainty.of_image(picture, image.labels, image.truth, classes.binary)

    @staticmethod
    def _inside(within: Masks, image: Scored, size: tuple[int, int]) -> np.ndarray:
        """The mask of --within for this image, bool [H, W]; also shown as a companion picture."""
        mask = torch.from_numpy(within(image.index)[None].astype(np.float32))
        # Phantoms have no size of their own: each run draws them at its crop size.
        inside = resize(mask[None], size)[0]
        image.companions["within"] = inside * 2 - 1
        return inside[0].numpy() >= 0.5

    def _score_two_classes(self, image: Scored, mask: np.ndarray, values: np.ndarray, known: np.ndarray) -> None:
        truth, valid = known == 1, known != VOID
        counts = metrics.counts(mask, truth, None if valid.all() else valid)
        image.pooled = np.array(counts)
        image.histogram = metrics.histogram(values, known)
        image.row |= counts._asdict() | {name: float(x) for name, x in metrics.scores(counts).items()}
        image.row["image_score"] = image_score(values[valid]) if valid.any() else 0.0
        self._calibrate(image, values[valid], truth[valid])
        if self.surface:
            unit, spacing = ("mm", self.spacings[image.index]) if self.in_mm else ("px", None)
            hd95, assd = metrics.surface(mask & valid, truth, spacing or (1.0, 1.0))
            image.row |= {f"hd95_{unit}": hd95, f"assd_{unit}": assd}

    def _score_many_classes(self, image: Scored, labels: np.ndarray, known: np.ndarray, classes: ClassMap) -> None:
        image.pooled = metrics.confusion(labels, known, len(classes.names))
        scores = metrics.class_scores(image.pooled)
        image.row |= {name: float(x) for name, x in scores.items() if x.ndim == 0}
        output = resize(image.fake[None], (known.shape[0], known.shape[1]))
        image.row["void_rate"] = float(classes.void_rate(output))
        valid = known != VOID
        self._calibrate(image, classes.certainty(output)[0].numpy()[valid], (labels == known)[valid])

    @staticmethod
    def _calibrate(image: Scored, values: np.ndarray, right: np.ndarray) -> None:
        image.calibration = calibration.count(values, right)
        image.row["ece"] = float(calibration.error(image.calibration))


def resize(pictures: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear resize of float [N, C, h, w] to [N, C, H, W], low-passed where it shrinks."""
    if pictures.shape[-2:] == size:
        return pictures
    return interpolate(pictures, size=size, mode="bilinear", antialias=True, align_corners=False)
