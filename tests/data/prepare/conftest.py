"""Small sets in the layouts in which their owners distribute them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from data.prepare.__main__ import main

MONTGOMERY = [(1, 0), (2, 0), (3, 0), (4, 0), (104, 1), (108, 1), (117, 1), (162, 1)]
"""Number and label: 3 and 117 are val, 4 is test in the published split."""


@pytest.fixture
def prepare(monkeypatch) -> Callable[..., int | None]:
    """`python -m data.prepare` with these arguments; errors are raised, the exit code is returned."""

    def run(*arguments: object) -> int | None:
        monkeypatch.setattr("sys.argv", ["data.prepare", *map(str, arguments)])
        return main()

    return run


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
