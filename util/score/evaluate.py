"""Run a model over a data set and score what comes out, at the original resolution of the ground truth."""

import csv
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import interpolate

from util.errors import UserError
from util.score import metrics, uncertainty
from util.score.detection import detection, image_score
from util.score.mask_rule import ONE_HALF, MaskRule
from util.score.summary import contradictions, summarize

SURFACE = ("hd95_mm", "assd_mm", "hd95_px", "assd_px")
WORKERS = 4  # threads that read truths, resize, count and write while the network goes on


@dataclass
class Scored:
    """One image, translated; what the data set does not have is None."""

    index: int
    size: tuple[int, int]  # height and width of the original
    fake: torch.Tensor  # float [C, h, w] in -1..1, as the network gave it
    target: torch.Tensor | None = None  # the same of the batch's B
    companions: dict[str, torch.Tensor] = field(default_factory=dict)  # the same of what the model shows besides
    labels: np.ndarray | None = None  # uint8 [H, W]: predicted class of every original pixel
    truth: np.ndarray | None = None  # uint8 [H, W]: its true class, metrics.VOID where open
    row: dict[str, str | int | float] = field(default_factory=dict)  # a line of metrics.csv
    pooled: np.ndarray | None = None  # TP FP FN TN, or the confusion matrix
    histogram: np.ndarray | None = None  # see metrics.histogram


