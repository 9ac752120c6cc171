"""What a file of tensors may hold, checked once where it is read, so that no later code needs to."""

import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import TypeGuard

import torch

from util.errors import UserError

ROOM = 64 << 20  # bytes that a file may take in memory beyond a small multiple of its size


def check_plain(path: Path, contents: object) -> None:
    """UserError unless every tensor in nested dicts and lists is dense, on the CPU and no larger than the file allows.

    A sparse, quantised, nested or meta tensor, or one whose strides repeat a few bytes a million times, would end in an
    error or without memory somewhere else. Text must be printable as UTF-8, for it is shown and hashed.
    """
    total = 0
    for value in _parts(contents):
        if isinstance(value, str) and not _is_text(value):
            raise UserError(f"{path}: damaged: a name in it is no valid text; copy it again")
        if torch.is_tensor(value):
            if kind := _odd(value):
                raise UserError(f"{path}: holds {kind} tensor; save plain ones: dense, in float32, on the CPU")
            total += value.numel() * value.element_size()
    if total > 4 * path.stat().st_size + ROOM:
        raise UserError(f"{path}: its tensors would take {total / 1e9:.1f} GB, far more than the file; not loaded")


def check_archive(path: Path) -> None:
    """Raises an error for a damaged file: torch.load compares no checksums, so a changed bit would be a changed weight.
    UserError for a compressed file that would grow far beyond its size; torch.save compresses nothing.

    A file of an old torch is no archive, and has no checksums.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, ValueError, NotImplementedError):
        return  # torch.load says what is wrong
    with archive:
        parts = archive.infolist()
        total = sum(part.file_size for part in parts)
        if total > 4 * path.stat().st_size + ROOM:
            raise UserError(f"{path}: would take {total / 1e9:.1f} GB, far more than the file; not loaded")
        for part in parts if any(part.CRC for part in parts) else ():  # torch can be told to write no checksums
            with archive.open(part) as file:
                while file.read(1 << 20):  # compares the checksum at the end
                    pass


def copy_exactly(target: torch.Tensor, source: torch.Tensor) -> None:
    """Copy a stored tensor into a live one. ValueError where torch would repeat or round its values without a word."""
    if (source.shape, source.dtype) != (target.shape, target.dtype):
        raise ValueError(f"a tensor of {tuple(source.shape)} for one of {tuple(target.shape)}, or of another type")
    target.copy_(source)


def unwrapped(contents: object) -> dict[str, torch.Tensor] | None:
    """The state dict in what a file holds: bare, or as a trainer saved it; None where there is none.

    Trainers save it as "state_dict" (Lightning and most others), "model" or "model_state_dict", beside an optimizer.
    torch.compile puts `_orig_mod.` before all names, DataParallel `module.`.
    """
    if not isinstance(contents, dict):
        return None
    wrapped = (contents, *(contents.get(key) for key in ("state_dict", "model_state_dict", "model")))
    state = next((value for value in wrapped if is_state(value)), None)
    if state is None:
        return None
    while prefix := next((p for p in ("module.", "_orig_mod.") if all(key.startswith(p) for key in state)), ""):
        state = {key.removeprefix(prefix): value for key, value in state.items()}
    return state


def is_state(value: object) -> TypeGuard[dict[str, torch.Tensor]]:
    """Whether `value` is a dict of named tensors."""
    return (
        isinstance(value, dict)
        and bool(value)
        and all(isinstance(key, str) and torch.is_tensor(one) for key, one in value.items())
    )


def _parts(contents: object) -> Iterator[object]:
    """Everything in nested containers, keys too. A pickle can hold itself, so no container is entered twice."""
    waiting, seen = [contents], set()
    while waiting:
        value = waiting.pop()
        yield value
        if isinstance(value, dict | list | tuple | set) and id(value) not in seen:
            seen.add(id(value))
            waiting += [*value, *value.values()] if isinstance(value, dict) else value


def _is_text(value: str) -> bool:
    try:
        value.encode()
    except UnicodeEncodeError:
        return False
    return True


def _odd(tensor: torch.Tensor) -> str:
    """What is odd about a tensor, with its article; "" for a plain one."""
    kinds = {
        "a meta": tensor.is_meta,
        "a nested": tensor.is_nested,
        "a quantised": tensor.is_quantized,
        "a sparse": tensor.layout != torch.strided,
        "a complex or negated": tensor.is_complex() or tensor.is_neg(),
    }
    return next((kind for kind, holds in kinds.items() if holds), "")
