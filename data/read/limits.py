"""How large an image may be, in any kind of file."""

from pathlib import Path

from util.errors import UserError

MAX_PIXELS = 89_478_485
"""Larger pictures are refused before they are decoded, by the size in their header (Pillow's own limit,
9459 x 9459)."""


def refuse_too_large(path: Path, width: int, height: int) -> None:
    """UserError for more than `MAX_PIXELS`."""
    if width * height > MAX_PIXELS:
        raise too_large(path, f"{width} x {height} pixels")


def too_large(path: Path, size: str) -> UserError:
    """The error for an image of this size; `size` is text."""
    return UserError(f"{path}: refused, {size} is more than the {MAX_PIXELS:,} pixels an image may have")
