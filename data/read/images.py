"""Find pictures in a folder, and read any picture into a numpy array. Errors are one line that names the file."""

import os
import unicodedata
import warnings
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from data.read.headers import is_dicom
from data.read.limits import refuse_too_large, too_large
from util.errors import UserError

EXTENSIONS = {".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff"}

# Pillow only warns about an image that is too large; `refuse_too_large` raises an error that says so.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def find_images(folder: Path) -> list[Path]:
    """Every picture in or below `folder`, sorted by path, without hidden files and folders. DICOM files need no
    extension."""
    return [path for path in files_below(folder) if path.suffix.lower() in EXTENSIONS or is_dicom(path)]


def files_below(folder: Path) -> list[Path]:
    """Every file in or below `folder`, sorted. Links are followed. Hidden files and folders are left out: archives made
    on a Mac hold a hidden file beside each real one."""
    paths = []
    seen: set[str] = set()  # a link to a parent folder would otherwise be followed for ever
    for parent, folders, files in os.walk(folder, followlinks=True):
        seen.add(os.path.realpath(parent))
        folders[:] = [f for f in folders if f[0] != "." and os.path.realpath(os.path.join(parent, f)) not in seen]
        paths += [Path(parent, f) for f in files if f[0] != "."]
    return sorted(paths)


def read_image(path: Path) -> np.ndarray:
    """A picture as [H, W] (grey) or [H, W, 3] (RGB), uint8, or uint16 for grey of more than 8 bits. White is 255 or
    65535, however bright the brightest pixel is. UserError: not readable, damaged, too large."""
    return read_pixels(path)[0]


def read_pixels(path: Path) -> tuple[np.ndarray, bool]:
    """`read_image`'s array, and whether the file's compression changes pixels (JPEG).

    A palette is resolved to its colours. Transparent pixels are put on black. The EXIF orientation is applied, as every
    viewer does. Of several pages the first is read. For DICOM see `data.read.dicom.read_dicom`.
    """
    try:
        if path.suffix.lower() not in EXTENSIONS and is_dicom(path):
            from data.read.dicom import read_dicom

            dicom = read_dicom(path)
            return dicom.pixels, dicom.lossy
        with Image.open(path) as picture:
            refuse_too_large(path, *picture.size)
            lossy = picture.format == "JPEG" or picture.info.get("compression") == "jpeg"
            ImageOps.exif_transpose(picture, in_place=True)
            return _to_array(picture, path), lossy
    except UserError:
        raise
    except Image.DecompressionBombError:
        raise too_large(path, "its header") from None
    except FileNotFoundError:
        raise UserError(f"{path}: no such file") from None
    except IsADirectoryError:
        raise UserError(f"{path}: a folder, not an image") from None
    except PermissionError:
        raise UserError(f"{path}: no permission to read it") from None
    except UnidentifiedImageError:
        raise UserError(f"{path}: {_why_not_an_image(path)}") from None
    except Exception as error:  # decoders raise nearly anything on damaged files
        raise UserError(f"{path}: the image is damaged: {error}") from None


def _why_not_an_image(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        return "the file is empty (0 bytes)"
    if start.startswith((b"\x89PNG", b"\xff\xd8", b"II*\0", b"MM\0*", b"BM")):
        return "the image is damaged, or of a kind that cannot be read"
    if is_dicom(path):
        return "a DICOM file; name it .dcm"
    return "not an image: its content is no DICOM, PNG, JPEG, TIFF, BMP or PPM"


def _to_array(picture: Image.Image, path: Path) -> np.ndarray:
    mode = picture.mode
    if mode.startswith("I;16"):
        return np.array(picture, np.uint16)
    if mode == "I":
        values = np.asarray(picture)
        if values.min() < 0 or values.max() > 65535:
            raise UserError(f"{path}: 32-bit values from {values.min()} to {values.max()}; convert it to 8 or 16 bit")
        return values.astype(np.uint16)
    if mode == "F":
        values = np.asarray(picture)
        if not (values.min() >= 0 and values.max() <= 1):
            raise UserError(f"{path}: floating point values from {values.min():g} to {values.max():g}; want 0 to 1")
        return np.round(values * 65535).astype(np.uint16)
    if picture.has_transparency_data:
        picture = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", picture.size, (0, 0, 0, 255)), picture)
        return np.array(picture.convert("L" if mode == "LA" else "RGB"))
    if mode in ("1", "L"):
        return np.array(picture.convert("L"))
    return np.array(picture.convert("RGB"))


def safe_ids(paths: Iterable[Path], root: Path) -> list[str]:
    """One id for each path: its stem. Stems that clash are joined with their sub-folders below `root` by `_`, then with
    their extension, then numbered. An id can serve as a file name: no separators, no `..`, at most 150 bytes (and a
    number)."""
    parts = [without_extension(p.relative_to(root) if p.is_relative_to(root) else Path(p.name)).parts for p in paths]
    suffixes = [p.suffix[1:] for p in paths]
    candidates = [lambda i: parts[i][-1], lambda i: "_".join(parts[i]), lambda i: "_".join((*parts[i], suffixes[i]))]
    ids = [_clean(candidates[0](i)) for i in range(len(parts))]
    for candidate in candidates[1:]:
        clashes = _clashes(ids)
        ids = [_clean(candidate(i)) if name.casefold() in clashes else name for i, name in enumerate(ids)]
    seen: set[str] = set()
    for i, name in enumerate(ids):
        number = 2
        while ids[i].casefold() in seen:
            ids[i] = f"{name}_{number}"
            number += 1
        seen.add(ids[i].casefold())
    return ids


def without_extension(path: Path) -> Path:
    """The path without its extension. DICOM files are often named like 1.2.840.10008, whose last number is not an
    extension."""
    return path if path.suffix[1:].isdigit() else path.with_suffix("")


def _clashes(ids: list[str]) -> set[str]:
    # Compared without case: on Windows and macOS A.png and a.png are the same file.
    seen: set[str] = set()
    return {key for key in (name.casefold() for name in ids) if key in seen or seen.add(key)}


def _clean(name: str) -> str:
    name = unicodedata.normalize("NFC", name.encode("utf-8", "replace").decode())
    name = name.replace("\\", "_").replace("/", "_").replace("..", "__")
    name = name.encode()[:150].decode(errors="ignore")  # disks count bytes; half a character at the end is dropped
    return "_" if name == "." else name
