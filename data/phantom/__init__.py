"""Drawn chest X-rays and house fronts with their labels: data without a download, the same on every machine."""

import argparse
from typing import Any

from util.errors import UserError

KINDS = {
    "chests": ("data.phantom.chests:chest", "lungs"),
    "pneumothorax": ("data.phantom.chests:pneumothorax", "lungs"),
    "facades": ("data.phantom.facades:facade", "facades"),
}
"""--phantom to the function that draws it, "module:name", and to its --classes."""

FIRST = {"train": 0, "val": 1_000_000, "test": 2_000_000}
"""The index of each phase's first phantom. They are far apart, so --phantom_count moves no image to another phase."""


def indices(phase: str, count: int) -> range:
    """Indices of the phantoms of a phase: `count` in train, a fifth of that (at least 8) in val and in test."""
    return range(FIRST[phase], FIRST[phase] + (count if phase == "train" else max(8, count // 5)))


def check_count(count: int) -> None:
    """UserError unless `count` gives every phase images that no other phase has."""
    if not 1 <= count <= FIRST["val"]:
        raise UserError(f"--phantom_count {count}: want 1 to {FIRST['val']:,} images")


class _Kind(argparse.Action):
    """Sets --phantom, and --classes to the classes of such images, so that a run records them."""

    def __call__(
        self, parser: object, namespace: argparse.Namespace, values: Any, option_string: object = None
    ) -> None:
        earlier = KINDS[namespace.phantom][1] if getattr(namespace, "phantom", None) else None
        namespace.phantom = values
        if getattr(namespace, "classes", None) in (None, earlier):  # other classes that were typed are refused later
            namespace.classes = KINDS[values][1]


def add_phantom_options(group: argparse._ArgumentGroup | argparse.ArgumentParser) -> None:
    """Add the flags that say which phantoms and how many."""
    group.add_argument("--phantom", action=_Kind, choices=tuple(KINDS), default="chests", help="what is drawn")
    group.add_argument(
        "--phantom_count",
        type=int,
        default=200,
        help="images in train; val and test each have a fifth of that, at least 8",
    )
