"""Files and folders that are written whole or not at all, and a run's options.json."""

import contextlib
import errno
import glob
import itertools
import json
import os
import secrets
import shutil
import threading
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator
from pathlib import Path
from typing import IO, Any

from filelock import FileLock, Timeout

from util.errors import UserError
from util.faults import named, why
from util.locks import LOCK, locked

WRITTEN = ".written"
"""In a folder of results: the files that the command wrote into its sub-folders, so that others' files can be kept."""
LARGEST_JSON = 16 << 20  # bytes. Four times as many, in short lists or names, would take half a minute.


class NotWritten(UserError):
    """The disk, or its permissions, did not allow a file."""


@contextlib.contextmanager
def replacing(path: Path, mode: str = "w", durable: bool = False) -> Iterator[IO[Any]]:
    """Open a new file that replaces `path` once it is written whole. NotWritten: the disk does not allow it.

    durable: the file outlasts a loss of power, too. That takes milliseconds, so it is not for thousands of pictures.
    """
    beside = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with beside.open(mode, encoding=None if "b" in mode else "utf-8") as file:
            yield file
            if durable:
                sync(file)
        os.replace(beside, path)
        if durable:
            sync_folder(path.parent)
    except BaseException as error:
        with contextlib.suppress(OSError):
            beside.unlink()
        if isinstance(error, UnicodeEncodeError):
            name = error.object[max(error.start - 20, 0) : error.end + 20].encode(errors="backslashreplace").decode()
            raise UserError(f"{path}: not written: {name!r}, the name of a file, is not UTF-8: rename it") from error
        if isinstance(error, OSError):
            raise NotWritten(f"{path}: not written: {why(error)}; an earlier file of this name is unchanged") from error
        raise


def remove_unfinished(paths: Iterable[Path]) -> None:
    """Delete what killed processes left of their `replacing` of these files. No other process may write them now."""
    for path in paths:
        for unfinished in path.parent.glob(f".{glob.escape(path.name)}.[0-9]*.[0-9]*"):
            unfinished.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all."""
    with replacing(path, durable=True) as file:
        file.write(text)


def sync(file: IO[Any]) -> None:
    """Bring what was written to an open file onto the disk."""
    file.flush()
    os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Bring the names of a folder's files onto the disk, as after a rename. Windows has no way to ask for that."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError:  # some network file systems do not sync folders
        pass
    finally:
        os.close(descriptor)


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def read_json(path: Path) -> Any:
    """Read a JSON file of at most 16 MB. Raises ValueError, with the reason, for anything else."""
    if (size := path.stat().st_size) > LARGEST_JSON:
        raise ValueError(f"{size / 1e6:.0f} MB, more than any such file has")
    try:
        return parse_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise named(error, path) from error


def read_entries(path: Path, is_entry: Callable[[object], bool], remedy: str) -> list[dict[str, Any]]:
    """A JSON file that is a list of entries; [] without the file. UserError, with what to do: it is anything else."""
    if not path.is_file():
        return []
    try:
        entries = read_json(path)
        if isinstance(entries, list) and all(is_entry(entry) for entry in entries):
            return entries
    except ValueError:
        pass
    raise UserError(f"{path}: damaged; delete it and {remedy}")


def parse_json(text: str) -> Any:
    """The value of a JSON text. Raises ValueError, with the reason, for anything else, and for a name used twice."""
    try:
        value = json.loads(text, object_pairs_hook=_without_repeats)
        if "\\ud" in text or "\\uD" in text:
            json.dumps(value, ensure_ascii=False).encode()  # half a surrogate pair could be written and shown nowhere
        return value
    except RecursionError:
        raise ValueError("nested too deep") from None


def _without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """The object of these pairs. Python would keep the last value of a repeated name without a word."""
    names = dict(pairs)
    if len(names) < len(pairs):
        again = next(name for name, count in Counter(name for name, _ in pairs).items() if count > 1)
        raise ValueError(f"{again!a:.50} is there twice")
    return names


def read_options(path: Path) -> dict[str, object]:
    """Read a run's options.json. Raises UserError if it is damaged."""
    try:
        options = read_json(path)
        if isinstance(options, dict):
            return options
        error = ValueError("not an object")
    except ValueError as wrong:
        error = wrong
    raise UserError(f"{path}: damaged ({error}); delete it and give the flags by hand") from error


