"""Fixtures every test may use."""

import importlib.util
import json
import os
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real X-rays, facades and weights (see README); skips where PIX2MASK_DATA is unset."""
    folder = os.environ.get("PIX2MASK_DATA")
    if not folder:
        pytest.skip("PIX2MASK_DATA is not set: no real data on this machine")
    return Path(folder)


@pytest.fixture(scope="session")
def script():
    """test.py as a module; a plain import would meet the standard library's own `test`."""
    spec = importlib.util.spec_from_file_location("test_script", Path(__file__).parent.parent / "test.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Call train.py; returns the run's folder, in tmp_path."""
    import train  # seconds: only for those who train

    def call(*flags: str, name: str = "run") -> Path:
        monkeypatch.setattr(sys, "argv", ["train.py", "--checkpoints_dir", str(tmp_path), "--name", name, *flags])
        assert train.main() == 0
        return tmp_path / name

    return call


@pytest.fixture
def apply(script, monkeypatch, tmp_path):
    """Call test.py on phase val of a run in tmp_path; returns its metrics.json."""

    def call(*flags: str, name: str = "run") -> dict:
        where = ["--checkpoints_dir", str(tmp_path), "--results_dir", str(tmp_path / "results"), "--name", name]
        monkeypatch.setattr(sys, "argv", ["test.py", *where, "--gpu_ids", "-1", "--phase", "val", *flags])
        assert script.main() == 0
        folder = max((tmp_path / "results" / name).iterdir(), key=lambda path: path.stat().st_mtime_ns)
        return json.loads((folder / "metrics.json").read_text())

    return call
