"""Run a model over a data set and score its outputs at the original resolution of the ground truth."""

import csv
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from tqdm import tqdm

from util.contracts import Batch, Batches, Masks, Translator
from util.score import metrics, uncertainty
from util.score.contradictions import contradictions
from util.score.detection import detection
from util.score.image import ImageScorer, Scored
from util.score.mask_rule import ONE_HALF, MaskRule
from util.score.summary import summarize
from util.score.trust import calibration, expected
from util.score.trust.expected import agreements
from util.score.trust.plausible import COLUMN, Seen, remarks
from util.score.variation import Variation

SURFACE = ("hd95_mm", "assd_mm", "hd95_px", "assd_px")
WORKERS = 4  # threads that read ground truths, resize, count and write while the network goes on

Loss = Callable[[torch.Tensor, torch.Tensor], Mapping[str, torch.Tensor]]


@dataclass(frozen=True, eq=False)
class ImageSet:
    """Images to test several networks on. rule: how their masks are made of outputs."""

    loader: Batches
    name: str
    phase: str
    rule: MaskRule

    @property
    def shows(self) -> tuple:
        """Equal for sets of the same images with the same kind of target, even if networks read them differently."""
        classes = self.loader.dataset.classes
        return self.name, self.phase, self.loader.dataset.ids, classes and classes.binary


