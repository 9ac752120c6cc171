"""Which image files a run has learnt from: train.py records them in the run's folder, test.py looks them up.

Only digests are written, so the record names no patient. A file has two: of its path, and of its size and some of its
bytes, so a renamed or copied file is known again.
"""

import base64
import hashlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from util.faults import is_fault
from util.files import write_text

RECORD = "learnt_from.txt"
PART = 1 << 16
"""Bytes read at the beginning and in the middle of a file."""


def record_learnt(folder: Path, files: Iterable[Path], earlier: Iterable[Path] = ()) -> None:
    """Record in a run's folder that it learns from these files. earlier: folders of runs whose weights it continues;
    what they learnt from is recorded, too."""
    record = {digest for file in files for digest in digests(file)}
    for other in earlier:
        record |= _read(other) or set()
    write_text(folder / RECORD, "".join(f"{digest}\n" for digest in sorted(record)))


def count_learnt(folder: Path, files: Iterable[Path]) -> int | None:
    """How many of these files the run in `folder` has learnt from; None if it recorded none."""
    if (record := _read(folder)) is None:
        return None
    return sum(not record.isdisjoint(digests(file)) for file in files)


def _read(folder: Path) -> set[str] | None:
    try:
        return {*(folder / RECORD).read_text(encoding="ascii").split()}
    except (OSError, UnicodeDecodeError) as error:
        if is_fault(error):
            raise
        return None


def digests(path: Path) -> Iterator[str]:
    """What a file is known by: its path, and its content. Nothing for an image that is no file, as a phantom is drawn
    in memory."""
    try:
        with path.open("rb") as file:
            size = os.fstat(file.fileno()).st_size
            content = file.read(PART)
            file.seek(max(PART, size // 2))
            content += file.read(PART)
    except OSError as error:
        if is_fault(error):
            raise
        return
    yield _digest(b"path", os.fsencode(path.resolve()))
    yield _digest(str(size).encode(), content)


def _digest(kind: bytes, content: bytes) -> str:
    """48 bits in 8 characters: one chance in a million for a mistake among 10,000 files."""
    return base64.urlsafe_b64encode(hashlib.blake2b(content, digest_size=6, person=kind[:16]).digest()).decode()
