"""Commands, flags, links and file names in the pages exist."""

import itertools
import re
import subprocess
import sys

import pytest

from data import DATASETS
from models import MODELS
from options import forgetting as forgetting_options
from options import segment as segment_options
from options import test as test_options
from options import train as train_options
from options.runs import resolve_compared, resolve_named
from tests.helpers import ROOT, commands

PLACES = (
    "*.md",
    ".github/**/*.md",
    "docs/*.md",
    "recipes/*.md",
    "benchmarks/*.md",
    "checkpoints/facades_photo2label/*.md",
)
PAGES = sorted(str(path.relative_to(ROOT)) for place in PLACES for path in ROOT.glob(place))
SCRIPTS = {
    "train.py": train_options.parse,
    "test.py": lambda words: (resolve_compared if "--compare" in words else resolve_named)(
        test_options.TEST.typed(words)
    ),
    "forgetting.py": forgetting_options.parse,
    "segment.py": segment_options.parse,
}
SCRIPT_COMMANDS = [words for page in PAGES for words in commands(page) if words[0] in SCRIPTS]


def test_the_readme_shows_many_commands_in_at_most_150_lines():
    assert len(commands("README.md")) > 8
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150


def named(words: list[str]) -> list[str]:
    """The runs that a command names."""
    names = words[words.index("--name") + 1].split(",") if "--name" in words else []
    names += words[1].split(",") if words[0] == "segment.py" else []
    after = words[words.index("--compare") + 1 :] if "--compare" in words else []
    return names + list(itertools.takewhile(lambda word: not word.startswith("--"), after))


@pytest.mark.parametrize("words", SCRIPT_COMMANDS, ids=" ".join)
def test_every_command_of_a_page_parses(words, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "recipes").symlink_to(ROOT / "recipes")
    for name in named(words):  # a run that is continued or tested must exist
        (tmp_path / "checkpoints" / name).mkdir(parents=True)
        if words[0] == "segment.py":  # a run makes masks if it recorded what they mean
            (tmp_path / "checkpoints" / name / "options.json").write_text('{"classes": "lungs", "model": "pix2pix"}')
    parse = SCRIPTS[words[0]]
    if "--help" in words:
        with pytest.raises(SystemExit, match="0"):
            parse(words[1:])
        assert ("examples:" if words[1:] == ["--help"] else "--lambda_L1") in capsys.readouterr().out
    else:
        assert parse(words[1:])


@pytest.mark.parametrize("words", [c for c in commands("README.md") if c[0] == "-m"], ids=" ".join)
def test_every_module_of_the_readme_has_the_flags_shown(words):
    """The help of a module, or of its sub-command if it has any, names every flag."""
    module = [word for word in words[:3] if not word.startswith("--")]
    done = subprocess.run([sys.executable, *module, "--help"], cwd=ROOT, capture_output=True, text=True, check=True)
    for flag in (word for word in words if word.startswith("--")):
        assert flag in done.stdout


def _flags_in_help(script: str, words: list[str], capsys: pytest.CaptureFixture[str]) -> set[str]:
    with pytest.raises(SystemExit, match="0"):
        SCRIPTS[script](["--help", *words])
    return set(re.findall(r"^  (--\w+)", capsys.readouterr().out, re.M))


def test_docs_flags_lists_exactly_the_flags_of_train_and_test(capsys):
    page = (ROOT / "docs" / "flags.md").read_text(encoding="utf-8")
    first_cells = re.findall(r"^\| (`--.*?) \|", page, re.M)
    listed = {flag for cell in first_cells for flag in re.findall(r"`(--\w+)`", cell)}
    choices = [["--model", name] for name in MODELS] + [["--dataset_mode", name] for name in DATASETS]
    actual = {
        flag
        for script in ("train.py", "test.py")
        for words in choices
        for flag in _flags_in_help(script, words, capsys)
    }
    assert listed == actual


@pytest.mark.parametrize("page", PAGES)
def test_every_relative_link_of_a_page_leads_to_a_file(page):
    targets = re.findall(r"\]\(([^)\s]+)\)", (ROOT / page).read_text(encoding="utf-8"))
    files = [target.partition("#")[0] for target in targets if not re.match(r"[a-z]+:|#", target)]
    assert [file for file in files if not ((ROOT / page).parent / file).exists()] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_file_of_the_project_that_a_page_names_exists(page):
    """Seen from the project's folder or from the page's."""
    text = (ROOT / page).read_text(encoding="utf-8")
    programs = re.findall(r"[\w./-]*\w\.py\b", text)
    others = re.findall(r"\b(?:benchmarks|docs|recipes|util)/[\w/.-]+\.(?:json|md|png|txt)\b", text)
    folders = (ROOT, (ROOT / page).parent)
    named = {*programs, *others}
    assert sorted(name for name in named if not any((folder / name).is_file() for folder in folders)) == []


def test_every_name_that_the_overview_gives_for_a_file_is_in_it():
    """Written as `path/to/file.py`: `NAME`."""
    text = (ROOT / "docs" / "overview.md").read_text(encoding="utf-8")
    pairs = re.findall(r"`([\w/]+\.py)`:\s+`(\w+)`", text)
    assert len(pairs) > 8
    assert [(file, name) for file, name in pairs if not re.search(rf"\b{name}\b", (ROOT / file).read_text())] == []


@pytest.mark.parametrize("page", PAGES)
def test_every_module_that_a_page_names_with_dots_exists(page):
    """A module, a package, or something in a module."""
    text = (ROOT / page).read_text(encoding="utf-8")
    named = set(re.findall(r"\b(?:benchmarks|data|models|util)(?:\.[a-z_]+)+", text))
    paths = {name: ROOT.joinpath(*name.split(".")) for name in named}
    exists = {name: path.is_dir() or path.with_suffix(".py").is_file() for name, path in paths.items()}
    modules = {name: path.parent.with_suffix(".py") for name, path in paths.items() if not exists[name]}
    missing = [
        name
        for name, module in modules.items()
        if not (module.is_file() and re.search(rf"\b{name.rpartition('.')[2]}\b", module.read_text(encoding="utf-8")))
    ]
    assert sorted(missing) == []
