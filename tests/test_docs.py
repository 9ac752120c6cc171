"""The commands of README.md and docs/ are such as the scripts understand."""

import subprocess
import sys

import pytest

from data import DATASETS
from models import MODELS
from options import forgetting as forgetting_options
from options import test as test_options
from options import train as train_options
from tests.helpers import ROOT, commands

PAGES = ["README.md", *(f"docs/{path.name}" for path in sorted((ROOT / "docs").glob("*.md")))]
SCRIPTS = {
    "train.py": lambda words: train_options.parse(MODELS, DATASETS, words),
    "test.py": lambda words: test_options.parse_runs(MODELS, DATASETS, words),
    "forgetting.py": forgetting_options.parse,
}
TYPED = [words for page in PAGES for words in commands(page) if words[0] in SCRIPTS]


def test_readme_names_many_commands():
    assert len(commands("README.md")) > 8


@pytest.mark.parametrize("words", TYPED, ids=" ".join)
def test_the_flags_of_the_pages_exist(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    if "--name" in words:  # a run that is continued or part of an ensemble must be there
        for name in words[words.index("--name") + 1].split(","):
            (tmp_path / "checkpoints" / name).mkdir(parents=True)
    parse = SCRIPTS[words[0]]
    if "--help" in words:
        with pytest.raises(SystemExit, match="0"):
            parse(words[1:])
        assert "--lambda_L1" in capsys.readouterr().out
    else:
        assert parse(words[1:])


@pytest.mark.parametrize("words", [c for c in commands("README.md") if c[0] == "-m"], ids=" ".join)
def test_the_modules_of_the_readme_exist(words):
    """Their help, that of a sub-command if they have any, names every flag."""
    named = [word for word in words[:3] if not word.startswith("--")]
    done = subprocess.run([sys.executable, *named, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for flag in (word for word in words if word.startswith("--")):
        assert flag in done.stdout
