"""The Dockerfile, as far as docker is not needed: what it copies exists, and no data gets into the image."""

import fnmatch
import re
import shutil
import subprocess

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
    assert [name for name in copied if any(fnmatch.fnmatch(name, pattern) for pattern in IGNORED)] == []


def test_no_data_no_runs_and_no_environment_get_into_the_image():
    assert {".git", ".venv", "datasets", "results", "checkpoints/*"} <= {*IGNORED}
    kept = [line[1:] for line in IGNORED if line.startswith("!")]
    assert kept == ["checkpoints/facades_photo2label"]
    assert (ROOT / kept[0]).is_dir()


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
