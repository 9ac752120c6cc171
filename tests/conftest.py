"""Fixtures that every test may use."""

import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import pytest

from tests.helpers import ROOT, read_json
from util.errors import let_threads_sleep

let_threads_sleep()
if hasattr(signal, "SIGHUP"):  # under nohup it is ignored, and the scripts that tests start would inherit that
    signal.signal(signal.SIGHUP, signal.SIG_DFL)


@pytest.fixture(scope="session")
def real_data() -> Path:
    """Folder of real X-rays, facades and weights (see README). Skips the test if PIX2MASK_DATA is not set."""
    folder = os.environ.get("PIX2MASK_DATA")
    if not folder:
        pytest.skip("PIX2MASK_DATA is not set: no real data on this machine")
    return Path(folder)


@pytest.fixture(scope="session")
def script() -> ModuleType:
    """test.py as a module. A plain `import test` would find the standard library's package of that name."""
    spec = importlib.util.spec_from_file_location("test_script", ROOT / "test.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def start(monkeypatch) -> Callable[..., int]:
    """Start a script in this process: start(main, "--name", "run") returns main's exit code."""

    def call(main: Callable[[], int], *flags: object) -> int:
        monkeypatch.setattr(sys, "argv", [main.__module__, *map(str, flags)])
        return main()

    return call


@pytest.fixture
def run(start, tmp_path) -> Callable[..., Path]:
    """Train with train.py: run("--netG", "unet_64", name="run") returns the run's folder, tmp_path / name."""
    import train  # takes seconds, so only where a test trains

    def call(*flags: str, name: str = "run", code: int = 0) -> Path:
        assert start(train.main, "--checkpoints_dir", tmp_path, "--name", name, *flags) == code
        return tmp_path / name

    return call


@pytest.fixture
def apply(start, script, tmp_path) -> Callable[..., Path]:
    """Test a run of tmp_path with test.py on the CPU: apply("--tta", name="run") returns the folder of results."""

    def call(*flags: str, name: str = "run", phase: str = "val", epoch: str = "latest") -> Path:
        where = ["--checkpoints_dir", tmp_path, "--results_dir", tmp_path / "results"]
        which = [*(["--name", name] if name else []), "--phase", phase, "--epoch", epoch]
        assert start(script.main, *where, *which, "--gpu_ids", "-1", *flags) == 0
        return max((tmp_path / "results").glob("*/*"), key=lambda folder: folder.stat().st_mtime_ns)

    return call


@pytest.fixture
def score(apply) -> Callable[..., dict]:
    """As `apply`, but returns metrics.json."""
    return lambda *flags, **which: read_json(apply(*flags, **which) / "metrics.json")
