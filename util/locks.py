"""Locks on folders, between processes."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from util import distributed

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
    try:
        yield
    finally:
        # On Unix filelock leaves its file. From version 4 on, a waiting process notices that the file was deleted while
        # it was locked, and creates another. On Windows filelock deletes the file itself.
        if os.name != "nt":
            (folder / LOCK).unlink(missing_ok=True)
        lock.release()
