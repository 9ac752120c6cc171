"""What tests of several rooms use."""

import re
import shlex
from pathlib import Path

ROOT = Path(__file__).parent.parent


def commands(page: str) -> list[list[str]]:
    """The words of every command of a page that begins with `python`: of its indented lines, and those in a line of
    text between backticks. Those that leave something out (`...`) cannot be run."""
    text = (ROOT / page).read_text(encoding="utf-8").replace("\\\n", " ")
    return [
        shlex.split(line, comments=True)
        for found in re.findall(r"^ {4}python (.*)|`python ([^`]+)`", text, re.M)
        for line in found
        if line and "..." not in line
    ]
