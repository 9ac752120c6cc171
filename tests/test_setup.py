"""Set-up: packages have reasons and pinned releases, a second `make setup` installs nothing, errors are one line."""

import re
import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from tests.helpers import ROOT

MAKE = shutil.which("make")
needs_make = pytest.mark.skipif(MAKE is None, reason="make is not installed")


def setup(venv: Path, *variables: str) -> subprocess.CompletedProcess:
    command = [MAKE, "--no-print-directory", "setup", f"VENV={venv}", *variables]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True)


def checksum() -> str:
    """What `make setup` stamps an environment with."""
    both = (ROOT / "requirements.lock").read_bytes() + (ROOT / "constraints.txt").read_bytes()
    return subprocess.run([shutil.which("cksum")], input=both, capture_output=True).stdout.decode()


def direct_requirements() -> list[Requirement]:
    """The packages that pix2mask and its extras name."""
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    lines += [line for extra in project["optional-dependencies"].values() for line in extra]
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def test_every_requirement_is_a_range_and_has_its_reason():
    above = ""
    for line in (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            assert re.fullmatch(r"[\w-]+>=[\d.]+(,<[\d.]+)?", line), line
            assert above.startswith("#"), f"{line}: no comment above says why"
        above = line


def test_the_lock_pins_one_release_of_each_requirement_within_its_range():
    lines = (ROOT / "requirements.lock").read_text(encoding="utf-8").splitlines()
    pinned = {}
    for line in lines:
        if not line.startswith("#"):
            assert re.fullmatch(r"[\w.-]+==[\w.]+", line), f"{line}: neither a path nor a host may be named here"
            name, release = line.split("==")
            pinned[canonicalize_name(name)] = release
    for requirement in direct_requirements():
        assert pinned[canonicalize_name(requirement.name)] in requirement.specifier, requirement


@needs_make
def test_nothing_is_installed_where_the_same_releases_are(tmp_path):
    venv = tmp_path / "shared environment"  # without a Python: any attempt to install would fail
    venv.mkdir()
    (venv / "pix2mask.installed").write_text(checksum())
    done = setup(venv, "PYTHON=false")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@needs_make
def test_other_releases_are_installed(tmp_path):
    (tmp_path / "pix2mask.installed").write_text("1 2")
    assert setup(tmp_path, "PYTHON=false").returncode == 2


@needs_make
def test_an_old_python_is_refused_in_one_line(tmp_path):
    old = tmp_path / "python3.10"  # a Python whose version check fails
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)
    done = setup(tmp_path / "venv", f"PYTHON={old}")
    assert done.stderr.startswith(f"error: {old} is not Python 3.11 or newer; name one: make PYTHON=python3.12\n")
    assert not (tmp_path / "venv").exists()
