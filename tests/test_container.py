"""The Dockerfile, as far as docker is not needed: what it copies exists, and no data gets into the image."""

import fnmatch
import re
import shutil
import subprocess
from pathlib import PurePosixPath

import pytest

from tests.helpers import ROOT

LINES = re.sub(r"\\\n", " ", (ROOT / "Dockerfile").read_text(encoding="utf-8")).splitlines()
IGNORED = [line for line in (ROOT / ".dockerignore").read_text().splitlines() if line and not line.startswith("#")]


def instructions(name: str) -> list[str]:
    return [line.removeprefix(name).strip() for line in LINES if line.startswith(f"{name} ")]


def test_every_file_that_is_copied_exists_and_is_not_ignored():
    copied = [word for line in instructions("COPY") for word in line.split()[:-1]]
    assert len(copied) > 5
    assert [name for name in copied if not (ROOT / name).exists()] == []
    assert [name for name in copied if name != "." and ignored(name)] == []


def ignored(name: str) -> bool:
    """Whether docker leaves a file out of the build: of the patterns that fit it or a folder it is in, the last one
    decides."""
    path, out = PurePosixPath(name), False
    for line in IGNORED:
        pattern = line.removeprefix("!").removeprefix("**/")
        folders = [str(part) for part in (path, *path.parents)]
        fits = (
            pattern in path.parts
            if line.startswith("**/")
            else any(
                fnmatch.fnmatchcase(part, pattern) and part.count("/") == pattern.count("/") for part in folders[:-1]
            )
        )
        out = not line.startswith("!") if fits else out
    return out


def test_the_program_gets_into_the_image_and_nothing_else():
    git = shutil.which("git")
    if not git or not (ROOT / ".git").exists():
        pytest.skip("not a clone")
    tracked = subprocess.run([git, "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.split()
    program = (
        "train.py",
        "hubconf.py",
        "README.md",
        "data/",
        "models/",
        "options/",
        "util/",
        "recipes/",
        "checkpoints/",
    )
    assert [name for name in tracked if name.startswith(program) and ignored(name)] == []
    left = (
        "scan.dcm masks/a.png datasets/lungs/a.png results/x/index.html checkpoints/my_lungs/latest_net_G.pth my.html"
    )
    others = f"{left} .git/config .venv/bin/python downloads/a.zip data/__pycache__/a.pyc tests/conftest.py".split()
    assert [name for name in others if not ignored(name)] == []


def test_the_program_runs_as_a_user_without_rights():
    assert instructions("USER") == ["1000"]
    assert LINES.index("USER 1000") > max(number for number, line in enumerate(LINES) if line.startswith("RUN "))


def test_packages_are_those_of_make_setup():
    (install,) = [line for line in instructions("RUN") if "pip install" in line]
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for words in (
        "pip==25.3",
        "--constraint requirements.lock --build-constraint constraints.txt",
        "^torch(vision)?==",
    ):
        assert words in install
        assert words in makefile


@pytest.mark.parametrize("line", instructions("RUN"))
def test_every_run_line_is_a_shell_command(line):
    subprocess.run([shutil.which("sh") or "sh", "-n", "-c", line], check=True)
