"""Several runs on the same images: their masks and scores, and where they disagree."""

import csv
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from itertools import combinations
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from util.contracts import Batches, Masks, Translator
from util.score import metrics
from util.score.evaluate import WORKERS, Evaluation, evaluate
from util.score.image import Scored
from util.score.mask_rule import MaskRule
from util.score.summary import paired_difference
from util.show.pictures import outlines, save_jpeg, save_png, small

# The entries of a results folder that a comparison writes. The next one replaces them, and keeps all others.
OURS = {"index.html", "compare.csv", "compare.json", "images", "truths", "overlays", "masks"}
SIDE = 1024  # pixels of a picture's longer side: enough to look at, while originals can have 5000


class Comparison:
    """Takes in one run after another, and writes the pictures for the page into `folder`.

    images/<id>.jpg and truths/<id>.jpg; for each run overlays/<run>/<id>.jpg and masks/<run>/<id>.png, the mask at the
    original size. All runs see the same images, of two classes, in the same order.
    """

    def __init__(self, folder: Path):
        self.folder = folder
        self.evaluations: dict[str, Evaluation] = {}
        self.settings: dict[str, Mapping[str, object]] = {}
        self._agreement: np.ndarray | None = None

    def add(
        self,
        run: str,
        model: Translator,
        data: Batches,
        rule: MaskRule,
        settings: Mapping[str, object],
        within: Masks | None = None,
    ) -> Evaluation:
        """Translate all images with a run's model and score them (`util.score.evaluate.evaluate`).

        settings: the options that the scores depend on, by name.
        """
        dataset, first = data.dataset, not self.evaluations
        bar = tqdm(total=len(dataset), unit="img", desc=run, leave=False, disable=None)

        def write(image: Scored) -> None:
            name = dataset.ids[image.index]
            path = self.folder / "images" / f"{name}.jpg"
            if first:
                save_jpeg(path, small(dataset.image(image.index), SIDE))
            truth = None if image.truth is None else _small_mask(image.truth == 1)
            if first and truth is not None:
                save_jpeg(self.folder / "truths" / f"{name}.jpg", truth * np.uint8(255))
            save_png(self._mask(run, name), image.labels == 1)
            overlay = outlines(np.asarray(Image.open(path)), _small_mask(image.labels == 1), truth)
            save_jpeg(self.folder / "overlays" / run / f"{name}.jpg", overlay)
            bar.update()

        with bar:
            self.evaluations[run] = evaluate(model, data, rule, on_image=write, within=within)
        self.settings[run] = settings
        return self.evaluations[run]

    @property
    def first(self) -> str:
        """The run that the others are compared with."""
        return self.runs[0]

    @property
    def runs(self) -> list[str]:
        return list(self.evaluations)

    @property
    def common(self) -> dict[str, object]:
        """The settings that all runs share."""
        return {
            name: value
            for name, value in self.settings[self.first].items()
            if all(other.get(name) == value for other in self.settings.values())
        }

    def own(self, run: str) -> dict[str, object]:
        """The settings of a run that the runs do not all share."""
        return {name: value for name, value in self.settings[run].items() if name not in self.common}

    @property
    def rows(self) -> list[dict]:
        """The first run's row of each image, with its id, patient and source."""
        return self.evaluations[self.first].rows

    @property
    def scored(self) -> bool:
        """Whether the images have a ground truth."""
        return self.evaluations[self.first].scored

    def dice(self, run: str) -> np.ndarray:
        """A run's Dice on each image, float [N]."""
        return np.array([row["dice"] for row in self.evaluations[run].rows])

    @property
    def agreement(self) -> np.ndarray:
        """Dice between the masks of two runs, float [pairs, N]; pairs in the order of `itertools.combinations`."""
        if self._agreement is None:
            with ThreadPoolExecutor(WORKERS) as pool:
                self._agreement = np.array(list(pool.map(self._agree, (row["id"] for row in self.rows)))).T
        return self._agreement

    @property
    def disagreement(self) -> np.ndarray:
        """1 - Dice between the masks of two runs, averaged over all pairs, float [N]: 0 where all masks are equal."""
        return 1 - self.agreement.mean(0)

    def line(self, run: str) -> str:
        """A run's scores in one line of text, and a line for what is wrong with its outputs."""
        means, faults = self.evaluations[run].means, self.evaluations[run].faults
        scores = "  ".join(f"{name} {x:.4f}" for name, x in means.items()) or "no ground truth"
        return "\n".join([f"{run}: {scores}", *(f"check the pictures: {fault}" for fault in faults.values())])

    def difference(self, run: str) -> dict | None:
        """Dice of a run minus Dice of the first, image by image (`util.score.summary.paired_difference`).

        None without a ground truth, and for the first run itself.
        """
        if not self.scored or run == self.first:
            return None
        patients = [row["patient"] for row in self.rows]
        return paired_difference(self.dice(run).tolist(), self.dice(self.first).tolist(), patients)

    def as_json(self) -> dict:
        """The contents of compare.json: everything but the scores of single images."""
        pairs = zip(combinations(self.runs, 2), self.agreement.mean(1), strict=True)
        return {
            "images": len(self.rows),
            "runs": {
                run: {"settings": self.settings[run], "scores": evaluation.summary, "difference": self.difference(run)}
                for run, evaluation in self.evaluations.items()
            },
            "mean disagreement": float(self.disagreement.mean()),
            "mean Dice of two runs with each other": [[*pair, float(dice)] for pair, dice in pairs],
        }

    def write_csv(self, path: Path) -> None:
        """Write one line per image: the disagreement of the runs, and each run's Dice and IoU."""
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, lineterminator="\n")
            scores = [(score, run) for run in self.runs for score in ("dice", "iou")] if self.scored else []
            writer.writerow(["id", "patient", "source", "disagreement", *(f"{score} {run}" for score, run in scores)])
            for i, (row, apart) in enumerate(zip(self.rows, self.disagreement, strict=True)):
                values = [f"{self.evaluations[run].rows[i][score]:.6g}" for score, run in scores]
                writer.writerow([row["id"], row["patient"], row["source"], f"{apart:.6g}", *values])

    def _mask(self, run: str, name: str) -> Path:
        return self.folder / "masks" / run / f"{name}.png"

    def _agree(self, name: str) -> list[float]:
        masks = [np.asarray(Image.open(self._mask(run, name))) for run in self.runs]
        return [float(metrics.scores(metrics.counts(a, b))["dice"]) for a, b in combinations(masks, 2)]


def _small_mask(mask: np.ndarray) -> np.ndarray:
    return small(mask * np.uint8(255), SIDE) > 127
