"""Dice and IoU of the training steps themselves, counted on the device."""

from collections.abc import Mapping

import torch

from util.score import metrics


class RunningScores:
    """Scores what the generator put out in each step against that step's target, at no cost worth naming.

        running = RunningScores(loader.dataset, threshold=0.5)
        for batch in ...: model.train_step(batch); running.add(model.pictures())
        row = running.means()  # {"train_dice": 0.91, "train_iou": 0.85}

    These are not scores of one network: images are augmented, dropout is alive, and the weights change from step to
    step. Means over images as in validation. Data without two classes or without pairs gives no scores: there
    `real_B` is no truth of `fake_B`.
    """

    def __init__(self, dataset, threshold: float = 0.5):
        self._classes = dataset.classes if dataset.paired else None
        self._threshold = threshold
        self._counts: list[torch.Tensor] = []

    def add(self, pictures: Mapping[str, torch.Tensor]) -> None:
        """Count one step: `fake_B` and `real_B`, float [N, C, H, W] in [-1, 1]. Does not wait for the device."""
        if self._classes is None or not self._classes.binary or not pictures:
            return
        with torch.no_grad():
            found = (self._classes.foreground(pictures["fake_B"]) >= self._threshold).flatten(1)
            truth = (self._classes.foreground(pictures["real_B"]) >= 0.5).flatten(1)
            tp, predicted, actual = (x.sum(1) for x in (found & truth, found, truth))
            fp, fn = predicted - tp, actual - tp
            self._counts.append(torch.stack([tp, fp, fn, found.shape[1] - tp - fp - fn]))

    def means(self) -> dict[str, float]:
        """Means over the images since the last call, {} where nothing was counted. Waits for the device once."""
        if not self._counts:
            return {}
        counted = torch.cat(self._counts, 1).cpu().numpy()
        self._counts = []
        scores = metrics.scores(metrics.Counts(*counted))
        return {f"train_{name}": float(scores[name].mean()) for name in ("dice", "iou")}
