"""A data set and a model small enough to compute their scores by hand."""

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from data.classes import Classes


class Pictures(Dataset):
    """A data set of which a test gives everything: each output of the network and each ground truth.

    outputs: float [C, h, w] in -1..1. truths: uint8 [H, W] or None. size: original size of an image without ground
    truth. spacings: mm per pixel of each image.
    """

    def __init__(
        self, outputs, truths, classes="lungs", ids=None, patients=None, sources=None, size=(8, 8), spacings=None
    ):
        self.outputs, self.truths, self.size = outputs, truths, size
        self.classes = Classes.load(classes) if classes else None
        self.ids = ids or [f"image{i}" for i in range(len(outputs))]
        self.patients = patients or self.ids
        self.sources = sources or [""] * len(outputs)
        self.has_targets = truths[0] is not None
        self.spacings = spacings or [None] * len(outputs)

    def __len__(self) -> int:
        return len(self.outputs)

    def __getitem__(self, index: int) -> dict:
        output = torch.as_tensor(np.asarray(self.outputs[index], np.float32))
        item = {"A": output, "size": torch.tensor(self.shape(index)), "index": index}
        return item | ({"B": output} if self.has_targets else {})

    def shape(self, index: int) -> tuple[int, int]:
        return self.truths[index].shape if self.has_targets else self.size

    def truth(self, index: int) -> np.ndarray | None:
        return self.truths[index] if self.classes else None

    def spacing(self, index: int) -> tuple[float, float] | None:
        return self.spacings[index]

    def image(self, index: int) -> np.ndarray:
        return np.full((*self.shape(index), 3), 100, np.uint8)

    def loader(self, batch_size: int = 2) -> DataLoader:
        return DataLoader(self, batch_size=batch_size)


class Echo:
    """A model that returns its input."""

    def translate(self, images: torch.Tensor) -> torch.Tensor:
        return images

    def companions(self, batch: dict) -> dict[str, torch.Tensor]:
        return {}


@pytest.fixture
def pictures() -> type[Pictures]:
    return Pictures


@pytest.fixture
def echo() -> Echo:
    return Echo()
