"""segment.py's record of what it has done: a CSV file with a line an image, from which a killed command goes on."""

from __future__ import annotations

import csv
import hashlib
import io
import os
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from io import FileIO
from pathlib import Path

from util.errors import UserError
from util.faults import is_fault, named, why
from util.files import read_json, replacing, write_json

JOB = "segment.json"
FROM = "from"
"""In `JOB`: the working directory of all commands so far; "" if they had several."""


@dataclass
class Row:
    """A line of the manifest. path: as it was found. sha256, bytes: of the file. width, height: of the image. mask: the
    first file of its mask, below the manifest's folder. area: foreground pixels. parts: of the foreground, touching at
    a side or a corner. confidence: see `models.apply.segmenter`; "" with more than two classes. expected_dice: see
    `util.score.trust.expected`; "" before the run was tested on its own val images. implausible: how the mask differs
    from all training masks, see `util.score.trust.plausible`; "" if it does not, or if the run has no record of them.
    task, task_distance: which of several tasks the image got and how far it is from that task's training images, see
    `models.apply.choosing`; "" without --task auto. seconds: to read, compute and write, without waiting. error: why
    there is no mask; "" if there is one."""

    path: str
    sha256: str = ""
    bytes: int | str = ""
    width: int | str = ""
    height: int | str = ""
    mask: str = ""
    area: int | str = ""
    parts: int | str = ""
    confidence: float | str = ""
    expected_dice: float | str = ""
    implausible: str = ""
    task: str = ""
    task_distance: float | str = ""
    seconds: float | str = ""
    error: str = ""


COLUMNS = [field.name for field in fields(Row)]


class Manifest:
    """<folder>/manifest.csv, or manifest_<rank>_of_<processes>.csv for each of several processes.

    Lines are only ever added. An image counts as done once its line is there, as long as its file is the one of that
    line and its masks exist; with `again` (--overwrite) only if that line has no error. So an image may get a second
    line, which then holds. Before its mask is written, its path goes to a hidden file beside: after a kill, a mask
    without a line is ours to write again if its image is in that file.

    same_folder: relative paths lead to the same files as when the lines were written.
    earlier: images that were done at the start. failed: those of them with an error.
    """

    def __init__(
        self, folder: Path, rank: int = 0, processes: int = 1, again: bool = False, same_folder: bool = False
    ) -> None:
        self.path = folder / (f"manifest_{rank}_of_{processes}.csv" if processes > 1 else "manifest.csv")
        self._begun_path = folder / f".{self.path.name}.begun"
        self._same_folder = same_folder
        self._done: dict[int, int] = {}  # hashes of paths, a third of their memory, to `_version` of their files
        self._failed: set[int] = set()  # of those without a mask
        self._masks: dict[int, int] | None = {} if again else None  # to the images that they are of
        self._began: set[int] = set()
        for part in self._parts(folder, rank, processes):
            self._read(part)
        if again:
            self._failed.clear()
        self.earlier, self.failed = len(self._done) + len(self._failed), len(self._failed)
        for begun in sorted(folder.glob(".manifest*.csv.begun")):
            text = begun.read_text(encoding="utf-8")
            self._began.update(hash(line) for line in text[: text.rfind("\n") + 1].splitlines())
        self._began -= self._done.keys()
        self._lines = self.path.open("ab", buffering=0)
        self._begun = self._begun_path.open("ab", buffering=0)
        if not self.path.stat().st_size:
            _append(self._lines, _csv(COLUMNS))

    def has_line(self, path: Path) -> bool:
        """Whether the image had a line when this process began."""
        return hash(shown(path)) in self._done or hash(shown(path)) in self._failed

    def is_done(self, path: Path, masks: Sequence[Path]) -> bool:
        """Whether the image had a line when this process began, and its file and its masks are still there as they
        were. masks: its files."""
        image = hash(shown(path))
        if image not in self._done:
            return image in self._failed
        return all(map(os.path.lexists, masks)) and self._is_same(path, masks)

    def is_ours(self, path: Path, masks: Sequence[Path]) -> bool:
        """Whether the masks of this image, which is not done, are ours to write: an earlier process was killed, or one
        of them was lost."""
        return hash(shown(path)) in self._began or self._is_same(path, masks)

    def _is_same(self, path: Path, masks: Sequence[Path]) -> bool:
        """Whether a file is the one of its line. One that is gone counts as such: its mask is still right."""
        version = self._done.get(hash(shown(path)))
        if version is None:
            return False
        try:
            found = path.stat()
            if found.st_size != version >> DIGEST:
                return False
            written = [mask.stat().st_mtime_ns for mask in masks if mask.exists()]
            # To read a long list of images again takes too long, so only where something is suspicious.
            if (path.is_absolute() or self._same_folder) and found.st_mtime_ns <= min(written, default=0):
                return True
            return _version(*describe(path)) == version
        except OSError as error:
            if is_fault(error):
                raise named(error, path) from error
            return True

    def holds(self, mask: Path, image: Path) -> bool:
        """With `again`, whether this mask, below the manifest's folder, is that of another image that is done."""
        own = hash(shown(image))
        return self._masks is not None and self._masks.get(hash(shown(mask)), own) != own

    def begin(self, paths: Iterable[Path]) -> None:
        """The masks of these images will be written now."""
        _append(self._begun, "".join(f"{shown(path)}\n" for path in paths).encode())

    def add(self, row: Row) -> None:
        """The masks of this image are written, or it has none."""
        _append(self._lines, _csv(asdict(row).values()))

    def close(self, finished: bool) -> None:
        """finished: every image has its line, so nothing that was begun is open. Then Parquet is written, too."""
        self._lines.close()
        self._begun.close()
        if finished:
            self._begun_path.unlink()
            write_parquet(self.path)

    def _parts(self, folder: Path, rank: int, processes: int) -> Iterator[Path]:
        """The files whose lines this process must know. Those of the other processes of the same division hold images
        that are none of its own."""
        for path in sorted(folder.glob("manifest*.csv")):
            match = re.fullmatch(r"manifest(?:_(\d+)_of_(\d+))?\.csv", path.name)
            if match and (path == self.path or int(match[2] or 1) != processes):
                yield path

    def _read(self, part: Path) -> None:
        with part.open("rb") as file:
            good = 0
            for line in file:
                values = next(csv.reader([line.decode(errors="replace")]), [])
                if not line.endswith(b"\n"):
                    break
                if len(values) != len(COLUMNS) or (good == 0 and values != COLUMNS):
                    raise UserError(f"{part}: {_what_else(values)}; take another --out")
                if good:
                    try:
                        self._note(Row(*values))
                    except ValueError as error:
                        raise UserError(f"{part}: damaged ({error}); take another --out") from error
                good += len(line)
        if part == self.path and good < part.stat().st_size:  # a kill has cut the last line short
            os.truncate(part, good)

    def _note(self, row: Row) -> None:
        """Note a line. An error after a mask changes nothing: the mask is still there."""
        image = hash(row.path)
        if not row.error:
            self._done[image] = _version(row.bytes, row.sha256)
            self._failed.discard(image)
            if self._masks is not None:
                self._masks[hash(row.mask)] = image
        elif image not in self._done:
            self._failed.add(image)


