"""Unpack archives that nobody has vouched for: nothing outside the folder, no links, no bombs."""

import gzip
import io
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from util.errors import UserError

MAX_FILES = 1_000_000
MAX_RATIO = 100
"""Unpacked to packed bytes. Pictures hardly shrink (masks do); beyond this and ALWAYS an archive is a bomb."""
ALWAYS = 64 << 20
"""Bytes that any archive may unpack to."""
CHUNK = 1 << 20


def check_archive(path: Path) -> None:
    """UserError unless the file looks like a whole .zip or the beginning of a .tar.gz."""
    with path.open("rb") as file:
        start = file.read(2)
    if start != b"\x1f\x8b" and not zipfile.is_zipfile(path):
        raise UserError(f"{path}: neither a .tar.gz nor a whole .zip")


def unpack(archive: Path, folder: Path) -> int:
    """Unpack a .zip or a .tar.gz into `folder`, which is made; returns the number of files.

    Raises UserError, with what was unpacked so far left for the caller to remove, for: a name that leads out of the
    folder, a link, a device, an encrypted or damaged archive, too much or too many, a full disk.
    """
    limit = ALWAYS + MAX_RATIO * archive.stat().st_size
    members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
    count = total = 0
    try:
        with tqdm(desc=f"unpacking {archive.name}", unit=" files", leave=False, disable=None) as bar:
            folder.mkdir(parents=True, exist_ok=True)
            for name, size, file in members(archive, limit):
                path = _inside(folder, name, archive)
                if path is None:
                    continue
                count, total = count + 1, total + size
                if count > MAX_FILES or total > limit:
                    raise UserError(
                        f"{archive}: unpacks to far more than pictures would (over {limit:,} bytes or "
                        f"{MAX_FILES:,} files); not unpacked"
                    )
                path.parent.mkdir(parents=True, exist_ok=True)
                with path.open("wb") as out:
                    shutil.copyfileobj(file, out, CHUNK)
                bar.update()
    except (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UserError(f"{archive}: a damaged or unknown archive ({error}); delete it and fetch it again") from error
    except RuntimeError as error:  # zipfile's word for a missing password
        raise UserError(f"{archive}: cannot be unpacked: {error}") from error
    except OSError as error:
        raise UserError(f"{archive}: not unpacked into {folder.parent}: {error.strerror or error}") from error
    if not count:
        raise UserError(f"{archive}: an archive without files")
    return count


Member = tuple[str, int, IO[bytes]]
"""Name in the archive, size unpacked in bytes, its content. Folders are made from the files' names."""


def _zip_members(archive: Path, limit: int) -> Iterator[Member]:
    """zipfile reads no more of a member than the size stated, so that the sizes can be believed."""
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        if sum(member.file_size for member in members) > limit:
            raise UserError(f"{archive}: unpacks to far more than pictures would (over {limit:,} bytes); not unpacked")
        for member in members:
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise UserError(f"{archive}: {member.filename!r} is a link or a device; not unpacked")
            if not member.is_dir():
                with opened.open(member) as file:
                    yield member.filename, member.file_size, file


def _tar_members(archive: Path, limit: int) -> Iterator[Member]:
    # As a stream, so that no more than `limit` bytes are ever decompressed, whatever the headers say.
    with gzip.open(archive) as packed, tarfile.open(fileobj=_Limited(packed, limit, archive), mode="r|") as opened:
        for member in opened:
            if not (member.isreg() or member.isdir()):
                raise UserError(f"{archive}: {member.name!r} is a link or a device; not unpacked")
            if member.isreg():
                yield member.name, member.size, opened.extractfile(member)


class _Limited(io.RawIOBase):
    def __init__(self, file: IO[bytes], limit: int, archive: Path):
        self._file, self._left, self._archive = file, limit, archive

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, CHUNK) if size >= 0 else CHUNK)
        self._left -= len(data)
        if self._left < 0:
            raise UserError(f"{self._archive}: unpacks to far more than pictures would; not unpacked")
        return data


def _inside(folder: Path, name: str, archive: Path) -> Path | None:
    """Where a member goes; None for what macOS leaves in archives. UserError for a name that leads elsewhere."""
    parts = PurePosixPath(name).parts
    if "\\" in name or name[1:2] == ":" or name.startswith("/") or ".." in parts or not parts:
        raise UserError(f"{archive}: {name!r} leads out of the folder; not unpacked")
    if parts[0] == "__MACOSX" or parts[-1] == ".DS_Store" or parts[-1].startswith("._"):
        return None
    # summer2winter_yosemite has times of day in its names, which Windows cannot write
    return folder.joinpath(*(part.replace(":", "_") if os.name == "nt" else part for part in parts))
