"""Data sets on disk for the tests of this room."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from options.train import TRAIN

SMALL = {"dataset_mode": "masks", "load_size": 36, "crop_size": 32, "num_threads": 2, "cache_gb": 1.0, "classes": None}


@pytest.fixture
def flags() -> Callable[..., Namespace]:
    """train.py's options for a pix2pix, with small images, and with changes as keywords."""

    def options(**changes: object) -> Namespace:
        values = SMALL | changes
        return Namespace(**TRAIN.default_values("pix2pix", str(values["dataset_mode"])) | values)

    return options


def write(path: Path, array: np.ndarray, **how: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **how)
    return path


@pytest.fixture
def save() -> Callable[..., Path]:
    """Write an array as a picture, and create its folder."""
    return write


@pytest.fixture
def lungs(tmp_path: Path) -> Path:
    """Ten X-rays of 40 x 48 pixels with masks, without splits.csv. Images are noise; each mask is another box."""
    root = tmp_path / "lungs"
    random = np.random.default_rng(0)
    for i in range(10):
        mask = np.zeros((48, 40), np.uint8)
        mask[10 + i : 30, 5 : 20 + i] = 255
        write(root / "images" / f"p{i}.png", random.integers(0, 256, (48, 40), np.uint8))
        write(root / "masks" / f"p{i}.png", mask)
    return root
