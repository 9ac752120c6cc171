"""Files and folders that are written whole or not at all, and JSON that is read back."""

import contextlib
import glob
import json
import os
import shutil
import threading
from collections.abc import Collection, Iterator
from pathlib import Path

from util.errors import UserError
from util.locks import locked


@contextlib.contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator:
    """Open a file that takes `path`'s place only once it is written whole; UserError where the disk does not let it."""
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open(mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
        os.replace(beside, path)
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        if isinstance(error, OSError):
            why = error.strerror or error
            raise UserError(f"{path}: not written: {why}; what stood there before is whole") from error
        raise


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path) as file:
        file.write(text)


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_options(path: Path) -> dict[str, object]:
    """A run's options.json."""
    try:
        options = json.loads(path.read_text(encoding="utf-8"))
        if isinstance(options, dict):
            return options
        error = ValueError("not an object")
    except ValueError as wrong:
        error = wrong
    raise UserError(f"{path}: damaged ({error}); delete it and give the flags by hand") from error


@contextlib.contextmanager
def replacing_folder(folder: Path, ours: Collection[str], mark: str) -> Iterator[Path]:
    """A folder to fill that takes `folder`'s place at the end; after an error the old one is as it was.

    Files in the old folder that are not `ours` (a user's notes) move over. Of several processes with one folder the
    last to finish wins; what a killed one left is removed where the system has locks. mark: the file by which a folder
    shows that it is ours to replace. UserError: it is not.
    """
    partial, old = folder.with_name(f"{folder.name}.{os.getpid()}.partial"), folder.with_name(folder.name + ".old")
    new = [parent for parent in folder.parents if not parent.exists()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as alive:
        with locked(folder.parent):
            for there in (folder, old):
                if there.exists() and not (there / mark).is_file() and any(there.iterdir()):
                    raise UserError(
                        f"{there}: not the result of a test (no {mark} in it), so it is not replaced; "
                        "move it, or name another --results_dir"
                    )
            for left in folder.parent.glob(f"{glob.escape(folder.name)}.[0-9]*.partial"):
                with locked(left, wait=False) as dead:
                    if dead:
                        shutil.rmtree(left, ignore_errors=True)
            _settle(folder, old, partial, ours)
            partial.mkdir()
            alive.enter_context(locked(partial))
        try:
            yield partial
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            with contextlib.suppress(OSError):  # another test may have begun to use them
                for parent in new:
                    parent.rmdir()
            raise
        with locked(folder.parent):
            _settle(folder, old, partial, ours)
            if folder.exists():
                folder.rename(old)
            partial.rename(folder)
            _settle(folder, old, partial, ours)


def _settle(folder: Path, old: Path, partial: Path, ours: Collection[str]) -> None:
    """Bring an exchange to its end, also that of a process that was killed in it: what is not `ours` moves from `old`
    into `folder`, and the rest goes. UserError: a name is in both."""
    if not old.exists():
        return
    if not folder.exists():
        old.rename(folder)
        return
    for entry in list(old.iterdir()):
        if entry.name not in ours:
            if os.path.lexists(folder / entry.name):
                raise UserError(f"{entry}: left by a test that was killed, and {folder} has one too; move either away")
            entry.rename(folder / entry.name)
    gone = old.rename(partial.with_suffix(".old.partial"))  # the next start throws away what a kill leaves of it
    shutil.rmtree(gone, ignore_errors=True)
