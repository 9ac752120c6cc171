"""The images that segment.py is asked for: files, folders, lists of files, or lines on stdin. None is listed whole."""

import os
import sys
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from data.read.headers import is_dicom
from data.read.images import EXTENSIONS, raise_error, without_extension
from util.errors import UserError

STDIN = "-"


@dataclass(frozen=True)
class Found:
    """An image, and where its mask goes: a path below --out, without `_mask` and extension. Equal for equal images on
    every machine, so that processes can share them out."""

    path: Path
    name: str

    def share(self, processes: int) -> int:
        """Which of so many processes segments it. It follows from the name alone, so it needs no list of all images."""
        return zlib.crc32(self.name.encode("utf-8", "surrogateescape")) % processes


class Sources:
    """The images that words of the command line mean, again at every iteration unless they come from stdin.

    words: a file, a folder, @LIST (a file that holds one path a line), or - for paths on stdin. without: a folder that
    is left out of other folders: that of the masks. UserError: a word means no file or folder, or - with others.
    """

    def __init__(self, words: Sequence[str], without: Path | None = None) -> None:
        self._words, self._without = words, without and without.resolve()
        self.from_stdin = STDIN in words
        if self.from_stdin and len(words) > 1:
            raise UserError(f"PATH {STDIN}: paths come from stdin, so name no others")
        for word in () if self.from_stdin else words:
            path = Path(word.removeprefix("@"))
            if word.startswith("@") and not Path(word).exists():
                if not path.is_file():
                    raise UserError(f"{word}: {'a folder' if path.exists() else 'no such file'}; want a list of paths")
            elif not Path(word).exists():
                raise UserError(f"{word}: no such file or folder")
        self.are_files = not self.from_stdin and all(Path(word).is_file() for word in words)

    def __iter__(self) -> Iterator[Found]:
        if self.from_stdin:
            yield from _of_lines(sys.stdin)
        for word in () if self.from_stdin else self._words:
            path = Path(word)
            if path.is_dir():
                above = Path(_as_given(path)) if len(self._words) > 1 else Path()
                yield from (Found(each.path, str(above / each.name)) for each in _below(path, self._without))
            elif path.is_file():
                yield Found(path, _as_given(without_extension(path if len(self._words) > 1 else Path(path.name))))
            else:
                with Path(word.removeprefix("@")).open(encoding="utf-8", errors="surrogateescape") as lines:
                    yield from _of_lines(lines)


def _of_lines(lines: Iterable[str] | TextIO) -> Iterator[Found]:
    for number, line in enumerate(lines, 1):
        if "\0" in line:
            raise UserError(f"line {number} of the list of paths is no text in UTF-8, as of PowerShell's >: convert it")
        if text := line.removeprefix("\ufeff").rstrip("\r\n"):  # editors on Windows begin a file with this mark
            yield Found(Path(text), _as_given(without_extension(Path(text))))


def _as_given(path: Path) -> str:
    """A path to go below another folder: without root, drive, and steps upwards."""
    return str(Path(*(part for part in path.parts if part not in (path.anchor, "..", "."))))


def _below(folder: Path, without: Path | None) -> Iterator[Found]:
    """The images in or below a folder, in a fixed order; names are relative to it. Only one folder is listed at a time.

    Hidden ones and x_mask.png beside x.png are left out. Images of one name in a folder keep their extension in it.
    """
    seen: set[str] = set()  # a link to a parent folder would otherwise be followed for ever
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=raise_error):
        seen.add(os.path.realpath(parent))
        real = {name: os.path.realpath(os.path.join(parent, name)) for name in folders if name[0] != "."}
        folders[:] = sorted(name for name, path in real.items() if path not in seen and Path(path) != without)
        images = [path for name in sorted(files) if name[0] != "." and _is_image(path := Path(parent, name))]
        stems = Counter(without_extension(path).name.casefold() for path in images)
        for path in images:
            stem = without_extension(path)
            if stem.name.casefold().removesuffix("_mask") in stems and stem.name.casefold().endswith("_mask"):
                continue
            twins = stems[stem.name.casefold()] > 1
            name = stem.with_name(path.name.replace(".", "_")) if twins else stem
            yield Found(path, name.relative_to(folder).as_posix())


def _is_image(path: Path) -> bool:
    return path.suffix.lower() in EXTENSIONS or is_dicom(path)
