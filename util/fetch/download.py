"""Fetch a file over HTTP: resumed where it was cut, checked, and in its place only once it is whole."""

import contextlib
import hashlib
import http.client
import json
import os
import shutil
import socket
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

from util.errors import UserError
from util.locks import locked

PAUSES = (1.0, 2.0, 4.0, 8.0)
"""Seconds to wait before the second try, the third, ..."""
SLOWEST = 1024
"""Bytes a second. A server that sends less over a whole timeout counts as stalled."""
CHUNK = 1 << 18


def fetch(
    url: str,
    to: Path,
    size: int | None = None,
    checksum: str | None = None,
    check: Callable[[Path], object] | None = None,
    timeout: float = 30,
    pauses: tuple[float, ...] = PAUSES,
) -> None:
    """Download `url` to `to`. What has come lies in `<to>.part` until all is there, and the next call goes on with it.

    size: bytes; checksum: `sha256:...` or `md5:...`; check: called with the whole file before it takes its place,
    raises UserError to refuse it; timeout: seconds without answer, or of next to nothing coming in.
    Raises UserError (with what to do by hand) for a file that cannot be had, is not what it should be, or has no room.
    """
    part = to.with_name(f"{to.name}.part")
    by_hand = f"or fetch it by hand and save it as {to}"
    with _writing(part):
        to.parent.mkdir(parents=True, exist_ok=True)
    for pause in (*pauses, None):
        try:
            _transfer(url, part, size, timeout)
            break
        except HTTPError as error:
            error.close()
            if error.code < 500 and error.code not in (408, 425, 429):
                raise UserError(
                    f"{url}: the server says {error.code} {error.reason}; look for the file on the web, "
                    f"save it as {to} and run this again"
                ) from error
            why = f"the server says {error.code} {error.reason}"
        except (OSError, http.client.HTTPException) as error:
            reason = error.reason if isinstance(error, URLError) else error
            why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
            if isinstance(reason, socket.gaierror):
                why, pause = f"cannot be reached from here ({why})", None
        if pause is None:
            kept = f" (what has come is kept in {part})" if part.is_file() else ""
            raise UserError(f"{url}: {why}; run this again later{kept}, {by_hand} and run this again")
        print(f"{url}: {why}; trying again in {pause:g} s", file=sys.stderr)
        time.sleep(pause)
    try:
        verify(part, size, checksum)
        if check:
            check(part)
    except UserError as error:
        _forget(part)
        raise UserError(f"{url}: {error}; nothing was kept: run this again, {by_hand}") from error
    with _writing(to):
        os.replace(part, to)
    _forget(part)


def verify(path: Path, size: int | None, checksum: str | None) -> None:
    """UserError unless the file has that many bytes and that checksum, as far as they are given."""
    if size is not None and path.stat().st_size != size:
        raise UserError(f"{path}: has {path.stat().st_size} bytes instead of {size}")
    if checksum is not None:
        algorithm, _, known = checksum.partition(":")
        if digest(path, algorithm) != known:
            raise UserError(f"{path}: wrong {algorithm} checksum, so not the file that it should be")


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Checksum of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process downloads into `folder`, and keep others waiting: two that append to one file, such
    as the processes of one training, would spoil it. Where the system has no such locks nobody waits."""
    with _writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
    with locked(folder, notice=f"{folder}: waiting for another download to end"):
        yield


def _transfer(url: str, part: Path, size: int | None, timeout: float) -> None:
    """One connection: add to `part` what is missing of it. OSError, HTTPException: the network's; try again."""
    have, validator = _begun(part, url)
    headers = {"User-Agent": "pix2mask", "Accept-Encoding": "identity"}
    if have:
        # Only if the file has not changed since: otherwise the server sends all of it.
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    try:
        response = urlopen(Request(url, headers=headers), timeout=timeout)
    except HTTPError as error:
        if error.code != 416 or not have:
            raise
        error.close()
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return  # it was whole, only not yet renamed
        _forget(part)
        raise ConnectionError("the server cannot go on where it stopped") from error
    with response:
        if response.status == 206 and not (response.headers.get("Content-Range") or "").startswith(f"bytes {have}-"):
            _forget(part)
            raise ConnectionError("the server sent another part of the file than it was asked for")
        start = have if response.status == 206 else 0
        length = response.headers.get("Content-Length") or ""
        total = start + int(length) if length.isdigit() else None
        if response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
            raise UserError(
                f"{url}: a web page came instead of the file (a login, a notice?); open it in a browser, "
                f"save the file as {part.with_suffix('')} and run this again"
            )
        if size is not None and total is not None and total != size:
            raise UserError(
                f"{url}: has {total} bytes instead of the {size} that pix2mask knows of: another file, not "
                "fetched; look whether its page names a new one"
            )
        missing, free = (total or start) - start, shutil.disk_usage(part.parent).free
        if missing > free:
            raise UserError(
                f"{part}: needs {missing:,} bytes more, but the disk has {free:,} free; make room, then run this again"
            )
        if not start:
            _begin(part, url, response.headers)
        got = _receive(response, part, start, total, timeout, Path(url).name)
    if got < (total or size or 0):
        raise ConnectionError(f"the connection was cut after {got:,} of {total or size:,} bytes")


def _receive(
    response: http.client.HTTPResponse, part: Path, start: int, total: int | None, timeout: float, name: str
) -> int:
    """Write the body into `part` from byte `start` on; returns how long the file then is."""
    bar = tqdm(desc=name, total=total, initial=start, unit="B", unit_scale=True, leave=False, disable=None)
    with bar, _writing(part), part.open("r+b") as file:
        file.truncate(start)
        file.seek(start)
        renewed, recent = time.monotonic(), 0
        while chunk := _read(response):
            file.write(chunk)
            bar.update(len(chunk))
            recent += len(chunk)
            if recent >= SLOWEST * timeout:
                renewed, recent = time.monotonic(), 0
            elif time.monotonic() - renewed > timeout:
                raise _NetworkError(f"less than {SLOWEST} bytes a second came for {timeout:g} seconds")
        return file.tell()


class _NetworkError(http.client.HTTPException):
    """A fault of the network, told apart from one of the disk, as OSError is both."""


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK)
    except TimeoutError as error:
        raise _NetworkError("the server stopped sending") from error
    except OSError as error:
        raise _NetworkError(error.strerror or str(error)) from error


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path}: not written: {error.strerror or error}; mend it (room, rights), then run this again"
        ) from error


def _begun(part: Path, url: str) -> tuple[int, str]:
    """How many bytes an earlier call left that can be gone on with, and the mark (ETag or date) of the file they are
    from; 0 if none."""
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
        if note["url"] == url and note["validator"]:
            return part.stat().st_size, note["validator"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return 0, ""


def _begin(part: Path, url: str, headers: http.client.HTTPMessage) -> None:
    """An empty `part`, and a note beside it that says of which file it is. A weak ETag does not promise equal bytes."""
    etag = headers.get("ETag") or ""
    validator = etag if etag and not etag.startswith("W/") else headers.get("Last-Modified")
    with _writing(part):
        _note(part).unlink(missing_ok=True)
        part.write_bytes(b"")
        _note(part).write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")


def _note(part: Path) -> Path:
    return part.with_name(f"{part.name}.json")


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _note(part).unlink(missing_ok=True)
