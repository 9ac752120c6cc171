"""Set-up: what is installed is pinned and explained, a second `make setup` installs nothing, errors are one line."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
needs_make = pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")


def setup(venv, *variables):
    command = ["make", "--no-print-directory", "setup", f"VENV={venv}", *variables]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def checksum():
    both = (ROOT / "requirements.txt").read_bytes() + (ROOT / "constraints.txt").read_bytes()
    return subprocess.run(["cksum"], input=both, capture_output=True).stdout.decode()


def test_every_requirement_is_pinned_and_has_its_reason():
    above = ""
    for line in (ROOT / "requirements.txt").read_text().splitlines():
        if line and not line.startswith("#"):
            assert re.fullmatch(r"[\w-]+==[\d.]+", line), line
            assert above.startswith("#"), f"{line}: no comment above says why"
        above = line


@needs_make
def test_nothing_is_installed_where_the_same_requirements_are(tmp_path):
    venv = tmp_path / "shared environment"  # no Python in it: any attempt to install would fail
    venv.mkdir()
    (venv / "pix2mask.installed").write_text(checksum())
    done = setup(venv, "PYTHON=false")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_make
def test_other_requirements_are_installed(tmp_path):
    (tmp_path / "pix2mask.installed").write_text("1 2")
    assert setup(tmp_path, "PYTHON=false").returncode == 2


@needs_make
def test_python_too_old_is_told_in_a_line(tmp_path):
    old = tmp_path / "python3.10"  # a Python whose version check fails
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = setup(tmp_path / "venv", f"PYTHON={old}")
    assert done.stderr.startswith(f"error: {old} is not Python 3.11 or newer; name one: make PYTHON=python3.12\n")
    assert not (tmp_path / "venv").exists()
