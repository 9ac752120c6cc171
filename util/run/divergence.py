"""Training that has diverged: losses or weights that are not finite."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import torch

from util.errors import UserError


def refuse_diverged(names: Sequence[str], folder: Path) -> None:
    """UserError, with what helps, if `names` lists anything that is not finite, such as G_L1. folder: the run's."""
    if not names:
        return
    saved = any(folder.glob("latest_*.pth"))
    rest = (
        "the last save (latest) stays as it was: go on from it with --continue_train" if saved else "nothing was saved"
    )
    raise UserError(
        f"{folder}: training has diverged, not finite: {', '.join(names)}; take a lower --lr, --clip_grad 1 or a "
        f"--warmup of some epochs, and check the data; {rest}"
    )


def not_finite(contents: Mapping[str, object]) -> list[str]:
    """The names of those contents, nested dicts and lists, that hold a tensor that is not finite.

    Waits for the device.
    """
    return [name for name, content in contents.items() if not _all_finite(content)]


def _all_finite(contents: object) -> bool:
    # A sum is not finite if one of its terms is not, and needs no memory for a mask.
    return all(bool(tensor.sum().isfinite()) for tensor in _tensors(contents) if tensor.is_floating_point())


def _tensors(contents: object) -> Iterator[torch.Tensor]:
    if isinstance(contents, torch.Tensor):
        yield contents
    elif isinstance(contents, Mapping):
        for value in contents.values():
            yield from _tensors(value)
    elif isinstance(contents, (list, tuple)):
        for value in contents:
            yield from _tensors(value)
