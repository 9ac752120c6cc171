"""Download a file over HTTP: continue after an interruption, check the file, and only then put it in its place."""

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
"""Seconds to wait before the second attempt, before the third, ..."""
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
    """Download `url` to `to`. An incomplete file is kept as `<to>.part`, which the next call continues.

    Args:
        size: in bytes.
        checksum: `sha256:...` or `md5:...`.
        check: called with the complete file before it is renamed to `to`; raises UserError to refuse the file.
        timeout: seconds without an answer, or with next to nothing coming in, after which an attempt fails.
        pauses: seconds between attempts.

    Raises:
        UserError: there is no such file, not the expected one, or no room for it; with advice how to get it by hand.
    """
    part = to.with_name(f"{to.name}.part")
    with _writing(part):
        to.parent.mkdir(parents=True, exist_ok=True)
    for pause in (*pauses, None):
        try:
            _transfer(url, part, size, timeout)
            break
        except (OSError, http.client.HTTPException) as error:
            _wait(error, url, to, part, pause)
    try:
        verify(part, size, checksum)
        if check:
            check(part)
    except UserError as error:
        _forget(part)
        raise UserError(f"{url}: {error}; nothing was kept: run this again, or {_by_hand(to)}") from error
    with _writing(to):
        os.replace(part, to)
    _forget(part)


def verify(path: Path, size: int | None, checksum: str | None) -> None:
    """Raise UserError if the file has another size (in bytes) or another checksum; None means unknown."""
    if size is not None and path.stat().st_size != size:
        raise UserError(f"{path}: has {path.stat().st_size} bytes instead of {size}")
    if checksum is not None:
        algorithm, _, expected = checksum.partition(":")
        if digest(path, algorithm) != expected:
            raise UserError(f"{path}: wrong {algorithm} checksum, so this is not the expected file")


def digest(path: Path, algorithm: str = "sha256") -> str:
    """Return the checksum of a file as hexadecimal digits."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, algorithm).hexdigest()


@contextlib.contextmanager
def one_at_a_time(folder: Path) -> Iterator[None]:
    """Wait until no other process downloads into `folder`, and let others wait in turn.

    Two processes that append to the same file, such as those of one training, would spoil it.
    """
    with contextlib.ExitStack() as stack:
        with _writing(folder):
            folder.mkdir(parents=True, exist_ok=True)
            stack.enter_context(locked(folder, notice=f"{folder}: waiting for another download to end"))
        yield


def _wait(error: Exception, url: str, to: Path, part: Path, pause: float | None) -> None:
    """Wait `pause` seconds after a failed attempt. Raise UserError if it was the last one, or another cannot help."""
    reason = error.reason if isinstance(error, URLError) else error
    why = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    if isinstance(error, HTTPError):
        error.close()
        why = f"the server says {error.code} {error.reason}"
        if error.code < 500 and error.code not in (408, 425, 429):
            raise UserError(
                f"{url}: {why}; look for the file on the web, save it as {to} and run this again"
            ) from error
    elif isinstance(reason, socket.gaierror):
        why, pause = f"cannot be reached from here ({why})", None
    if pause is None:
        kept = f" (the bytes so far are kept in {part})" if part.is_file() else ""
        raise UserError(f"{url}: {why}; run this again later{kept}, or {_by_hand(to)} and run this again") from error
    print(f"{url}: {why}; trying again in {pause:g} s", file=sys.stderr)
    time.sleep(pause)


def _by_hand(to: Path) -> str:
    return f"fetch it by hand and save it as {to}"


def _transfer(url: str, part: Path, size: int | None, timeout: float) -> None:
    """Open one connection and add to `part` what is missing. An OSError or HTTPException is the network's fault."""
    have, validator = _begun(part, url)
    headers = {"User-Agent": "pix2mask", "Accept-Encoding": "identity"}
    if have:
        # If-Range: if the file has changed since, the server sends all of it instead of the range.
        headers |= {"Range": f"bytes={have}-", "If-Range": validator}
    try:
        # The addresses are those of the catalogue and of torchvision, and urllib follows no redirect to file:.
        response = urlopen(Request(url, headers=headers), timeout=timeout)  # noqa: S310
    except HTTPError as error:
        if error.code != 416 or not have:
            raise
        error.close()
        if error.headers.get("Content-Range") == f"bytes */{have}":
            return  # `part` was complete, but not renamed yet
        _forget(part)
        raise ConnectionError("the server cannot continue an interrupted download") from error
    with response:
        if response.status == 206 and not (response.headers.get("Content-Range") or "").startswith(f"bytes {have}-"):
            _forget(part)
            raise ConnectionError("the server sent another part of the file than was requested")
        start = have if response.status == 206 else 0
        length = response.headers.get("Content-Length") or ""
        total = start + int(length) if length.isdigit() else None
        _check_answer(response, url, part, size, start, total)
        if not start:
            _begin(part, url, response.headers)
        received = _receive(response, part, start, total, timeout, Path(url).name)
    if received < (total or size or 0):
        raise ConnectionError(f"the connection was cut after {received:,} of {total or size:,} bytes")