DIGEST = 64
"""Bits of a file's digest in its `_version`."""


def _version(size: int | str, sha256: str) -> int:
    """Size and digest of a file in one number. ValueError: they are none."""
    return int(size or 0) << DIGEST | int(sha256[: DIGEST // 4] or "0", 16)


def describe(path: Path) -> tuple[int | str, str]:
    """Size and SHA-256 of a file; "" if it cannot be read. OSError: the disk fails."""
    try:
        with path.open("rb") as file:
            return os.fstat(file.fileno()).st_size, hashlib.file_digest(file, "sha256").hexdigest()
    except OSError as error:
        if is_fault(error):
            raise named(error, path) from error
        return "", ""


def _what_else(values: Sequence[str]) -> str:
    """What a file is whose first other line has these values."""
    if "sha256" in values and (missing := [name for name in COLUMNS if name not in values]):
        return f"an older segment.py wrote it, without the column{'s' * (len(missing) > 1)} {', '.join(missing)}"
    return "not a manifest of segment.py, or damaged"


def shown(path: Path) -> str:
    """The path as one line of text, also where its name is none."""
    text = str(path)
    return text if text.isprintable() else ascii(text)[1:-1]


def check_job(folder: Path, job: dict[str, object]) -> bool:
    """Record which masks a folder holds. Returns whether all its masks were asked for from this process's working
    directory. UserError: it holds those of another run, or made in another way."""
    path, here = folder / JOB, str(Path.cwd())
    try:
        earlier = read_json(path)
    except FileNotFoundError:
        write_json(path, job | {FROM: here})
        return True
    except ValueError as error:
        raise UserError(f"{path}: damaged ({error}); take another --out") from error
    known = earlier if isinstance(earlier, dict) else {}
    began = known.pop(FROM, "")
    if known != job:
        other = [name for name in job if known.get(name) != job[name]]
        raise UserError(
            f"--out {folder}: it holds masks that were made in another way (see {', '.join(other) or 'all'} in "
            f"{path.name}); take another folder, or repeat that command to go on with it"
        )
    if began not in (here, ""):
        write_json(path, job | {FROM: ""})
    return began == here


def write_parquet(path: Path) -> None:
    """A manifest as Parquet beside it, if pyarrow is installed (the extra `parquet`). Memory does not grow with it."""
    try:
        import pyarrow as pa  # pyright: ignore[reportMissingImports]
        import pyarrow.csv as pc  # pyright: ignore[reportMissingImports]
        import pyarrow.parquet as pq  # pyright: ignore[reportMissingImports]
    except ImportError:
        return
    kinds = {"bytes": pa.int64(), "width": pa.int32(), "height": pa.int32(), "area": pa.int64(), "parts": pa.int32()}
    kinds |= {
        "confidence": pa.float64(),
        "expected_dice": pa.float64(),
        "task_distance": pa.float64(),
        "seconds": pa.float64(),
    }
    types = {name: kinds.get(name, pa.string()) for name in COLUMNS}
    lines = pc.open_csv(path, convert_options=pc.ConvertOptions(column_types=types))
    with replacing(path.with_suffix(".parquet"), "wb") as file, pq.ParquetWriter(file, lines.schema) as writer:
        for batch in lines:
            writer.write_batch(batch)


def _append(file: FileIO, text: bytes) -> None:
    try:
        file.write(text)
    except OSError as error:
        raise UserError(f"{file.name}: not written: {why(error)}") from error


def _csv(values: Iterable[object]) -> bytes:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(" ".join(str(value).splitlines()) for value in values)
    return text.getvalue().encode(errors="backslashreplace")
