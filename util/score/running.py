"""Dice and IoU of the training steps, counted on the device."""

from collections.abc import Mapping

import torch

from util.contracts import ScoredData
from util.score import metrics


class RunningScores:
    """Scores the generator's output of each training step against that step's target, at almost no cost.

        running = RunningScores(loader.dataset, threshold=0.5)
        for batch in ...: model.train_step(batch); running.add(model.pictures())
        row = running.means()  # {"train_dice": 0.91, "train_iou": 0.85}

    These are not scores of one network: images are augmented, dropout is on, and the weights change from step to step.
    As in validation they are means over images. Data without two classes has no scores, nor has unpaired data, whose
    `real_B` is not the ground truth of `fake_B`.
    """

    def __init__(self, dataset: ScoredData, threshold: float = 0.5):
        self._classes = dataset.classes if dataset.paired else None
        self._threshold = threshold
        self._counts: list[torch.Tensor] = []
        self._earlier: torch.Tensor | None = None  # counts of images before a resume, on the CPU

    def add(self, pictures: Mapping[str, torch.Tensor]) -> None:
        """Count one step: `fake_B` and `real_B`, float [N, C, H, W] in [-1, 1]. Does not wait for the device."""
        if self._classes is None or not self._classes.binary or not pictures:
            return
        with torch.no_grad():
            mask = (self._classes.foreground(pictures["fake_B"]) >= self._threshold).flatten(1)
            truth = (self._classes.foreground(pictures["real_B"]) >= 0.5).flatten(1)
            tp, predicted, actual = (x.sum(1) for x in (mask & truth, mask, truth))
            fp, fn = predicted - tp, actual - tp
            self._counts.append(torch.stack([tp, fp, fn, mask.shape[1] - tp - fp - fn]))

    def means(self) -> dict[str, float]:
        """Means over the images since the last call, {} if there were none. Waits for the device once."""
        counted = self._counted()
        self._counts, self._earlier = [], None
        if counted is None:
            return {}
        scores = metrics.scores(metrics.Counts(*counted.numpy()))
        return {f"train_{name}": float(scores[name].mean()) for name in ("dice", "iou")}

    def _counted(self) -> torch.Tensor | None:
        """The counts of all images since the last call of `means`, int [4, N] on the CPU; None without images."""
        parts = [] if self._earlier is None else [self._earlier]
        if self._counts:
            parts.append(torch.cat(self._counts, 1).cpu())
        return torch.cat(parts, 1) if parts else None

    def state_dict(self) -> dict[str, torch.Tensor]:
        """The counts since the last call of `means`. Waits for the device."""
        counted = self._counted()
        return {} if counted is None else {"counts": counted}

    def load_state_dict(self, state: Mapping[str, torch.Tensor]) -> None:
        """Count on from what `state_dict` returned. ValueError: it holds no counts."""
        self._earlier = state.get("counts")
        if self._earlier is not None and (self._earlier.dtype != torch.int64 or self._earlier.shape[:-1] != (4,)):
            raise ValueError("its counts of pixels are none")
