"""The folder that `python -m data.prepare` fills: which set and which flags it belongs to."""

import contextlib
import hashlib
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from data.prepare.convert import Pixels
from data.prepare.source import Source
from data.read.folders import PREPARED as STATE
from util.errors import UserError
from util.files import read_json as read_any
from util.files import write_json

DIALECT = "runs"
SRC = "src"


def check_free(dst: Path, source: Source, pixels: Pixels, src: Path) -> None:
    """UserError unless DST is new, empty, or was begun by a set of the same target with the same flags; if
    SRC may be any folder, from the same one."""
    if dst.resolve().is_relative_to(src.resolve()) or src.resolve().is_relative_to(dst.resolve()):
        raise UserError(f"{dst}: SRC and DST lie in one another; name a DST beside {src}")
    if dst.exists() and not dst.is_dir():
        raise UserError(f"{dst}: a file, not a folder")
    if (dst / STATE).is_file():
        before, now = read_json(dst / STATE), _state(source, pixels, src)
        before.pop(DIALECT, None)
        if before.pop(SRC, "") != now.pop(SRC, ""):
            raise UserError(
                f"{dst}: holds the images of another folder than {src}: name another DST, or delete this one"
            )
        if before != now:
            clash = f"holds {_as_text(before)}; this run wants {_as_text(now)}"
            raise UserError(f"{dst}: {clash}: name another folder, or delete this one")
    elif dst.is_dir() and any(dst.iterdir()):
        raise UserError(f"{dst}: not empty, and not begun by data.prepare; name a new folder")


def check_dialect(dst: Path, dialect: str) -> None:
    """UserError if DST holds masks whose runs were read in another dialect (`data.prepare.run_lengths`)."""
    before = read_json(dst / STATE).get(DIALECT, "relative") if (dst / STATE).is_file() else dialect
    if before != dialect:
        raise UserError(
            f"{dst}: holds masks whose runs were read as {before}; they are {dialect}: name another folder, or delete "
            "this one"
        )


def claim(dst: Path, source: Source, pixels: Pixels, src: Path, dialect: str) -> None:
    """Mark DST as filled by this command."""
    if not (dst / STATE).is_file():
        write_json(dst / STATE, _state(source, pixels, src) | ({} if dialect == "relative" else {DIALECT: dialect}))


def _state(source: Source, pixels: Pixels, src: Path) -> dict[str, Any]:
    # DST may travel, and where this machine keeps SRC does not belong there.
    digest = hashlib.sha256(os.fsencode(src.resolve())).hexdigest()[:16]
    return {"target": source.target} | asdict(pixels) | ({SRC: digest} if source.any_folder else {})


def read_json(path: Path) -> dict:
    """Read a JSON file of the folder. UserError: it is damaged."""
    with contextlib.suppress(ValueError):
        if isinstance(contents := read_any(path), dict):
            return contents
    raise damaged(path)


def damaged(path: Path) -> UserError:
    """The error for a file of the folder that this command did not write like that."""
    return UserError(f"{path}: damaged; delete {path.parent} and begin again")


def _as_text(state: dict[str, Any]) -> str:
    flags = [
        f"--{key}" if value is True else f"--{key} {value}"
        for key, value in sorted(state.items())
        if key != "target" and value
    ]
    return f"{state.get('target')} {' '.join(flags) or 'without --size, --keep_bits and --clahe'}"
