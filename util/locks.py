"""Locks on folders, between processes: a lock ends with the process that holds it, however that ends."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def locked(folder: Path, wait: bool = True, notice: str = "") -> Iterator[bool]:
    """Hold a folder's lock; `notice` is printed where that means waiting for another process.

    False: it is not held, as another process has it (without `wait`), or as the system has no such locks (Windows,
    some network file systems).
    """
    try:
        import fcntl
    except ImportError:
        yield False
        return
    handle = os.open(folder, os.O_RDONLY)
    held = True
    try:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if notice and wait:
                print(notice, flush=True)
            if held := wait:
                fcntl.flock(handle, fcntl.LOCK_EX)
        except OSError:
            held = False
        yield held
    finally:
        os.close(handle)
