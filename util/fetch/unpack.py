"""Unpack archives from the internet safely: nothing outside the folder, no links, no decompression bombs.

zipfile and tarfile's `data` filter write the files. The limits on sizes, and the refusal of whole archives with
suspicious names, are ours: the libraries would unpack the rest.
"""

import gzip
import io
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from tqdm import tqdm

from util.errors import UserError

MAX_FILES = 1_000_000
MAX_RATIO = 100
"""Largest ratio of unpacked to packed bytes. Pictures hardly shrink (masks do): a higher ratio means a bomb."""
ALWAYS = 64 << 20
"""Bytes that every archive may unpack to, whatever its ratio."""
CHUNK = 1 << 20


def check_archive(path: Path) -> None:
    """Raise UserError unless the file looks like a complete .zip or the beginning of a .tar.gz."""
    with path.open("rb") as file:
        start = file.read(2)
    if start != b"\x1f\x8b" and not zipfile.is_zipfile(path):
        raise UserError(f"{path}: neither a .tar.gz nor a whole .zip")


def unpack(archive: Path, folder: Path) -> int:
    """Unpack a .zip or a .tar.gz into `folder`, which is created; return the number of files.

    Raises UserError for a name that leads out of the folder, a link, a device, an encrypted or damaged archive, too
    many bytes or files, and a full disk. The caller removes what was unpacked until then.
    """
    limit = ALWAYS + MAX_RATIO * archive.stat().st_size
    members = _zip_members if zipfile.is_zipfile(archive) else _tar_members
    count = total = 0
    try:
        with tqdm(desc=f"unpacking {archive.name}", unit=" files", leave=False, disable=None) as bar:
            folder.mkdir(parents=True, exist_ok=True)
            for name, size, extract in members(archive, limit):
                if not _wanted(name, archive):
                    continue
                count, total = count + 1, total + size
                if count > MAX_FILES or total > limit:
                    raise UserError(
                        f"{archive}: unpacks to far more than pictures would (over {limit:,} bytes or "
                        f"{MAX_FILES:,} files); not unpacked"
                    )
                extract(path=folder)
                bar.update()
    except (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError, NotImplementedError) as error:
        raise UserError(f"{archive}: a damaged or unknown archive ({error}); delete it and fetch it again") from error
    except RuntimeError as error:  # zipfile raises it for a missing password
        raise UserError(f"{archive}: cannot be unpacked: {error}") from error
    except OSError as error:
        raise UserError(f"{archive}: not unpacked into {folder.parent}: {error.strerror or error}") from error
    if not count:
        raise UserError(f"{archive}: an archive without files")
    return count


Member = tuple[str, int, Callable[..., object]]
"""Name in the archive, unpacked size in bytes, and a function that extracts the file. Folders are not listed."""


def _zip_members(archive: Path, limit: int) -> Iterator[Member]:
    with zipfile.ZipFile(archive) as opened:
        members = opened.infolist()
        # These sizes can be trusted: zipfile never reads more of a member than its header says.
        if sum(member.file_size for member in members) > limit:
            raise UserError(f"{archive}: unpacks to far more than pictures would (over {limit:,} bytes); not unpacked")
        for member in members:
            # Some programs on Windows separate folders by backslashes. zipfile would make them part of a file's name.
            member.filename = member.filename.replace("\\", "/")
            kind = stat.S_IFMT(member.external_attr >> 16)
            if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
                raise UserError(f"{archive}: {member.filename!r} is a link or a device; not unpacked")
            if not member.is_dir():
                yield member.filename, member.file_size, partial(opened.extract, member)


def _tar_members(archive: Path, limit: int) -> Iterator[Member]:
    # Read as a stream, so that no more than `limit` bytes are ever decompressed, whatever the headers say.
    with gzip.open(archive) as packed, tarfile.open(fileobj=_Limited(packed, limit, archive), mode="r|") as opened:
        for member in opened:
            if not (member.isreg() or member.isdir()):
                raise UserError(f"{archive}: {member.name!r} is a link or a device; not unpacked")
            if member.isreg():
                yield member.name, member.size, partial(opened.extract, member, filter="data")


class _Limited(io.RawIOBase):
    """A file that raises UserError once more than `limit` bytes of it are read."""

    def __init__(self, file: IO[bytes] | gzip.GzipFile, limit: int, archive: Path):
        self._file, self._remaining, self._archive = file, limit, archive

    def read(self, size: int = -1) -> bytes:
        data = self._file.read(min(size, CHUNK) if size >= 0 else CHUNK)
        self._remaining -= len(data)
        if self._remaining < 0:
            raise UserError(f"{self._archive}: unpacks to far more than pictures would; not unpacked")
        return data


def _wanted(name: str, archive: Path) -> bool:
    """False for the files that macOS adds to archives. Raises UserError for a name that leads out of the folder."""
    parts = PurePosixPath(name).parts
    if "\\" in name or name[1:2] == ":" or name.startswith("/") or ".." in parts or not parts:
        raise UserError(f"{archive}: {name!r} leads out of the folder; not unpacked")
    return parts[0] != "__MACOSX" and parts[-1] != ".DS_Store" and not parts[-1].startswith("._")
