"""Pages of a TIFF file: which there are, and the pixels of those that Pillow cannot open or would cut to 8 bits."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from util.errors import UserError

# Pillow warns about what it then refuses or ignores.
warnings.filterwarnings("ignore", category=UserWarning, module=r"PIL\.TiffImagePlugin")

MAGIC = (b"II*\0", b"MM\0*", b"II+\0", b"MM*\0", b"II\0*")
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB = 0, 1, 2
MULTIPLIED = 1
LOSSY = {6, 7, 34712, 34887, 34892, 50001}
"""Compressions that change pixels, or may: JPEG (old and new), JPEG 2000, LERC, lossy DNG, WebP."""
REDUCED = 0b101
"""Bits of NewSubfileType: the page is a smaller copy of another page (a thumbnail), or its transparency mask."""
MOST_PAGES, MOST_BYTES = 1000, 2**30


@dataclass(frozen=True)
class Directory:
    """What the tags of one page say. index: its place in the file. bits, format: of one sample; the format is 1 for
    unsigned, 2 for signed, 3 for floating point. alpha: 0 if it has none, 1 if colours are already multiplied by it,
    else 2. lossy: its compression may change pixels. reduced: a smaller copy of another page, or its transparency."""

    index: int
    size: tuple[int, int]
    bits: int
    format: int
    samples: int
    photometric: int
    planar: bool
    alpha: int
    orientation: int
    lossy: bool
    reduced: bool

    @property
    def raw(self) -> bool:
        """True if Pillow would lose something, so that the page is for `decode`: more than 8 bits, signed or floating
        point samples, grey with alpha. (Grey of 12 bits is packed, which only Pillow unpacks.)"""
        return self.bits in (16, 32, 64) or self.format != 1 or self.samples == 2


def directories(file: BinaryIO) -> list[Directory]:
    """The pages of a TIFF file, without thumbnails. ValueError: too many pages. Raises any exception if damaged."""
    from PIL.TiffImagePlugin import ImageFileDirectory_v2

    file.seek(0)
    header = file.read(8)
    if header[2:3] == b"+":  # BigTIFF
        header += file.read(8)
    tags = ImageFileDirectory_v2(header)
    pages, seen, place = [], set(), tags.next
    while place and place not in seen:
        if len(pages) == MOST_PAGES:
            raise ValueError(f"more than {MOST_PAGES} pages")
        seen.add(place)
        file.seek(place)
        tags.load(file)
        pages.append(_directory(len(pages), tags))
        place = tags.next
    return [page for page in pages if not page.reduced] or pages


def _directory(index: int, tags: Any) -> Directory:
    def first(tag: int, default: int) -> int:
        value = tags.get(tag, default)
        value = value[0] if isinstance(value, tuple) else value
        return int(value)

    height, rows = first(257, 0), first(278, 0)
    if 0 < rows < height and 273 in tags and len(tags[273]) * rows < height:  # Pillow would leave the rest black
        raise ValueError("it has fewer rows of pixels than its header says")
    samples, photometric = first(277, 1), first(262, BLACK_IS_ZERO)
    extra = samples - (3 if photometric == RGB else 1)
    # Writers that do not say what the fourth sample is mean transparency; 0 says that it is something else.
    alpha = first(338, 2) if extra == 1 and photometric <= RGB else 0
    return Directory(
        index=index,
        size=(first(256, 0), height),
        bits=first(258, 1),
        format=1 if (kind := first(339, 1)) == 4 else kind,
        samples=samples,
        photometric=photometric,
        planar=first(284, 1) == 2,
        alpha=alpha,
        orientation=first(274, 1),
        lossy=first(259, 1) in LOSSY,
        reduced=bool(first(254, 0) & REDUCED) or first(255, 0) == 2,
    )


def decode(data: bytes, page: Directory, path: Path) -> tuple[np.ndarray, np.ndarray | None]:
    """The pixels [H, W] or [H, W, 3] of a raw page as it is stored (not yet turned), uint8 or uint16 with black at 0,
    and its opacity [H, W], None without any. UserError: a kind of pixels without a clear meaning. Raises any exception
    if the page is damaged."""
    import imagecodecs

    colours = 3 if page.photometric == RGB else 1
    if page.photometric > RGB or not colours <= page.samples <= colours + 1:
        raise UserError(
            f"{path}: a TIFF of {page.samples} x {page.bits} bits and photometric kind {page.photometric}; convert it "
            "to grey or RGB"
        )
    if (size := page.size[0] * page.size[1] * page.samples * page.bits // 8) > MOST_BYTES:
        raise UserError(f"{path}: refused, its pixels take {size:,} bytes; convert it to 8 or 16 bits")
    values = imagecodecs.tiff_decode(data, index=page.index)
    if page.planar and values.ndim == 3:
        values = np.moveaxis(values, 0, 2)
    values = values[:, :, None] if values.ndim == 2 else values
    if values.shape != (page.size[1], page.size[0], page.samples):
        raise ValueError(f"its pixels have the shape {values.shape}, its header says another")
    pixels = np.ascontiguousarray(to_integers(values, path))
    opacity = np.array(pixels[:, :, colours]) if page.alpha else None
    pixels = pixels[:, :, :colours]
    if page.photometric == WHITE_IS_ZERO:
        if values.dtype.kind != "f" and values.dtype not in (np.uint8, np.uint16):
            raise UserError(f"{path}: {page.bits}-bit values of a TIFF whose white is 0: which is black? Convert it")
        pixels = np.iinfo(pixels.dtype).max - pixels
    if opacity is not None and page.alpha != MULTIPLIED:
        pixels = on_black(pixels, opacity)
    return np.array(pixels[:, :, 0] if colours == 1 else pixels), opacity


def to_integers(values: np.ndarray, path: Path) -> np.ndarray:
    """Samples of any type as uint8 or uint16. UserError: values out of range."""
    if values.dtype in (np.uint8, np.uint16):
        return values
    low, high = values.min(), values.max()
    if values.dtype.kind == "f":
        if not (low >= 0 and high <= 1):
            raise UserError(f"{path}: floating point values from {low:g} to {high:g}; want 0 to 1")
        scaled = (values.astype(np.float32) if values.itemsize < 4 else values) * 65535
        return np.round(scaled, out=scaled).astype(np.uint16)
    if low < 0 or high > 65535:
        raise UserError(f"{path}: {8 * values.itemsize}-bit values from {low} to {high}; convert it to 8 or 16 bit")
    return values.astype(np.uint8 if values.itemsize == 1 else np.uint16)


def on_black(pixels: np.ndarray, opacity: np.ndarray) -> np.ndarray:
    """Pixels [H, W, C] of uint8 or uint16 laid on black, with their opacity [H, W] of the same type."""
    most = np.iinfo(pixels.dtype).max
    laid = np.empty(pixels.shape, pixels.dtype)
    for channel in range(pixels.shape[2]):  # one by one, because products take four bytes each
        product = pixels[:, :, channel].astype(np.uint32) * opacity
        product += most // 2
        product //= most
        laid[:, :, channel] = product
    return laid
