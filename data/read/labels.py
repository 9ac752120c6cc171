"""Read masks and label pictures: from the pixels of a file to class indices."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.classes import VOID_BIT, Classes
from data.read.decode import Stored
from data.read.images import read_file
from data.transforms import to_rgb8
from util.errors import UserError

MAX_EVEN, MAX_FAR = {True: 0.02, False: 0.2}, 0.5
"""If larger shares of a lossy picture's foreground are patches whose colour is far from every class, it is no label
picture: patches of an even colour (with two classes, with more), and any patches. Blurred edges are seldom as wide as a
patch, and never even."""
PATCH = 5
FAINT = 16
"""JPEG does not keep values apart that differ by less than this."""


def read_labels(paths: Sequence[Path], classes: Classes, image: Stored | None = None) -> np.ndarray:
    """Class indices uint8 [H, W] of a label picture. A pixel of no class gets VOID_BIT plus the likeliest class.

    Several files, and several pages of a file, are the parts of one two-class mask (left and right lung) and are OR-ed.
    image: the image that the labels are for, if it is known.

    UserError: a file holds values that are no class, the parts differ in size, or a file was turned by its EXIF
    orientation and the image was not.
    """
    labels = [_read(path, classes, image) for path in paths]
    return _joined(labels, list(paths))


def labels_of_file(file: Stored, classes: Classes, path: Path) -> np.ndarray:
    """`read_labels` of what one file holds."""
    parts = [labels_of(page.pixels, file.lossy, classes, str(path), page.opacity) for page in file.pages]
    return _joined(parts, [path] * len(parts))


def _joined(parts: list[np.ndarray], paths: list[Path]) -> np.ndarray:
    first = parts[0]
    for path, part in zip(paths[1:], parts[1:], strict=True):
        if part.shape != first.shape:
            raise UserError(
                f"{path}: {_size(part)}, but {paths[0].name} has {_size(first)}: the parts of a mask need one size"
            )
        first |= part
    return first


def labels_of(
    pixels: np.ndarray, lossy: bool, classes: Classes, name: str, opacity: np.ndarray | None = None
) -> np.ndarray:
    """`read_labels` of a decoded label picture ([H, W] or [H, W, 3], uint8 or uint16, transparent pixels on black).

    Each pixel must have the colour of a class or, if the picture has one channel, be a class index. Two classes may
    also be stored as 0 and any one other value. A lossy picture (JPEG) is snapped to the nearest of these colours.
    Masks for lungs_dark are stored bright on dark, as for lungs. Two greys from a user's own JSON file mean what that
    file says. name: the file, for errors. opacity: [H, W], 0 where the picture is transparent.
    """
    if opacity is not None and not opacity.all():
        _refuse_unclear_transparency(pixels, opacity, classes, name)
    _refuse_unclear_black(pixels, classes, name)
    if lossy:
        return _snap(pixels, as_stored(pixels, classes, name), name)
    if pixels.ndim == 3 and (pixels == pixels[:, :, :1]).all():
        pixels = pixels[:, :, 0]
    two_values = _two_values_mean_classes(classes)
    if two_values and classes.grey:
        return _two_values(pixels, name)
    label, distance = classes.nearest(to_rgb8(pixels))
    # Values of 16 bits that no colour of 8 bits has: rounded to one, small numbers would all be black.
    between = np.zeros(label.shape, bool)
    if pixels.dtype == np.uint16:
        between = (pixels % 257).reshape(*label.shape, -1).any(axis=2)
    if not (distance.any() or between.any()):
        return label
    if pixels.ndim == 2 and pixels.max() < len(classes):
        return pixels.astype(np.uint8)
    if two_values:
        return _two_values(pixels, name)
    strange = _distinct(pixels[between] if between.any() else to_rgb8(pixels)[distance > 0])
    raise UserError(
        f"{name}: {len(strange)} colours that are no class, such as {_listed(strange)}; the classes "
        f"({', '.join(classes.names[:3])}, ...) are given by --classes"
    )


def as_stored(pixels: np.ndarray, classes: Classes, name: str) -> Classes:
    """The classes in the colours of one lossy label picture. Two classes may be black and any one other colour, as in
    lossless files. UserError: too dark to tell, or not two colours."""
    pixels = to_rgb8(pixels)
    brightness = pixels.max(axis=2)
    if 0 < brightness.max() < FAINT:
        raise UserError(
            f"{name}: a JPEG whose brightest pixel is {brightness.max()} of 255: its compression does not keep such "
            "values apart; save the original as PNG"
        )
    if not _two_values_mean_classes(classes) or (
        not classes.grey and not _unclear(pixels, classes, *classes.nearest(pixels))
    ):
        return classes
    if not brightness.any():
        return replace(classes, colours=np.array([[0, 0, 0], [255, 255, 255]], np.uint8))
    lit = brightness >= FAINT
    bright = lit & (brightness > np.quantile(brightness[lit], 0.99) / 2)
    colour = np.median(pixels[bright], axis=0).astype(np.uint8)
    if colour.min() > 255 - 2 * FAINT:
        colour[:] = 255
    stored = replace(classes, colours=np.array([[0, 0, 0], colour]))
    if not _background_is_black(pixels, brightness, stored):
        raise UserError(
            f"{name}: a mask of two classes is black and one other colour; this one is {_listed(colour[None])} "
            "and hardly anywhere black; save it white on black, as PNG"
        )
    return stored


def _background_is_black(pixels: np.ndarray, brightness: np.ndarray, stored: Classes) -> bool:
    """Whether at least half of the pixels that are nearer to black than to the foreground's colour are clearly black.
    Without such pixels, only a white mask is accepted as full."""
    clear = np.count_nonzero(brightness < max(FAINT, int(stored.colours[1].max()) // 4))
    if clear >= brightness.size / 2:
        return True
    black = np.count_nonzero(stored.nearest(pixels)[0] == 0)
    return bool(clear >= black / 2 and (black > 0 or int(stored.colours[1].min()) == 255))


def _two_values_mean_classes(classes: Classes) -> bool:
    dark = classes.grey and classes.colours[0, 0] > classes.colours[1, 0]
    return classes.binary and (classes.white_on_black or not dark)


def _refuse_unclear_transparency(pixels: np.ndarray, opacity: np.ndarray, classes: Classes, name: str) -> None:
    """Transparent pixels count as black, so black itself must not be what was drawn."""
    if opacity.any() and not pixels.any():
        raise UserError(
            f"{name}: black and transparent pixels only: which are the foreground? Save it white on black, without "
            "transparency"
        )
    if not _two_values_mean_classes(classes) and (classes.colours[1:] == 0).all(axis=1).any():
        raise UserError(f"{name}: its transparent pixels have no class; save it without transparency")


def _refuse_unclear_black(pixels: np.ndarray, classes: Classes, name: str) -> None:
    """Nothing but 0 in one channel is class 0 in numbered masks, and black in others."""
    black = [title for title, colour in zip(classes.names[1:], classes.colours[1:], strict=True) if not colour.any()]
    if black and pixels.ndim == 2 and not pixels.any() and not _two_values_mean_classes(classes):
        raise UserError(
            f"{name}: every pixel is 0: as a number that is {classes.names[0]}, as a colour {black[0]}; save it in "
            "colours (RGB)"
        )


def _read(path: Path, classes: Classes, image: Stored | None) -> np.ndarray:
    file = read_file(path, several=classes.binary)
    if image and image.orientation != file.orientation:
        raise UserError(
            f"{path}: rotation: its EXIF orientation is {file.orientation}, that of its image is {image.orientation}, "
            "so only one of them is turned; save both upright and without this tag"
        )
    try:
        return labels_of_file(file, classes, path)
    except UserError as error:
        if image and is_mask(image, classes):
            raise UserError(f"{path}: is no mask, but its image is one: are images/ and masks/ swapped?") from error
        raise


def is_mask(file: Stored, classes: Classes) -> bool:
    """Whether a file that should be an image holds a mask instead, with foreground and background."""
    try:
        labels = labels_of_file(file, classes, Path())
    except UserError:
        return False
    return bool(labels.any()) and not labels.all()


def _snap(pixels: np.ndarray, classes: Classes, name: str) -> np.ndarray:
    label, distance = classes.nearest(to_rgb8(pixels))
    if share := _unclear(pixels, classes, label, distance):
        raise UserError(
            f"{name}: {share:.0%} of its foreground has the colour of no class: is this a label picture, "
            "and are --classes and --direction right? If it is, save it as PNG"
        )
    void = distance > classes.void_distance
    if void.any():
        label[void] = _of_neighbours(pixels, label, void, classes)
    label[void] |= VOID_BIT
    return label


def _unclear(pixels: np.ndarray, classes: Classes, label: np.ndarray, distance: np.ndarray) -> float:
    """The share of a lossy picture's foreground (all but the pixels that are clearly of class 0) in patches whose
    colour is far from every class; 0 if this is what compression and resizing leave. label, distance: by
    `Classes.nearest`."""
    from scipy.ndimage import maximum_filter, minimum_filter

    limit = classes.void_distance
    if classes.binary:  # two classes have no void
        limit = max(FAINT * 3**0.5, float(np.linalg.norm(np.diff(classes.colours.astype(float), axis=0))) / 8)
    far = distance > limit
    foreground = np.count_nonzero(far | (label > 0))
    most_even = MAX_EVEN[classes.binary]
    if np.count_nonzero(far) <= most_even * foreground:
        return 0.0
    patches: np.ndarray = minimum_filter(far, PATCH)
    grey = (to_rgb8(pixels).sum(axis=2, dtype=np.uint16) // 3).astype(np.uint8)
    even = maximum_filter(grey, PATCH) - minimum_filter(grey, PATCH) < FAINT
    for found, most in ((patches & even, most_even), (patches, MAX_FAR)):
        if (share := np.count_nonzero(found) / foreground) > most:
            return share
    return 0.0


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
        strange = _distinct(values)
        advice = "it looks like a picture and not like a mask" if _is_picture(values) else "threshold it first"
        raise UserError(
            f"{name}: a mask of two classes holds 0 and one other value, this one holds "
            f"{len(strange)} others: {_listed(strange)}; {advice}"
        )
    # Without any background, only a value that means "full" is accepted: an even grey picture is no mask.
    if inside.all() and values.flat[0] not in (1, np.iinfo(pixels.dtype).max):
        raise UserError(f"{name}: every pixel of this mask is {values.flat[0]}; a full mask holds 1 or 255")
    return np.asarray(inside, np.uint8)


def _is_picture(values: np.ndarray) -> bool:
    """Whether values that are not 0, [N] or [N, 3], are spread as those of a picture are. A mask that was blurred or
    resized holds mostly one value."""
    grey = values if values.ndim == 1 else values.max(axis=1)
    counts = np.unique(grey, return_counts=True)[1]
    return len(counts) > 16 and bool(counts.max() < len(grey) / 2)


def _distinct(values: np.ndarray) -> np.ndarray:
    """The distinct values, sorted, of [N] or [N, 3]."""
    if values.ndim == 1:
        return np.unique(values)
    wide = values.astype(np.uint64)  # np.unique(values, axis=0) takes minutes for a large picture
    packed = np.unique(wide[:, 0] << 32 | wide[:, 1] << 16 | wide[:, 2])
    return np.stack([packed >> 32, packed >> 16 & 0xFFFF, packed & 0xFFFF], axis=1)


def _listed(values: np.ndarray) -> str:
    shown = ", ".join(str(v).replace("\n", "") for v in values[:5].tolist())
    return shown + (", ..." if len(values) > 5 else "")


def _size(array: np.ndarray) -> str:
    return f"{array.shape[1]} x {array.shape[0]} pixels"
