"""Pictures of the forgetting page: some inputs of each task, and the outputs of every network for them."""

from pathlib import Path

import numpy as np
import torch

from util.contracts import ClassMap, ScoredData
from util.forgetting.measure import Measured, score_name
from util.show.pictures import save_png, to_picture

NAMES = {"dice": "Dice", "miou": "mIoU", "ssim": "SSIM to its own first outputs"}
"""Of the measures that can be a task's score."""


class Pictures:
    """Some inputs of each task, evenly chosen, and each network's outputs for them; written to <folder>/images.

    rows: [task][ID of the image][label] -> file, text below it. classes: of each task's ground truth.
    """

    def __init__(self, folder: Path, most: int):
        self.folder, self.most = folder, most
        self.rows: dict[int, dict[str, dict[str, tuple[Path, str]]]] = {}
        self.classes: dict[int, ClassMap | None] = {}

    def add(self, task: int, data: ScoredData, label: str, measured: Measured) -> None:
        """Show a network's outputs for a task. Pictures that were added under this label before are kept."""
        rows = self.rows.setdefault(task, {})
        self.classes[task] = data.classes
        for index in np.unique(np.linspace(0, len(data) - 1, self.most).round().astype(int)).tolist():
            name = data.ids[index]
            cells = rows.setdefault(name, {})
            if not cells:
                item = data[index]
                self._save(task, name, cells, "input", item["A"])
                if data.has_targets:
                    self._save(task, name, cells, "truth", item["B"])
            if label not in cells:
                row = measured.evaluation.rows[index]
                which = score_name(row)
                score = f"{NAMES[which]} {row[which]:.2f}" if which in row else ""
                self._save(task, name, cells, label, measured.outputs[index], score)

    def _save(self, task: int, name: str, cells: dict, label: str, image: torch.Tensor, score: str = "") -> None:
        path = Path("images") / f"{task}_{name}_{len(cells)}.png"
        save_png(self.folder / path, to_picture(image))
        cells[label] = path, score
