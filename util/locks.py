"""Locks on folders, between processes."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import BaseFileLock, FileLock, Timeout

from util import distributed
from util.errors import UserError

LOCK = ".pix2mask.lock"


@contextlib.contextmanager
def locked(folder: Path, notice: str = "") -> Iterator[None]:
    """Let only one process at a time use `folder`; print `notice` if that means waiting for another process.

    The lock ends with its process, even if that is killed.
    """
    lock = FileLock(folder / LOCK)
    try:
        lock.acquire(blocking=False)
    except Timeout:
        if notice:
            distributed.say(notice)
        lock.acquire()
    with _releasing(lock):
        yield


@contextlib.contextmanager
def only_one(folder: Path, refusal: str, name: str = LOCK) -> Iterator[None]:
    """Use `folder`, which exists, alone. UserError with the text `refusal`: another process does so already.

    name: of the lock's file, if several processes may use the folder, each with a lock of its own. The lock ends with
    its process, even if that is killed. A file system without locks gets a note.
    """
    lock = FileLock(folder / name)
    try:
        lock.acquire(blocking=False)
    except Timeout as error:
        raise UserError(refusal) from error
    except NotImplementedError:
        distributed.say(f"note: {folder}: no locks on this file system; let only one process use it")
        yield
        return
    with _releasing(lock):
        yield


@contextlib.contextmanager
def _releasing(lock: BaseFileLock) -> Iterator[None]:
    try:
        yield
    finally:
        # On Unix filelock leaves its file. From version 4 on, a waiting process notices that the file was deleted while
        # it was locked, and creates another. On Windows filelock deletes the file itself.
        if os.name != "nt":
            with contextlib.suppress(OSError):  # a disk that is read-only by now: that error has been raised already
                Path(lock.lock_file).unlink()
        lock.release()
