"""Long runs of segment.py: killed and repeated, in several processes, over thousands of images."""

import os
import sys
from pathlib import Path

import pytest
from PIL import Image

from data.phantom.chests import chest
from tests.helpers import ROOT, python, read_table, save_run, words

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot copy a process")


@pytest.fixture
def flags(tmp_path) -> list[str]:
    """The command line of segment.py for 120 drawn X-rays in three folders, without --out."""
    save_run(tmp_path / "ck", "tiny", *words("--netG unet_64 --ngf 4 --crop_size 64 --dataset_mode masks"))
    for i in range(120):
        path = tmp_path / "scans" / "abc"[i % 3] / f"x{i // 3}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(chest(i, size=64)[0]).save(path)
    return ["tiny", str(tmp_path / "scans"), "--checkpoints_dir", str(tmp_path / "ck"), "--gpu_ids", "-1"]


def rows_of(out: Path) -> list[dict[str, str]]:
    """The lines of all manifests in a folder, by path, without the time that each image took."""
    rows = [row | {"seconds": ""} for part in out.glob("manifest*.csv") for row in read_table(part)]
    return sorted(rows, key=lambda row: row["path"])


def files_of(out: Path) -> dict[str, bytes]:
    return {p.relative_to(out).as_posix(): p.read_bytes() for p in out.rglob("*") if p.suffix in (".png", ".json")}


def check_same(out: Path, whole: Path) -> None:
    assert rows_of(out) == rows_of(whole)
    assert files_of(out) == files_of(whole)
    assert not [p for p in out.rglob(".*") if not p.name.startswith(".lock")], "nothing unfinished is left"


@pytest.fixture
def whole(flags, tmp_path) -> Path:
    """The result of a command that nobody disturbed."""
    done = python("segment.py", *flags, "--out", tmp_path / "whole")
    assert done.returncode == 0, done.stderr
    assert len(rows_of(tmp_path / "whole")) == 120
    return tmp_path / "whole"


@pytest.mark.slow
@pytest.mark.skipif(not Path("/proc/self/task").exists(), reason="finds processes in /proc")
def test_ten_kills_lose_nothing_and_do_nothing_twice(flags, whole, tmp_path):
    done = python("-m", "tests.segment_kills", tmp_path / "out", *flags)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("10 kills, after ")
    check_same(tmp_path / "out", whole)


@pytest.mark.slow
def test_two_processes_write_what_one_does(flags, whole, tmp_path):
    environments = [os.environ | {"RANK": str(rank), "WORLD_SIZE": "2"} for rank in (0, 1)]
    command = [sys.executable, "segment.py", *flags, "--out", str(tmp_path / "out")]
    import subprocess

    both = [subprocess.Popen(command, cwd=ROOT, env=environment) for environment in environments]
    assert [process.wait(300) for process in both] == [0, 0]
    shares = [len(read_table(tmp_path / "out" / f"manifest_{rank}_of_2.csv")) for rank in (0, 1)]
    assert min(shares) > 30
    check_same(tmp_path / "out", whole)
    done = python("segment.py", *flags, "--out", tmp_path / "out")  # one process goes on with what two began
    assert ": 0 images, 120 from before" in done.stdout
    check_same(tmp_path / "out", whole)


@pytest.mark.slow
def test_torchrun_finishes_all_shares_though_one_has_a_bad_image(flags, tmp_path):
    (tmp_path / "scans" / "a" / "x0.png").write_bytes(b"no image")
    command = ["-m", "torch.distributed.run", "--standalone", "--nproc_per_node", "2", "segment.py"]
    done = python(*command, *flags, "--out", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    rows = rows_of(tmp_path / "out")
    assert len(rows) == 120
    assert [row["path"] for row in rows if row["error"]] == [str(tmp_path / "scans" / "a" / "x0.png")]
    assert "left out: " in done.stderr
