"""From a picture file to arrays, whatever its format: black is 0, every bit is kept, the picture is upright."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError
from PIL.ImageFile import ImageFile
from PIL.PpmImagePlugin import PpmImageFile
from PIL.TiffImagePlugin import TiffImageFile

from data.read import tiff
from data.read.limits import refuse_too_large
from util.errors import UserError

ORIENTATION = 0x0112


@dataclass(frozen=True)
class Page:
    """pixels: [H, W] or [H, W, 3], uint8 or uint16, transparent pixels on black. opacity: [H, W], 0 where transparent;
    None if the file has no transparency."""

    pixels: np.ndarray
    opacity: np.ndarray | None = None


@dataclass(frozen=True)
class Stored:
    """What a file holds. lossy: its compression changes pixels. orientation: 1, or the EXIF orientation (2 to 8) by
    which the stored pixels were turned or mirrored to give `pages`."""

    pages: list[Page]
    lossy: bool
    orientation: int = 1


def decode(path: Path, several: bool) -> Stored:
    """The pages of a picture file that is not DICOM. several: there may be more than one.

    UserError: too large, several pages, values without a clear meaning. Raises any exception if the file is damaged.
    """
    with path.open("rb") as file:  # a file that Pillow opens by path may be mapped, and a map is turned wrongly
        start = file.read(32)
        file.seek(0)
        if start[:4] in tiff.MAGIC:
            return _decode_tiff(file, path, several)
        with Image.open(file) as picture:
            count = 1 if picture.format == "MPO" else getattr(picture, "n_frames", 1)  # MPO: a photo and its preview
            _check(path, picture.size, count, several)
            lossy = picture.format in ("JPEG", "MPO") or (picture.format == "WEBP" and _lossy_webp(path))
            deep = picture.format == "PNG" and start[24] == 16
            if deep and (start[25] or "transparency" in picture.info):
                orientation = _orientation(picture)
                return Stored([_deep_png(path, orientation)], lossy, orientation)
            if ppm := _deep_ppm(picture, path):
                return Stored([ppm], lossy)
            pages, orientation = [], 1
            for index in range(count):
                if count > 1:
                    picture.seek(index)
                picture.load()
                orientation = _orientation(picture)
                ImageOps.exif_transpose(picture, in_place=True)
                pages.append(_page(picture, path))
            return Stored(pages, lossy, orientation)


def from_pillow(picture: Image.Image, path: Path) -> np.ndarray:
    """`Page.pixels` of a picture that Pillow has opened or made. path: for errors. UserError: too large, or a file in
    which `decode` finds other pixels. (Of a PNG or PPM this is known only until Pillow has loaded its pixels.)"""
    refuse_too_large(path, *picture.size)
    if isinstance(picture, ImageFile) and (reason := _not_as_stored(picture)):
        raise UserError(f"{path}: {reason}; give the path of its file instead")
    return _page(ImageOps.exif_transpose(picture), path).pixels


def _not_as_stored(picture: ImageFile) -> str:
    """Why a picture that Pillow has opened is not what its file holds; "" if it is."""
    if picture.format != "MPO" and (count := getattr(picture, "n_frames", 1)) > 1:
        return f"one of {count} pages"
    way = str(picture.tile[0].args) if picture.tile else ""
    grey = picture.mode.startswith("I") and "transparency" not in picture.info
    if (picture.format == "PNG" and ";16" in way and not grey) or _most_in_ppm(picture) > 255:
        return "16-bit colour or transparency, cut by Pillow to 8 bits"
    if isinstance(picture, TiffImageFile):
        return _tiff_not_as_stored(*(picture.tag_v2.get(tag) for tag in (258, 339, 262, ORIENTATION)))
    return ""


def _tiff_not_as_stored(depths: Any, formats: Any, photometric: Any, orientation: Any) -> str:
    """`_not_as_stored` by the tags of a TIFF; None for one that it lacks."""
    bits, samples = max(depths or (1,)), len(depths or (1,))
    if bits > 8 and photometric == tiff.WHITE_IS_ZERO:
        return f"a TIFF of {bits} bits whose white is 0, which Pillow does not invert"
    if (bits > 8 and samples > 1) or bits == 12 or (bits == 8 and (samples == 2 or 2 in (formats or ()))):
        return f"a TIFF of {samples} x {bits} bits whose range Pillow does not keep"
    if orientation in (5, 6, 7, 8):
        return "a TIFF that lies on its side, which Pillow may turn wrongly"
    return ""


def _decode_tiff(file: BinaryIO, path: Path, several: bool) -> Stored:
    directories = tiff.directories(file)
    first = directories[0]
    _check(path, first.size, len(directories), several)
    pages = []
    for directory in directories:
        refuse_too_large(path, *directory.size)
        if directory.raw:
            file.seek(0)
            pixels, opacity = tiff.decode(file.read(), directory, path)
            turn = directory.orientation
            pages.append(Page(_turned(pixels, turn), None if opacity is None else _turned(opacity, turn)))
        else:
            pages.append(_tiff_page(file, directory, path))
    return Stored(pages, any(directory.lossy for directory in directories), _known(first.orientation))


def _tiff_page(file: BinaryIO, directory: tiff.Directory, path: Path) -> Page:
    """A page of up to 8 bits, or of 12. Pillow turns it itself."""
    file.seek(0)
    try:
        with Image.open(file) as picture:
            picture.seek(directory.index)
            page = _page(picture, path)
    except UnidentifiedImageError:
        kind = f"{directory.samples} x {directory.bits} bits, photometric kind {directory.photometric}"
        raise UserError(f"{path}: a TIFF of a kind that cannot be read ({kind}); convert it to PNG") from None
    if directory.bits == 12:
        return Page(np.round(page.pixels * (65535 / 4095)).astype(np.uint16))
    return page


def _check(path: Path, size: tuple[int, int], pages: int, several: bool) -> None:
    if pages > 1 and not several:
        raise UserError(f"{path}: a file of {pages} pages; save the one you mean as a file of its own")
    refuse_too_large(path, size[0], size[1] * pages)


def _page(picture: Image.Image, path: Path) -> Page:
    """The picture that Pillow read, upright."""
    mode = picture.mode
    if mode.startswith("I;16"):
        return Page(np.array(picture, np.uint16))
    if mode in ("I", "F"):
        return Page(tiff.to_integers(np.asarray(picture), path))
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        opacity = np.array(picture.getchannel("A"))
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (0, 0, 0, 255)), picture)
        return Page(np.array(picture.convert("L" if mode == "LA" else "RGB")), opacity)
    return Page(np.array(picture.convert("L" if mode in ("1", "L") else "RGB")))


def _deep_png(path: Path, orientation: int) -> Page:
    """A PNG of 16 bits with colour or transparency, which Pillow would cut to 8 bits."""
    import imagecodecs

    pixels = _turned(imagecodecs.png_decode(path.read_bytes()), orientation)
    colours = pixels.shape[2] - (pixels.shape[2] in (2, 4))
    opacity = np.array(pixels[:, :, colours]) if colours < pixels.shape[2] else None
    pixels = pixels[:, :, :colours]
    if opacity is not None:
        pixels = tiff.on_black(pixels, opacity)
    return Page(np.array(pixels[:, :, 0]) if colours == 1 else np.array(pixels), opacity)


def _deep_ppm(picture: ImageFile, path: Path) -> Page | None:
    """A PPM of 16-bit colour, which Pillow would cut to 8 bits; None if the picture is anything else."""
    if (most := _most_in_ppm(picture)) <= 255:
        return None
    tile = picture.tile[0]
    if tile.codec_name != "ppm":
        raise UserError(f"{path}: a PPM of 16-bit colour, written as text, is not read; convert it to PNG")
    width, height = picture.size
    values = np.frombuffer(path.read_bytes(), ">u2", 3 * width * height, tile.offset).reshape(height, width, 3)
    return Page(np.round(np.minimum(values, most) * np.float32(65535 / most)).astype(np.uint16))


def _most_in_ppm(picture: ImageFile) -> int:
    """The value of white in a PPM in colour that Pillow has not loaded yet; 0 for any other picture."""
    if not isinstance(picture, PpmImageFile) or picture.mode != "RGB" or not picture.tile:
        return 0
    args = picture.tile[0].args
    return most if isinstance(args, tuple) and isinstance(most := args[-1], int) else 0


def _lossy_webp(path: Path) -> bool:
    """Whether a WebP file holds anything but one picture of lossless data (chunk VP8L)."""
    with path.open("rb") as file:
        file.seek(12)
        while len(head := file.read(8)) == 8:
            if head[:4] in (b"VP8 ", b"ANMF"):
                return True
            size = int.from_bytes(head[4:], "little")
            file.seek(size + size % 2, 1)
    return False


def _orientation(picture: Image.Image) -> int:
    return _known(picture.getexif().get(ORIENTATION, 1))


def _known(orientation: Any) -> int:
    """Viewers take an orientation that does not exist for upright."""
    return orientation if orientation in range(2, 9) else 1


def _turned(pixels: np.ndarray, orientation: int) -> np.ndarray:
    """[H, W] or [H, W, C], stored with this EXIF orientation, upright."""
    if orientation in (5, 6, 7, 8):
        pixels = np.swapaxes(pixels, 0, 1)
    rows = slice(None, None, -1 if orientation in (3, 4, 7, 8) else 1)
    columns = slice(None, None, -1 if orientation in (2, 3, 6, 7) else 1)
    return np.ascontiguousarray(pixels[rows, columns])
