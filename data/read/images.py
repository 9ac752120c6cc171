"""Find pictures in a folder, and read any picture into a numpy array. Errors are one line that names the file."""

import hashlib
import os
import unicodedata
import warnings
from collections.abc import Iterable
from pathlib import Path
from typing import NoReturn

import numpy as np
from PIL import Image, UnidentifiedImageError

from data.read.decode import Page, Stored, decode
from data.read.headers import is_dicom
from data.read.limits import too_large
from util.errors import UserError
from util.faults import is_fault, named

EXTENSIONS = {".jpg", ".jpeg", ".png", ".ppm", ".pgm", ".bmp", ".tif", ".tiff", ".gif", ".webp"}

LONGEST_ID = 150  # bytes

# Pillow only warns about an image that is too large; `refuse_too_large` raises an error that says so.
warnings.filterwarnings("ignore", category=Image.DecompressionBombWarning)


def find_images(folder: Path) -> list[Path]:
    """Every picture in or below `folder`, sorted by path, without hidden files and folders. DICOM files need no
    extension."""
    return [path for path in files_below(folder) if path.suffix.lower() in EXTENSIONS or is_dicom(path)]


def files_below(folder: Path) -> list[Path]:
    """Every file in or below `folder`, sorted. Links are followed. Hidden files and folders are left out: archives made
    on a Mac hold a hidden file beside each real one. OSError: a folder in it cannot be listed."""
    paths: list[Path] = []
    if not folder.is_dir():
        return paths
    seen: set[str] = set()  # a link to a parent folder would otherwise be followed for ever
    for parent, folders, files in os.walk(folder, followlinks=True, onerror=raise_error):
        seen.add(os.path.realpath(parent))
        folders[:] = [f for f in folders if f[0] != "." and os.path.realpath(os.path.join(parent, f)) not in seen]
        paths += [Path(parent, f) for f in files if f[0] != "."]
    return sorted(paths)


def raise_error(error: OSError) -> NoReturn:
    """For os.walk, which else leaves a folder out that it cannot list."""
    raise error


def read_image(path: Path) -> np.ndarray:
    """A picture as [H, W] (grey) or [H, W, 3] (RGB), uint8, or uint16 if it has more than 8 bits. White is 255 or
    65535, however bright the brightest pixel is. UserError: not readable, damaged, too large, several pages."""
    return read_pixels(path)[0]


def read_pixels(path: Path) -> tuple[np.ndarray, bool]:
    """`read_image`'s array, and whether the file's compression changes pixels (JPEG).

    A palette is resolved to its colours. Transparent pixels are put on black. The EXIF orientation is applied, as every
    viewer does. For DICOM see `data.read.dicom.read_dicom`.
    """
    stored = read_file(path)
    return stored.pages[0].pixels, stored.lossy


def read_file(path: Path, several: bool = False) -> Stored:
    """`read_pixels` with everything else that the file says: its transparency, and how it was turned.

    several: a TIFF of several pages, each in `Stored.pages`, is no error. Its thumbnails never count as pages.
    """
    try:
        if path.suffix.lower() not in EXTENSIONS and is_dicom(path):
            from data.read.dicom import read_dicom

            dicom = read_dicom(path)
            return Stored([Page(dicom.pixels)], dicom.lossy)
        return decode(path, several)
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
    except MemoryError:
        raise UserError(f"{path}: not enough memory to read it") from None
    except Exception as error:  # decoders raise nearly anything on damaged files
        if isinstance(error, OSError) and is_fault(error):  # not a bad file, which --skip_bad_files leaves out
            raise named(error, path) from error
        raise UserError(f"{path}: the image is damaged: {error}") from None


def _why_not_an_image(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(8)
    if not start:
        return "the file is empty (0 bytes)"
    if start.startswith((b"\x89PNG", b"\xff\xd8", b"II*\0", b"MM\0*", b"BM", b"GIF8", b"RIFF")):
        return "the image is damaged, or of a kind that cannot be read"
    if is_dicom(path):
        return "a DICOM file; name it .dcm"
    return "not an image: its content is no DICOM, PNG, JPEG, TIFF, BMP, PPM, GIF or WebP"


def safe_ids(paths: Iterable[Path], root: Path) -> list[str]:
    """One id for each path: its stem. Stems that clash are joined with their sub-folders below `root` by `_`, then with
    their extension, then numbered. An id can serve as a file name: no separators, no `..`, at most 150 bytes (and a
    number). Of a longer one its start, its end and a digest of it are left, so that different names stay different."""
    parts = [without_extension(p.relative_to(root) if root in p.parents else Path(p.name)).parts for p in paths]
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
    name = name.replace("\\", "_").replace("/", "_").replace(";", "_").replace("..", "__")
    return "_" if name == "." else _shortened(name)


def _shortened(name: str) -> str:
    raw = name.encode()  # disks count bytes
    if len(raw) <= LONGEST_ID:
        return name
    start, end = (part.decode(errors="ignore") for part in (raw[:60], raw[60 + 10 - LONGEST_ID :]))
    return f"{start}~{hashlib.sha256(raw).hexdigest()[:8]}~{end}"
