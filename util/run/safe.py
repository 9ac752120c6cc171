"""Safetensors files with a header: named tensors and a JSON text. They hold no code, and other programs read them."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from util.errors import UserError
from util.faults import is_fault, named
from util.files import parse_json

SUFFIX = ".safetensors"
KEY = "pix2mask"
"""The header among the file's metadata, which are strings by name."""
LARGEST = 100 << 20
"""Bytes of names, shapes and metadata, as safetensors itself limits them."""


def encoded(contents: Mapping[str, Any]) -> bytes:
    """A file's bytes. contents: {"header": plain values, "tensors": by name}."""
    from safetensors.torch import save

    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in contents["tensors"].items()}
    return save(tensors, {KEY: json.dumps(contents["header"])})


def read_header(path: Path) -> dict[str, Any]:
    """A file's header, read without its tensors. UserError: no such file, another kind of file, or a damaged one."""
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            return _header(path, file.read(length) if length <= LARGEST else b"")
    except OSError as error:
        if is_fault(error):
            raise named(error, path) from error
        raise UserError(f"{path}: no such file") from error


def _header(path: Path, text: bytes) -> dict[str, Any]:
    try:
        header = parse_json(json.loads(text)["__metadata__"][KEY])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UserError(f"{path}: damaged, or not a file that pix2mask wrote; copy it again") from error
    if not isinstance(header, dict):
        raise UserError(f"{path}: damaged: its header is no list of names and values; copy it again")
    return header
