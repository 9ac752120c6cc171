"""Data sets on disk for the tests of this room."""

from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

FLAGS = {
    "dataroot": "",
    "dataset_mode": "masks",
    "direction": "AtoB",
    "classes": None,
    "input_nc": 3,
    "output_nc": 3,
    "preprocess": "resize_and_crop",
    "load_size": 36,
    "crop_size": 32,
    "no_flip": False,
    "serial_batches": False,
    "batch_size": 1,
    "val_freq": 1,
    "early_stop": 0,
    "lr_policy": "linear",
    "num_threads": 2,
    "max_dataset_size": float("inf"),
    "cache_gb": 1.0,
    "skip_bad_files": False,
    "seed": 0,
    "source": "",
    "split_seed": 0,
    "fold": -1,
    "patient_regex": "",
    "unpaired": False,
    "train_images": 0,
    "intensity": "none",
    "clahe": False,
    "balance": None,
    "patch": 0,
}


@pytest.fixture
def flags() -> Callable[..., Namespace]:
    """Options as the scripts would give them, small sizes, with changes as keywords."""
    return lambda **changes: Namespace(**FLAGS | changes)


def write(path: Path, array: np.ndarray, **how: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(array).save(path, **how)
    return path


@pytest.fixture
def save() -> Callable[..., Path]:
    """Write an array as a picture, with the folders it needs."""
    return write


@pytest.fixture
def lungs(tmp_path: Path) -> Path:
    """Ten X-rays of 40 x 48 pixels with masks, without a list: each image is noise, its mask a box of its own."""
    root = tmp_path / "lungs"
    random = np.random.default_rng(0)
    for i in range(10):
        mask = np.zeros((48, 40), np.uint8)
        mask[10 + i : 30, 5 : 20 + i] = 255
        write(root / "images" / f"p{i}.png", random.integers(0, 256, (48, 40), np.uint8))
        write(root / "masks" / f"p{i}.png", mask)
    return root