@dataclass
class Evaluation:
    """Scores of a model on a data set: one row for each image, in the order of the data set."""

    rows: list[dict]
    pooled: np.ndarray | None  # [N, 4] or [N, K, K]; None without ground truth
    histograms: np.ndarray | None  # [N, 2, BINS + 1], two classes only
    class_names: tuple[str, ...]
    losses: dict[str, float] = field(default_factory=dict)  # means over images, see `evaluate`
    faults: dict[str, str] = field(default_factory=dict)  # what is constant in the outputs (util.score.variation)
    calibration: np.ndarray | None = None  # [N, BINS, 3], see util.score.trust.calibration

    @property
    def scored(self) -> bool:
        return self.pooled is not None

    @property
    def binary(self) -> bool:
        return self.pooled is not None and self.pooled.ndim == 2

    @property
    def remarks(self) -> list[str]:
        """Lines for a console about masks that look implausible; [] if there are none."""
        return remarks(self.rows)

    @property
    def columns(self) -> list[str]:
        """Names of the scores in a row, the main one (Dice or mIoU) first."""
        every = (*metrics.SCORES, *SURFACE, "pixel_accuracy", "class_accuracy", "fwiou", "void_rate")
        names = [name for name in every if self.rows and name in self.rows[0]]
        return names if self.binary else sorted(names, key=lambda name: name != "miou")

    @cached_property
    def means(self) -> dict[str, float]:
        """Macro means (two classes) or scores of the one confusion matrix; without the intervals, which take time.

        Images in which a score is undefined are left out of its mean; a score undefined in all images is left out.
        """
        if self.pooled is None:
            return {}
        if self.binary:
            values = {name: np.array([row[name] for row in self.rows], float) for name in self.columns}
            return {name: float(np.nanmean(x)) for name, x in values.items() if not np.isnan(x).all()}
        scores = {name: float(x) for name, x in metrics.class_scores(self.pooled.sum(0)).items() if x.ndim == 0}
        return scores | {"void_rate": float(np.mean([row["void_rate"] for row in self.rows]))}

    @property
    def score(self) -> float | None:
        """The one number that chooses the best epoch, higher is better: macro Dice, or mIoU for many classes."""
        return self.means["dice" if self.binary else "miou"] if self.scored else None

    @cached_property
    def summary(self) -> dict:
        """The contents of metrics.json: means and intervals of all images and of each source (util.score.summary)."""
        result: dict = {"images": len(self.rows)}
        if self.pooled is not None:
            result = self._summary(self.rows, self.pooled)
        if self.rows and uncertainty.LABEL in self.rows[0]:
            result["uncertainty"] = uncertainty.of_set(self.rows, self.columns[0] if self.scored else "")
        result |= self._trust()
        if self.faults:
            result["faults"] = list(self.faults.values())
        sources = np.array([row["source"] for row in self.rows])
        if self.pooled is not None and len(names := sorted(set(sources))) > 1:
            images = {name: np.flatnonzero(sources == name) for name in names}
            result["by_source"] = {
                name: self._summary([self.rows[i] for i in chosen], self.pooled[chosen])
                for name, chosen in images.items()
            }
        return result

    def _trust(self) -> dict:
        """Calibration, implausible masks and the expected Dice, as far as they are known."""
        result: dict = {}
        if self.calibration is not None:
            result["calibration"] = calibration.of_set(self.calibration)
        if self.rows and COLUMN in self.rows[0]:
            result["implausible"] = sum(bool(row[COLUMN]) for row in self.rows)
        if self.rows and expected.COLUMN in self.rows[0]:
            result["expected_dice"] = expected.of_set(self.rows)
        return result

    def _summary(self, rows: list[dict], pooled: np.ndarray) -> dict:
        values = {name: np.array([row[name] for row in rows], dtype=float) for name in self.columns}
        pool = _overlap if self.binary else metrics.class_scores
        result = summarize(values, pooled, pool, [row["patient"] for row in rows])
        if self.binary:
            total = pooled.sum(0)
            result["foreground"] = float((total[0] + total[2]) / max(total.sum(), 1))
            shares = (pooled[:, 0] + pooled[:, 2]) / np.maximum(pooled.sum(1), 1)
            macro = result["macro"] | {"foreground": float(shares.mean())}
            micro = result["micro"] | {"foreground": result["foreground"]}
            # Means over different images need not agree with one another.
            macro = {name: value for name, value in macro.items() if name not in result["undefined"]}
            sentences = contradictions(macro, rounding=1e-9) + contradictions(micro, "micro", rounding=1e-9)
            result["contradictions"] = sentences
            result["empty"] = {
                "ground truth": int((pooled[:, 0] + pooled[:, 2] == 0).sum()),
                "mask": int((pooled[:, 0] + pooled[:, 1] == 0).sum()),
            }
            if detected := detection(rows):
                result["detection"] = detected
        else:
            iou = metrics.class_scores(pooled.sum(0))["class_iou"]
            result["class_iou"] = {
                name: None if np.isnan(x) else float(x) for name, x in zip(self.class_names, iou, strict=True)
            }
        return result

    def write_csv(self, path: Path) -> None:
        """One line for each image; scores with six digits, undefined values blank."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(self.rows[0]) if self.rows else ["id"])
            writer.writeheader()
            for row in self.rows:
                writer.writerow({name: _cell(value) for name, value in row.items()})


def evaluate(
    model: Translator,
    loader: Batches,
    rule: MaskRule = ONE_HALF,
    surface: bool = False,
    on_image: Callable[[Scored], None] | None = None,
    companions: bool = True,
    loss: Loss | None = None,
    within: Masks | None = None,
    progress: str = "",
    seen: Seen | None = None,
) -> Evaluation:
    """Translate every image of `loader` with `model.translate` and score it against the data set's ground truth.

    The float output is first resized to the original size. With two classes `rule` then makes a mask of values between
    0 (background) and 1 (foreground); with more classes each pixel gets the class of the nearest colour.

    surface: also measure distances between outlines, in mm if the data set knows the pixel spacing of every image, else
    in pixels. on_image: called once for each image, with the model's companion pictures, from several threads; an error
    that it raises ends the evaluation. companions: False leaves these pictures out, which CycleGAN needs another pass
    for. loss: takes a batch's outputs and targets, float [N, C, h, w] in [-1, 1]; the evaluation's losses are means
    over images of the values that it returns. within: outside of these masks the values are 0; on_image sees the mask
    as a companion picture. progress: label of a progress bar; "" shows none. seen: what training masks looked like.

    A data set without ground truth or classes gives rows without scores. UserError: the network's output is NaN;
    `surface` with more than two classes.
    """
    scorer, losses = ImageScorer(loader.dataset, rule, surface, on_image, within, seen), _Losses(loss)
    variation = Variation()
    scored = _in_order(model, loader, scorer, losses, variation, companions and on_image is not None)
    images = list(_with_bar(scored, progress, len(loader.dataset)))
    return Evaluation(
        rows=[image.row for image in images],
        pooled=_stacked(image.pooled for image in images),
        histograms=_stacked(image.histogram for image in images),
        class_names=classes.names if (classes := loader.dataset.classes) else (),
        losses=losses.means(),
        faults=variation.faults(),
        calibration=_stacked(image.calibration for image in images),
    )


def _with_bar(images: Iterable[Scored], label: str, count: int) -> Iterable[Scored]:
    """The images under a progress bar, which only a terminal shows, and only if it has a label."""
    return tqdm(images, label, count, unit="img", disable=None if label else True)


def _in_order(
    model: Translator,
    loader: Batches,
    scorer: ImageScorer,
    losses: "_Losses",
    variation: Variation,
    companions: bool,
) -> Iterator[Scored]:
    """Translate batch after batch while threads score the images before; yields the images in order."""
    waiting: deque[Future[Scored]] = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for batch in loader:
                with torch.no_grad():
                    fakes = model.translate(batch["A"]).float()
                    losses.add(fakes, batch)
                    fakes, agreed = fakes.cpu(), agreements(model, len(fakes))
                    if "B" in batch:
                        variation.add(fakes, batch["B"])
                    pictures = model.companions(batch) if companions else {}
                pictures = {label: each.float().cpu() for label, each in pictures.items()}
                targets = batch["B"] if "B" in batch else [None] * len(fakes)
                for i, (height, width) in enumerate(batch["size"].tolist()):
                    own = {label: each[i] for label, each in pictures.items()}
                    image = Scored(int(batch["index"][i]), (height, width), fakes[i], targets[i], own)
                    image.agreement = agreed[i]
                    waiting.append(pool.submit(scorer, image))
                while len(waiting) > 4 * WORKERS:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            pool.shutdown(cancel_futures=True)


def _stacked(arrays: Iterable[np.ndarray | None]) -> np.ndarray | None:
    """[N, ...]; None if there are none."""
    made = [array for array in arrays if array is not None]
    return np.stack(made) if made else None


class _Losses:
    """Sums of the losses of each batch, weighted by its images."""

    def __init__(self, loss: Loss | None):
        self._loss, self._images = loss, 0
        self._sums: dict[str, torch.Tensor | float] = {}

    def add(self, fakes: torch.Tensor, batch: Batch) -> None:
        if self._loss and "B" in batch:
            self._images += len(fakes)
            for name, value in self._loss(fakes, batch["B"].to(fakes.device)).items():
                self._sums[name] = self._sums.get(name, 0.0) + value * len(fakes)

    def means(self) -> dict[str, float]:
        return {name: float(total) / self._images for name, total in self._sums.items()}


def _overlap(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of sums of TP FP FN TN [..., 4]."""
    return metrics.scores(metrics.Counts(*np.moveaxis(sums, -1, 0)))


def _cell(value: str | int | float) -> str | int:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return value