@contextlib.contextmanager
def replacing_folder(folder: Path, ours: Collection[str], mark: str) -> Iterator[Path]:
    """Fill a new folder that replaces `folder` at the end; after an error the old folder is unchanged.

    Files of the old folder that are not among `ours` (a user's notes), or that someone else has put into folders of
    ours (a corrected mask under a name of its own), move into the new one. A killed process loses no file of the
    user's: the next one completes its exchange and removes its unfinished folder. mark: the file that shows that a
    folder is ours to replace. Raises UserError if it is missing, or if another process writes this folder now: its
    results may be those of other data, and nobody could tell which of the two are kept.
    """
    partial = folder.with_name(f"{folder.name}.{secrets.randbits(32)}.partial")
    old = folder.with_name(folder.name + ".old")
    new_parents = [parent for parent in folder.parents if not parent.exists()]
    _make_writable(folder.parent)
    with contextlib.ExitStack() as alive:
        with locked(folder.parent):
            _check_ours((folder, old), mark)
            _sweep(folder)
            _finish_exchange(folder, old, partial, ours)
            partial.mkdir()
            alive.enter_context(FileLock(partial / LOCK))
        try:
            yield partial
        except BaseException:
            alive.close()
            shutil.rmtree(partial, ignore_errors=True)
            with contextlib.suppress(OSError):  # another test may write into them by now
                for parent in new_parents:
                    parent.rmdir()
            raise
        with locked(folder.parent):
            alive.close()  # Windows renames no folder with an open file
            (partial / LOCK).unlink(missing_ok=True)
            if names := _files_below(partial) + [f"{path.name}/" for path in partial.iterdir() if path.is_dir()]:
                (partial / WRITTEN).write_bytes(os.fsencode("\n".join(names)))
            _finish_exchange(folder, old, partial, ours)
            if folder.exists():
                folder.rename(old)
            partial.rename(folder)
            _finish_exchange(folder, old, partial, ours)


def _files_below(folder: Path) -> list[str]:
    """The files in the sub-folders of a folder."""
    return sorted(path.relative_to(folder).as_posix() for path in folder.glob("*/**/*") if not path.is_dir())


def _free(path: Path) -> Path:
    """The path, or one beside it that does not exist yet: x.png, x_2.png, x_3.png, ..."""
    others = (path.with_stem(f"{path.stem}_{number}") for number in itertools.count(2))
    return next(free for free in itertools.chain([path], others) if not os.path.lexists(free))


def _added_to(folder: Path) -> list[str]:
    """The files that others have put into those sub-folders that `replacing_folder` has filled."""
    if not (folder / WRITTEN).is_file():  # an older version wrote it, or nothing
        return []
    written = {*os.fsdecode((folder / WRITTEN).read_bytes()).split("\n")}
    filled = {name.partition("/")[0] for name in written}
    return [name for name in _files_below(folder) if name not in written and name.partition("/")[0] in filled]


def _make_writable(parent: Path) -> None:
    try:
        parent.mkdir(parents=True, exist_ok=True)
        if not os.access(parent, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
    except OSError as error:
        raise UserError(f"--results_dir: results cannot be written to {parent}: {why(error)}") from error


def _sweep(folder: Path) -> None:
    """Delete what killed processes left unfinished of this folder. UserError: a process that is alive fills it."""
    for unfinished in folder.parent.glob(f"{glob.escape(folder.name)}.[0-9]*.partial"):
        if _in_use(unfinished):
            raise UserError(
                f"{folder}: another process writes there now; wait for its end, or take another --results_dir"
            )
        shutil.rmtree(unfinished, ignore_errors=True)


def _check_ours(folders: Collection[Path], mark: str) -> None:
    for folder in folders:
        if folder.exists() and not (folder / mark).is_file() and any(folder.iterdir()):
            raise UserError(
                f"{folder}: not the result of a test (no {mark} in it), so it is not replaced; "
                "move it, or name another --results_dir"
            )


def _in_use(partial: Path) -> bool:
    """Whether the process that fills this folder is still alive."""
    try:
        with FileLock(partial / LOCK, blocking=False):
            return False
    except Timeout:
        return True


def _finish_exchange(folder: Path, old: Path, partial: Path, ours: Collection[str]) -> None:
    """Complete an exchange of folders, which may be that of a killed process.

    Entries of `old` that are not among `ours` move into `folder`, and so do files that someone has put into folders of
    ours (a corrected mask), under another name if `folder` has such a file; all others are deleted. Raises UserError if
    both folders have an entry of the same name.
    """
    if not old.exists():
        return
    if not folder.exists():
        old.rename(folder)
        return
    for name in _added_to(old):
        target = _free(folder / name)
        target.parent.mkdir(parents=True, exist_ok=True)
        (old / name).rename(target)
        with (folder / WRITTEN).open("ab") as file:
            file.write(os.fsencode(f"\n{name.partition('/')[0]}/"))
    for entry in list(old.iterdir()):
        if entry.name not in (*ours, WRITTEN):
            if os.path.lexists(folder / entry.name):
                raise UserError(f"{entry}: left by a test that was killed, and {folder} has one too; move either away")
            entry.rename(folder / entry.name)
    # Under this name the next start deletes what a kill leaves of it.
    discarded = old.rename(partial.with_suffix(".old.partial"))
    shutil.rmtree(discarded, ignore_errors=True)
