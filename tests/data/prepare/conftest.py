"""Small sets in the layouts in which their owners distribute them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.prepare.__main__ import main
from tests.data.prepare.helpers import MONTGOMERY, SHENZHEN


@pytest.fixture
def prepare(start) -> Callable[..., int | None]:
    """`python -m data.prepare` with these arguments. Raises its errors, returns its exit code."""
    return lambda *arguments: start(main, *arguments)


@pytest.fixture
def montgomery(tmp_path, save) -> Path:
    """Eight X-rays of 24 x 20 pixels with a mask for each lung, and the files that lie beside them in the archive."""
    root = tmp_path / "archive" / "MontgomerySet"
    random = np.random.default_rng(0)
    for number, ill in MONTGOMERY:
        name = f"MCUCXR_{number:04d}_{ill}.png"
        save(root / "CXR_png" / name, random.integers(0, 256, (24, 20), np.uint8))
        left, right = np.zeros((2, 24, 20), np.uint8)
        left[6:18, 12:18] = 255
        right[4:20, 2:8] = 255
        save(root / "ManualMask" / "leftMask" / name, left)
        save(root / "ManualMask" / "rightMask" / name, right)
        reading = root / "ClinicalReadings" / name.replace(".png", ".txt")
        reading.parent.mkdir(exist_ok=True)
        reading.write_text("Patient's Sex: F\nPatient's Age: 030Y\nnormal\n")
    (root / "CXR_png" / "Thumbs.db").write_bytes(b"x")
    (root / "NLM-MontgomeryCXRSet-ReadMe.pdf").write_bytes(b"%PDF")
    (tmp_path / "archive" / "__MACOSX").mkdir()
    (tmp_path / "archive" / "__MACOSX" / "._MCUCXR_0001_0.png").write_bytes(b"\0\5\x16\7")
    return root


@pytest.fixture
def shenzhen(tmp_path, save) -> Path:
    """Five X-rays of different sizes, one of them in colour, and four masks in a folder beside the set."""
    root = tmp_path / "downloads"
    for i, name in enumerate(SHENZHEN):
        image = np.full((20 + i, 24), 40 + i, np.uint8)
        save(root / "ChinaSet_AllFiles" / "CXR_png" / f"{name}.png", np.dstack([image] * 3) if i == 1 else image)
        if i < 4:
            mask = np.zeros((20 + i, 24), np.uint8)
            mask[5:15, 4:20] = 255
            save(root / "mask" / f"{name}_mask.png", mask)
    (root / "ChinaSet_AllFiles" / "ClinicalReadings").mkdir()
    (root / "ChinaSet_AllFiles" / "ClinicalReadings" / "CHNCXR_0001_0.txt").write_text("male 45yrs\nnormal\n")
    return root
