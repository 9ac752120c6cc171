"""Shared by tests of several rooms."""

import csv
import json
import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parent.parent


def words(flags: str) -> list[str]:
    """Flags as they are typed, to a list for a parser."""
    return flags.split()


def python(*words: object, cwd: Path = ROOT, **more) -> subprocess.CompletedProcess:
    """Run a script, or a module with -m, in a process of its own. more: arguments of subprocess.run."""
    env = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, **more)


def read_json(path: Path):
    return json.loads(path.read_text(encoding="utf-8"))


def read_table(path: Path) -> list[dict[str, str]]:
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def save_run(checkpoints: Path, name: str, *flags: str, seed: int = 0, epochs: tuple = ("latest",), **recorded):
    """A run as train.py leaves it, with random weights. Returns its model.

    epochs: those that are saved. recorded: further entries of options.json.
    """
    import torch  # takes seconds, so only where a test needs a model

    import options.test
    from models import create_model
    from options.script import as_dict
    from util.files import write_json
    from util.run.checkpoint import save_networks

    opt = options.test.parse(["--checkpoints_dir", str(checkpoints), "--name", name, "--gpu_ids", "-1", *flags])
    torch.manual_seed(seed)
    model = create_model(opt, torch.device("cpu"), training=False)
    for epoch in epochs:
        save_networks(checkpoints / name, epoch, model.networks)
    write_json(checkpoints / name / "options.json", as_dict(opt) | recorded)
    return model


def commands(page: str) -> list[list[str]]:
    """The commands of a page that begin with `python`, as lists of words without `python`.

    They are the page's indented lines, and text between backticks. A command with `...` cannot be run and is left out.
    """
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    return [
        shlex.split(line, comments=True)
        for match in re.findall(r"^ {4}python (.*)|`python ([^`]+)`", text, re.M)
        for line in match
        if line and "..." not in line
    ]
