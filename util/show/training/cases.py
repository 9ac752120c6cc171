"""The masks of a few validation images, the same ones after every validation."""

import json
import math
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from PIL import Image

from util.contracts import ScoredData
from util.files import read_json, replacing
from util.score.image import Scored
from util.show.pictures import blend, differences, save_jpeg, small

MOST = 6  # images
SIDE = 384  # pixels; a larger picture is shrunk
EPOCHS = 12
"""So many epochs are kept, besides the first, the best and the newest."""
INDEX = "cases.json"


class Case(NamedTuple):
    """An image of the validation. score: Dice, or mIoU of more than two classes; None if it is not defined. mask,
    truth: the predicted and the true mask over the image, uint8 [H, W, 3]."""

    id: str
    score: float | None
    mask: np.ndarray
    truth: np.ndarray


class Cases:
    """Draws a few images of a validation set from what the validation has computed.

    cases = Cases(val.dataset)
    evaluate(..., on_image=cases.keep)
    for case in cases.take(): ...
    """

    def __init__(self, data: ScoredData) -> None:
        self._data, self._places = data, spread(len(data))
        self._images: dict[int, np.ndarray] = {}  # X-rays, read once
        self._drawn: dict[int, Case] = {}

    def keep(self, image: Scored) -> None:
        """Draw a translated image if it is one of the few. May be called from several threads."""
        if image.index not in self._places or image.labels is None or image.truth is None:
            return
        if image.index not in self._images:
            self._images[image.index] = small(self._data.image(image.index), SIDE)
        score = float(image.row.get("dice", image.row.get("miou", math.nan)))
        self._drawn[image.index] = Case(
            str(image.row["id"]),
            None if math.isnan(score) else score,
            self._over(self._images[image.index], image.labels, image.truth),
            self._over(self._images[image.index], image.truth, image.truth),
        )

    def take(self) -> list[Case]:
        """What was drawn since the last call, in the order of the data set."""
        drawn, self._drawn = self._drawn, {}
        return [drawn[index] for index in sorted(drawn)]

    def _over(self, picture: np.ndarray, labels: np.ndarray, truth: np.ndarray) -> np.ndarray:
        height, width = picture.shape[:2]
        labels, truth = (
            np.asarray(Image.fromarray(each).resize((width, height), Image.Resampling.NEAREST))
            for each in (labels, truth)
        )
        classes = self._data.classes
        if classes is None or classes.binary:
            return differences(picture, labels, truth, binary=True)
        return blend(picture, classes.encode(labels))


def spread(count: int, most: int = MOST) -> list[int]:
    """At most `most` of `count` indices, at equal distances: parts of a sorted set, such as sources, take turns."""
    most = min(count, most)
    return [(2 * i + 1) * count // (2 * most) for i in range(most)]


class Row(NamedTuple):
    """An epoch's pictures and their scores. Epoch 0 has the true masks, and no scores."""

    epoch: int
    scores: list[float | None]
    files: list[str]


@dataclass
class CaseFiles:
    """The cases of several epochs in a folder: epoch005_1.jpg, truth_1.jpg, and their scores in cases.json.

    The first epoch, the best and the newest are kept, and `EPOCHS` others at most. A resumed run goes on with what it
    finds, unless the images are others.
    """

    folder: Path

    def add(self, epoch: int, best: int, cases: list[Case]) -> None:
        """Write an epoch's cases; delete the epochs that are no longer kept, and those of an abandoned branch."""
        ids = [case.id for case in cases]
        scores = {old: kept for old, kept in self._read(ids).items() if old < epoch}
        scores[epoch] = [case.score for case in cases]
        scores = {old: scores[old] for old in thinned(scores, best)}
        for i, case in enumerate(cases):
            save_jpeg(self.folder / _file(epoch, i), case.mask)
            save_jpeg(self.folder / _file(0, i), case.truth)
        with replacing(self.folder / INDEX) as file:
            json.dump({"ids": ids, "scores": scores}, file)
        wanted = {_file(number, i) for number in (0, *scores) for i in range(len(ids))}
        for path in self.folder.glob("*.jpg"):
            if path.name not in wanted:
                path.unlink(missing_ok=True)

    def rows(self, last: int) -> tuple[list[str], list[Row]]:
        """The images' ids, and the kept epochs up to `last`, the newest first, after them the true masks."""
        ids = self._index()["ids"]
        rows = [
            Row(epoch, scores, [_file(epoch, i) for i in range(len(ids))])
            for epoch, scores in sorted(self._read(ids).items(), reverse=True)
            if epoch <= last
        ]
        rows += [Row(0, [None] * len(ids), [_file(0, i) for i in range(len(ids))])] * bool(rows)
        return ids, [row for row in rows if all((self.folder / file).exists() for file in row.files)]

    def _read(self, ids: list[str]) -> dict[int, list[float | None]]:
        """The scores of earlier epochs, if they are of these images."""
        index = self._index()
        return index["scores"] if index["ids"] == ids else {}

    def _index(self) -> dict:
        """cases.json; empty if it is missing or damaged, because the next validation writes it again."""
        try:
            index = read_json(self.folder / INDEX)
            ids = [str(each) for each in index["ids"]]
            scores = {
                int(epoch): [None if score is None else float(score) for score in kept]
                for epoch, kept in index["scores"].items()
                if len(kept) == len(ids)
            }
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return {"ids": [], "scores": {}}
        return {"ids": ids, "scores": scores}


def _file(epoch: int, place: int) -> str:
    """The picture of an epoch; epoch 0: of the true mask."""
    return f"epoch{epoch:03d}_{place + 1}.jpg" if epoch else f"truth_{place + 1}.jpg"


def thinned(epochs: Collection[int], best: int) -> list[int]:
    """The first, the best and the newest of these epochs, and at most `EPOCHS` others, spread over all.

    Multiples of a power of two are kept, so that what is dropped now would not be missed later.
    """
    ordered, step = sorted(epochs), 1
    while len(even := [epoch for epoch in ordered if epoch % step == 0]) > EPOCHS:
        step *= 2
    return sorted({*even, ordered[0], ordered[-1], best} & set(ordered))