def _check_answer(
    response: http.client.HTTPResponse, url: str, part: Path, size: int | None, start: int, total: int | None
) -> None:
    """Raise UserError for an answer that is not the file, or that the disk has no room for, before it is received."""
    if response.headers.get_content_type() in ("text/html", "application/xhtml+xml"):
        raise UserError(
            f"{url}: a web page came instead of the file (a login, a notice?); open it in a browser, "
            f"save the file as {part.with_suffix('')} and run this again"
        )
    if size is not None and total is not None and total != size:
        raise UserError(
            f"{url}: has {total} bytes instead of the {size} that pix2mask expects, so it is another file and was "
            "not fetched; look for a new address on its web page"
        )
    missing, free = (total or start) - start, shutil.disk_usage(part.parent).free
    if missing > free:
        raise UserError(
            f"{part}: needs {missing:,} bytes more, but the disk has {free:,} free; make room, then run this again"
        )


def _receive(
    response: http.client.HTTPResponse, part: Path, start: int, total: int | None, timeout: float, name: str
) -> int:
    """Write the response's body into `part` from byte `start` on; return the length that the file then has."""
    bar = tqdm(desc=name, total=total, initial=start, unit="B", unit_scale=True, leave=False, disable=None)
    with bar, _writing(part), part.open("r+b") as file:
        file.truncate(start)
        file.seek(start)
        # A socket's timeout does not notice a server that sends a byte now and then, so the rate is watched, too.
        since, recent = time.monotonic(), 0
        while chunk := _read(response):
            file.write(chunk)
            bar.update(len(chunk))
            recent += len(chunk)
            if recent >= SLOWEST * timeout:
                since, recent = time.monotonic(), 0
            elif time.monotonic() - since > timeout:
                raise _NetworkError(f"less than {SLOWEST} bytes a second came for {timeout:g} seconds")
        return file.tell()


class _NetworkError(http.client.HTTPException):
    """A fault of the network. OSError would not do: `_writing` takes that for a fault of the disk."""


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read1(CHUNK)
    except OSError as error:
        stopped = isinstance(error, TimeoutError)
        raise _NetworkError("the server stopped sending" if stopped else error.strerror or str(error)) from error


@contextlib.contextmanager
def _writing(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UserError(
            f"{path}: not written: {error.strerror or error}; free some space or correct the permissions, "
            "then run this again"
        ) from error


def _begun(part: Path, url: str) -> tuple[int, str]:
    """Return how many bytes of this file an earlier call left, and their validator: the server's ETag or date.

    0 if there are none, or none that can be continued.
    """
    try:
        note = json.loads(_note(part).read_text(encoding="utf-8"))
        if note["url"] == url and note["validator"]:
            return part.stat().st_size, note["validator"]
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return 0, ""


def _begin(part: Path, url: str, headers: http.client.HTTPMessage) -> None:
    """Create an empty `part`, and beside it a note that says of which file it is a part."""
    etag = headers.get("ETag") or ""
    # A weak ETag does not promise that the bytes are the same.
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
