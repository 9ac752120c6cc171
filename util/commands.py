"""Parts of commands that messages print to be copied, written as a shell reads them."""

import shlex
from pathlib import Path

CHECKPOINTS_DIR = "./checkpoints"
"""The default of --checkpoints_dir."""


def quoted(word: str | Path) -> str:
    """A name or path as one word of a command."""
    return shlex.quote(str(word))


def where(checkpoints_dir: str | Path) -> str:
    """The flag for the folder of all runs, after a space; "" if it is the default."""
    return "" if Path(checkpoints_dir) == Path(CHECKPOINTS_DIR) else f" --checkpoints_dir {quoted(checkpoints_dir)}"


def named(name: str, checkpoints_dir: str | Path) -> str:
    """The flags that name a run."""
    return f"--name {quoted(name)}{where(checkpoints_dir)}"
