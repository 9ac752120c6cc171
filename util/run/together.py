"""Files of one folder that are saved together: whenever the process is killed, all of them are old or all are new.

They are written into a folder of their own. Renaming that folder is the moment at which the save holds. The files then
move to their places, and if the process is killed meanwhile, the next start moves the rest.
"""

import hashlib
import io
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import cast

import torch

from util.errors import UserError
from util.faults import why
from util.files import sync, sync_folder
from util.run.safe import SUFFIX, encoded

PARTIAL, WHOLE = ".saving", ".saved"
FILES = "files"  # where a state keeps the SHA-256 of the files that were saved with it


def save_together(files: Mapping[Path, object], states: Mapping[Path, Mapping] | None = None) -> None:
    """`torch.save` files of one folder, all of them or none; those named .safetensors by `util.run.safe`.

    states: further files, dicts that also get the SHA-256 of all `files` by their names, for `check_files`. UserError:
    the disk does not allow it; the old files are unchanged.
    """
    folder = next(iter(files)).parent
    partial, path = folder / PARTIAL, folder
    try:
        folder.mkdir(parents=True, exist_ok=True)
        finish_save(folder)
        partial.mkdir()
        digests = {}
        for path, contents in files.items():
            digests[path.name] = _write(partial / path.name, contents)
        for path, state in (states or {}).items():
            _write(partial / path.name, {**state, FILES: digests})
        sync_folder(partial)
        partial.rename(folder / WHOLE)
        sync_folder(folder)
        finish_save(folder)
    except OSError as error:
        raise UserError(f"{path}: not written: {why(error)}; the files of the last save are unchanged") from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def finish_save(folder: Path) -> None:
    """Complete the save of a process that was killed, if its files were written whole; else delete what it wrote."""
    shutil.rmtree(folder / PARTIAL, ignore_errors=True)
    whole = folder / WHOLE
    if not whole.is_dir():
        return
    for path in sorted(whole.iterdir()):
        os.replace(path, folder / path.name)
    sync_folder(folder)
    whole.rmdir()


def check_files(path: Path, state: Mapping) -> None:
    """UserError where a file beside the state's file `path` is not the one that was saved with that state."""
    for name, digest in state.get(FILES, {}).items():
        other = path.with_name(name)
        if not other.is_file() or hashlib.sha256(other.read_bytes()).hexdigest() != digest:
            wrong = "was saved at another time than" if other.is_file() else "is missing beside"
            raise UserError(
                f"{other}: {wrong} {path.name}; put the file of the same save back, or delete {path.name} to go on "
                "from these weights with new optimizers"
            )


def _write(path: Path, contents: object) -> str:
    """Write a file onto the disk; returns its SHA-256."""
    buffer = io.BytesIO()  # through memory, since torch.save's own errors do not say that the disk is full
    try:
        if path.suffix == SUFFIX:
            buffer.write(encoded(cast(Mapping, contents)))
        else:
            torch.save(contents, buffer)
    except RuntimeError as error:  # "unexpected pos", where Python's MemoryError was lost in torch
        raise MemoryError from error
    with path.open("wb") as file:
        file.write(buffer.getbuffer())
        sync(file)
    return hashlib.sha256(buffer.getbuffer()).hexdigest()
