"""The folder that `python -m data.prepare` fills: whose it is."""

import json
from dataclasses import asdict
from pathlib import Path

from data.prepare.convert import Pixels
from data.prepare.source import Source
from util.errors import UserError
from util.files import write_json

STATE = ".prepare.json"
"""Written first: what the pictures in the folder show, and how they were made."""


def check_free(dst: Path, source: Source, pixels: Pixels, src: Path) -> None:
    """UserError unless DST is new, empty, or begun earlier by a set of the same kind with the same flags."""
    if dst.resolve().is_relative_to(src.resolve()) or src.resolve().is_relative_to(dst.resolve()):
        raise UserError(f"{dst}: SRC and DST lie in one another; name a DST beside {src}")
    if dst.exists() and not dst.is_dir():
        raise UserError(f"{dst}: a file, not a folder")
    state, wanted = dst / STATE, _state(source, pixels)
    if state.is_file():
        held = read_json(state)
        if held != wanted:
            raise UserError(
                f"{dst}: holds {_told(held)}; this run wants {_told(wanted)}: name another folder, or delete this one"
            )
    elif dst.is_dir() and any(dst.iterdir()):
        raise UserError(f"{dst}: not empty, and not begun by data.prepare; name a new folder")


def claim(dst: Path, source: Source, pixels: Pixels) -> None:
    """Make DST ours."""
    if not (dst / STATE).is_file():
        write_json(dst / STATE, _state(source, pixels))


def _state(source: Source, pixels: Pixels) -> dict[str, object]:
    return {"target": source.target} | asdict(pixels)


def read_json(path: Path) -> dict:
    """A file of this folder. UserError: it has been damaged."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except ValueError:
        raise UserError(f"{path}: damaged; delete {path.parent} and begin again") from None


def _told(state: dict[str, object]) -> str:
    flags = [
        f"--{key}" if value is True else f"--{key} {value}"
        for key, value in sorted(state.items())
        if key != "target" and value
    ]
    return f"{state.get('target')} {' '.join(flags) or 'without --size, --keep_bits and --clahe'}"