@dataclass
class Evaluation:
    """Scores of a model on a data set: one row an image, in the order of the data set."""

    rows: list[dict]
    pooled: np.ndarray | None  # [N, 4] or [N, K, K]; None where there is no ground truth
    histograms: np.ndarray | None  # [N, 2, BINS + 1], two classes only
    class_names: tuple[str, ...]
    losses: dict[str, float] = field(default_factory=dict)  # means over images, see `evaluate`

    @property
    def scored(self) -> bool:
        return self.pooled is not None

    @property
    def binary(self) -> bool:
        return self.scored and self.pooled.ndim == 2

    @property
    def columns(self) -> list[str]:
        """Names of the scores in a row, the most telling one first."""
        known = (*metrics.SCORES, *SURFACE, "pixel_accuracy", "class_accuracy", "fwiou", "void_rate")
        names = [name for name in known if self.rows and name in self.rows[0]]
        return names if self.binary else sorted(names, key=lambda name: name != "miou")

    @cached_property
    def means(self) -> dict[str, float]:
        """Macro means (two classes) or scores of the one confusion matrix, without intervals: what training needs."""
        if self.binary:
            return {name: float(np.nanmean([row[name] for row in self.rows])) for name in self.columns}
        if self.scored:
            found = {name: float(x) for name, x in metrics.class_scores(self.pooled.sum(0)).items() if x.ndim == 0}
            return found | {"void_rate": float(np.mean([row["void_rate"] for row in self.rows]))}
        return {}

    @property
    def score(self) -> float | None:
        """The one number that chooses the best epoch, higher is better: macro Dice, or mIoU for many classes."""
        return self.means["dice" if self.binary else "miou"] if self.scored else None

    @cached_property
    def summary(self) -> dict:
        """What metrics.json holds: means and intervals of all images and of each source (see util.score.summary)."""
        result = self._summary(np.arange(len(self.rows))) if self.scored else {"images": len(self.rows)}
        if self.rows and uncertainty.LABEL in self.rows[0]:
            result["uncertainty"] = uncertainty.of_set(self.rows, self.columns[0] if self.scored else "")
        if not self.scored:
            return result
        sources = np.array([row["source"] for row in self.rows])
        if len(names := sorted(set(sources))) > 1:
            result["by_source"] = {name: self._summary(np.flatnonzero(sources == name)) for name in names}
        return result

    def _summary(self, chosen: np.ndarray) -> dict:
        rows, pooled = [self.rows[i] for i in chosen], self.pooled[chosen]
        values = {name: np.array([row[name] for row in rows], dtype=float) for name in self.columns}
        pool = _overlap if self.binary else metrics.class_scores
        result = summarize(values, pooled, pool, [row["patient"] for row in rows])
        if self.binary:
            total = pooled.sum(0)
            result["foreground"] = float((total[0] + total[2]) / max(total.sum(), 1))
            shares = (pooled[:, 0] + pooled[:, 2]) / np.maximum(pooled.sum(1), 1)
            result["contradictions"] = contradictions(
                result["macro"] | {"foreground": float(shares.mean())}, rounding=1e-9
            ) + contradictions(result["micro"] | {"foreground": result["foreground"]}, "micro", rounding=1e-9)
            if found := detection(rows):
                result["detection"] = found
        else:
            each = metrics.class_scores(pooled.sum(0))["class_iou"]
            result["class_iou"] = {
                name: None if np.isnan(x) else float(x) for name, x in zip(self.class_names, each, strict=True)
            }
        return result

    def write_csv(self, path: Path) -> None:
        """One line an image; shares with six digits, undefined values blank."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.DictWriter(file, fieldnames=list(self.rows[0]) if self.rows else ["id"])
            writer.writeheader()
            for row in self.rows:
                writer.writerow({name: _cell(value) for name, value in row.items()})


def evaluate(
    model,
    loader,
    rule: MaskRule = ONE_HALF,
    surface: bool = False,
    on_image: Callable[[Scored], None] | None = None,
    loss: Callable[[torch.Tensor, torch.Tensor], Mapping[str, torch.Tensor]] | None = None,
    within: Callable[[int], np.ndarray] | None = None,
) -> Evaluation:
    """Translate every image of `loader` with `model.translate` and score it against the data set's truth.

    The float output is resized to the original size and only then made a mask (by `rule`, from values that say how far
    on the way from background to foreground a pixel is, 0..1) or matched to class colours. `surface` adds distances
    between outlines: in mm if the data set knows the pixel spacing of every image, else in pixels. `on_image` is called
    once an image, with the model's companion pictures too, from several threads; what it raises ends the evaluation.
    `loss` takes a batch's outputs and targets, float [N, C, h, w] in [-1, 1]; means over images of what it returns are
    the evaluation's losses. `within` gives a boolean mask [H, W] for an image's index: outside of it the values are 0,
    and the page shows it. A data set without truth or classes gives rows without scores. UserError: the network puts
    out NaN; `surface` of more than two classes.
    """
    scorer, losses = _Scorer(loader.dataset, rule, surface, on_image, within), _Losses(loss)
    done = [image for image in _in_order(model, loader, scorer, losses)]
    scored = bool(done) and done[0].pooled is not None
    classes = loader.dataset.classes
    return Evaluation(
        rows=[image.row for image in done],
        pooled=np.stack([image.pooled for image in done]) if scored else None,
        histograms=np.stack([i.histogram for i in done]) if scored and done[0].histogram is not None else None,
        class_names=classes.names if classes else (),
        losses=losses.means(),
    )


def _in_order(model, loader, work: "_Scorer", losses: "_Losses") -> Iterator[Scored]:
    """Translate batch after batch while `work` runs on earlier images in threads; images come back in order."""
    waiting: deque = deque()
    with ThreadPoolExecutor(WORKERS) as pool:
        try:
            for batch in loader:
                with torch.no_grad():
                    fakes = model.translate(batch["A"]).float()
                    losses.add(fakes, batch)
                    fakes = fakes.cpu()
                    more = model.companions(batch) if work.on_image else {}
                more = {label: pictures.float().cpu() for label, pictures in more.items()}
                sizes = batch["size"].tolist()
                targets = batch.get("B", [None] * len(fakes))
                for i, (index, size) in enumerate(zip(batch["index"].tolist(), sizes, strict=True)):
                    beside = {label: pictures[i] for label, pictures in more.items()}
                    waiting.append(pool.submit(work, Scored(index, tuple(size), fakes[i], targets[i], beside)))
                while len(waiting) > 4 * WORKERS:
                    yield _light(waiting.popleft().result())
            while waiting:
                yield _light(waiting.popleft().result())
        finally:
            pool.shutdown(cancel_futures=True)


def _light(image: Scored) -> Scored:
    """Drop the pictures once they are counted: a test set need not fit into memory."""
    image.fake = image.target = image.labels = image.truth = None
    image.companions = {}
    return image


class _Losses:
    """Sums what `loss` says of each batch, weighted by its images."""

    def __init__(self, loss: Callable | None):
        self._loss, self._sums, self._images = loss, {}, 0

    def add(self, fakes: torch.Tensor, batch: dict) -> None:
        if self._loss and "B" in batch:
            self._images += len(fakes)
            for name, value in self._loss(fakes, batch["B"].to(fakes.device)).items():
                self._sums[name] = self._sums.get(name, 0.0) + value * len(fakes)

    def means(self) -> dict[str, float]:
        return {name: float(total) / self._images for name, total in self._sums.items()}


class _Scorer:
    """Turns the network's output for one image into labels, counts and a row."""

    def __init__(self, dataset, rule: MaskRule, surface: bool, on_image: Callable[[Scored], None] | None, within):
        self.dataset, self.rule, self.surface, self.on_image, self.within = dataset, rule, surface, on_image, within
        if surface and dataset.classes and not dataset.classes.binary:
            raise UserError(
                "--surface: distances between outlines are of one foreground; these masks have "
                f"{len(dataset.classes.names)} classes: leave it out"
            )
        # One unit for all: a mean over some images in mm and others in pixels would mean nothing.
        self.spacings = [dataset.spacing(index) for index in range(len(dataset))] if surface else []

    def __call__(self, image: Scored) -> Scored:
        data, classes = self.dataset, self.dataset.classes
        if not image.fake.isfinite().all():
            raise UserError(
                f"{data.ids[image.index]}: the network's output is not a number "
                "(diverged training or damaged checkpoint)"
            )
        image.row = {
            "id": data.ids[image.index],
            "patient": data.patients[image.index],
            "source": data.sources[image.index],
        }
        if classes is not None:
            image.truth = data.truth(image.index) if data.has_targets else None
            size = image.size if image.truth is None else image.truth.shape
            if classes.binary:
                self._two_classes(image, resize(classes.foreground(image.fake[None])[None], size)[0, 0].numpy())
            else:
                self._many_classes(image, resize(image.fake[None], size))
        if uncertainty.LABEL in image.companions and image.labels is not None:
            picture = resize(image.companions[uncertainty.LABEL][None], image.labels.shape)[0]
            image.row |= uncertainty.of_image(picture, image.labels, image.truth, classes.binary)
        if self.on_image:
            self.on_image(image)
        return image

    def _two_classes(self, image: Scored, values: np.ndarray) -> None:
        if self.within:
            inside = torch.from_numpy(self.within(image.index)[None].astype(np.float32))
            inside = resize(inside[None], values.shape)[0]  # phantoms have the size at which a run draws them
            values = np.where(inside[0] >= 0.5, values, np.float32(0))
            image.companions["within"] = inside * 2 - 1
        mask = self.rule(values)
        image.labels = mask.astype(np.uint8)
        if image.truth is None:
            return
        truth, valid = image.truth == 1, image.truth != metrics.VOID
        found = metrics.counts(mask, truth, None if valid.all() else valid)
        image.pooled = np.array(found)
        image.histogram = metrics.histogram(values, image.truth)
        image.row |= found._asdict() | {name: float(x) for name, x in metrics.scores(found).items()}
        image.row["image_score"] = image_score(values[valid]) if valid.any() else 0.0
        if self.surface:
            unit, spacing = ("mm", self.spacings[image.index]) if all(self.spacings) else ("px", (1.0, 1.0))
            hd95, assd = metrics.surface(mask & valid, truth, spacing)
            image.row |= {f"hd95_{unit}": hd95, f"assd_{unit}": assd}

    def _many_classes(self, image: Scored, output: torch.Tensor) -> None:
        classes = self.dataset.classes
        image.labels = np.asarray(classes.decode(output)[0])
        if image.truth is None:
            return
        image.pooled = metrics.confusion(image.labels, image.truth, len(classes.names))
        found = metrics.class_scores(image.pooled)
        image.row |= {name: float(x) for name, x in found.items() if x.ndim == 0}
        image.row["void_rate"] = float(classes.void_rate(output))


def resize(pictures: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Bilinear resize of float [N, C, h, w] to [N, C, H, W], low-passed where it shrinks."""
    if tuple(pictures.shape[-2:]) == tuple(size):
        return pictures
    return interpolate(pictures, size=tuple(size), mode="bilinear", antialias=True, align_corners=False)


def _overlap(sums: np.ndarray) -> dict[str, np.ndarray]:
    """Scores of sums of TP FP FN TN [..., 4]."""
    return metrics.scores(metrics.Counts(*np.moveaxis(sums, -1, 0)))


def _cell(value: str | int | float) -> str | int:
    if isinstance(value, float):
        return "" if np.isnan(value) else f"{value:.6g}"
    return value
