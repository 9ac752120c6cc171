"""Read a checkpoint that holds Python objects beside its tensors, as Lightning's do, without making any of them.

torch's own reader for `weights_only=True` imports nothing that a file names; it refuses names that it does not know.
Here each of these means a class that does nothing, so the rest of the file can be read, and no code of the file runs.
"""

from pathlib import Path

import torch


class Inert:
    """In place of an object, or of what a function would have returned. It takes any arguments and keeps none."""

    __slots__ = ()

    def __new__(cls, *arguments: object) -> "Inert":
        return super().__new__(cls)

    def __init__(self, *arguments: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass


def load_with_inert(path: Path) -> object:
    """What torch.save wrote to a zip file, on the CPU, with `Inert` in place of every object of an unknown class.

    Raises any exception for damaged files, for names of modules such as os that torch never allows, and for objects
    that are dicts or lists of their own kind.
    """
    unknown = torch.serialization.get_unsafe_globals_in_checkpoint(path)
    with torch.serialization.safe_globals([(Inert, name) for name in unknown]):
        return torch.load(path, map_location="cpu", weights_only=True)
