"""Fixtures every test may use."""

import os
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real X-rays, facades and weights (see README); skips where PIX2MASK_DATA is unset."""
    folder = os.environ.get("PIX2MASK_DATA")
    if not folder:
        pytest.skip("PIX2MASK_DATA is not set: no real data on this machine")
    return Path(folder)
