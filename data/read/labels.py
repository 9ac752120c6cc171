"""Read masks and label pictures: from the pixels of a file to class indices."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.classes import VOID_BIT, Classes
from data.read.images import read_pixels
from data.transforms import to_rgb8
from util.errors import UserError

MAX_UNCLEAR = 0.8
"""A lossy picture with a larger share of pixels far from every class is probably not a label picture."""


def read_labels(paths: Sequence[Path], classes: Classes) -> np.ndarray:
    """Class indices uint8 [H, W] of a label picture. A pixel of no class gets VOID_BIT plus the likeliest class.

    Several files are the parts of one two-class mask (left and right lung) and are OR-ed. UserError: a file holds
    values that are no class, or the parts differ in size.
    """
    first = _read(paths[0], classes)
    for path in paths[1:]:
        part = _read(path, classes)
        if part.shape != first.shape:
            raise UserError(
                f"{path}: {_size(part)}, but {paths[0].name} has {_size(first)}: the parts of a mask need one size"
            )
        first |= part
    return first


def labels_of(pixels: np.ndarray, lossy: bool, classes: Classes, name: str) -> np.ndarray:
    """`read_labels` of a decoded label picture ([H, W] or [H, W, 3], uint8 or uint16).

    A lossy picture (JPEG) is snapped to the nearest class. In a lossless one, each pixel must have the colour of a
    class or, if the picture has one channel, be a class index. Two classes may also be stored as 0 and any one other
    value. Masks for lungs_dark are stored bright on dark, as for lungs. Two greys from a user's own JSON file mean what
    that file says. name: the file, for errors.
    """
    dark = classes.binary and classes.grey and classes.colours[0, 0] > classes.colours[1, 0]
    two_values = classes.binary and (classes.white_on_black or not dark)
    if lossy:
        if dark and classes.white_on_black:
            classes = replace(classes, colours=classes.colours[::-1])
        return _snap(pixels, classes, name)
    if pixels.ndim == 3 and (pixels == pixels[:, :, :1]).all():
        pixels = pixels[:, :, 0]
    if two_values and classes.grey:
        return _two_values(pixels, name)
    label, distance = classes.nearest(to_rgb8(pixels))
    if not distance.any():
        return label
    if pixels.ndim == 2 and pixels.max() < len(classes):
        return pixels.astype(np.uint8)
    if two_values:
        return _two_values(pixels, name)
    strange = np.unique(to_rgb8(pixels)[distance > 0], axis=0)
    raise UserError(
        f"{name}: {len(strange)} colours that are no class, such as {_listed(strange)}; the classes "
        f"({', '.join(classes.names[:3])}, ...) are given by --classes"
    )


def _read(path: Path, classes: Classes) -> np.ndarray:
    pixels, lossy = read_pixels(path)
    return labels_of(pixels, lossy, classes, str(path))


def _snap(pixels: np.ndarray, classes: Classes, name: str) -> np.ndarray:
    label, distance = classes.nearest(to_rgb8(pixels))
    # Two classes have no void. JPEG's ringing does not reach farther than a quarter of the way between them.
    unclear = classes.void_distance
    if classes.binary:
        unclear = np.linalg.norm(np.diff(classes.colours.astype(float), axis=0)) / 4
    share = (distance > unclear).mean()
    if share > MAX_UNCLEAR:
        raise UserError(
            f"{name}: {share:.0%} of its pixels have the colour of no class: is this a label picture, "
            "and are --classes and --direction right?"
        )
    void = distance > classes.void_distance
    if void.any():
        label[void] = _of_neighbours(pixels, label, void, classes)
    label[void] |= VOID_BIT
    return label


def _of_neighbours(pixels: np.ndarray, label: np.ndarray, void: np.ndarray, classes: Classes) -> np.ndarray:
    """A class for each void pixel: among the classes clearly seen within two pixels of it, the one with the nearest
    colour.

    A blurred edge from blue to yellow passes through green. By colour alone, the class that is green would frame every
    such object.
    """
    from scipy.ndimage import maximum_filter

    colours = to_rgb8(pixels)[void].astype(np.int32)
    chosen, best = label[void], np.full(len(colours), np.iinfo(np.int32).max, np.int32)
    for index, colour in enumerate(classes.colours.astype(np.int32)):
        clear = (label == index) & ~void
        if clear.any():
            distance = np.square(colours - colour).sum(axis=1)
            better = (distance < best) & maximum_filter(clear, size=5)[void]
            chosen[better], best[better] = index, distance[better]
    return chosen


def _two_values(pixels: np.ndarray, name: str) -> np.ndarray:
    """Background 0, foreground 1, from a picture that holds black and at most one other value."""
    inside = pixels.astype(bool) if pixels.ndim == 2 else pixels.any(axis=2)
    values = pixels[inside]
    if len(values) and (values != values[0]).any():
        strange = np.unique(values, axis=0)
        raise UserError(
            f"{name}: a mask of two classes holds 0 and one other value, this one holds "
            f"{len(strange)} others: {_listed(strange)}; threshold it first"
        )
    # Without any background, only a value that means "full" is accepted: an even grey picture is no mask.
    if inside.all() and values.flat[0] not in (1, np.iinfo(pixels.dtype).max):
        raise UserError(f"{name}: every pixel of this mask is {values.flat[0]}; a full mask holds 1 or 255")
    return np.asarray(inside, np.uint8)


def _listed(values: np.ndarray) -> str:
    shown = ", ".join(str(v).replace("\n", "") for v in values[:5].tolist())
    return shown + (", ..." if len(values) > 5 else "")


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]} x {array.shape[0]} pixels"
