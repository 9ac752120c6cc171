"""Read a DICOM X-ray as the picture a viewer would show.

Patients stay anonymous: no message, warning or log line from here quotes a value of a header, except the technical
values that describe pixels. Import this module only for a file that is DICOM (`data.read.headers`): pydicom is slow to
import.
"""

import math
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import config, dcmread
from pydicom.dataset import Dataset
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_modality_lut, apply_voi
from pydicom.uid import JPEG2000, JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless

from data.read import jpeg
from data.read.limits import refuse_too_large
from util.errors import UserError

LOSSY = {JPEGBaseline8Bit, JPEGExtended12Bit, JPEGLSNearLossless, JPEG2000}
SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")  # in the patient, else at the detector

# pydicom's warnings about odd values quote the value, which may be a patient's birth date.
config.settings.reading_validation_mode = config.IGNORE
warnings.filterwarnings("ignore", module=r"pydicom\b")
jpeg.register()


@dataclass(frozen=True)
class Picture:
    """pixels: [H, W], uint8 or uint16; 0 is black, 255 or 65535 white. spacing: mm per pixel (rows, columns), None if
    the header has none. lossy: the file's compression changed pixels."""

    pixels: np.ndarray
    spacing: tuple[float, float] | None
    lossy: bool


def read_dicom(path: Path) -> Picture:
    """The pixels [H, W] of a DICOM file with one grey image: uint8 up to 8 bits stored, else uint16.

    The modality LUT or rescale is applied, then the first VOI LUT or window. That window becomes the range from black
    to white. Without one, the range is that of the stored bits, however bright the brightest pixel is. MONOCHROME1 is
    inverted. (PS3.3 C.11.1, C.11.2, C.7.6.3.1.2.) A window without width, which the standard forbids, is ignored.

    UserError: not DICOM, no image in it, several frames, colour, more than 16 bits, too large, damaged.
    """
    try:
        header = read_header(path)
        _check(header, path)
        image = dcmread(path)
        if "PixelData" not in image:
            raise UserError(f"{path}: a DICOM file without an image in it (no pixel data), or one that is cut short")
        values = image.pixel_array
        table = _shades(image, path)
    except (UserError, FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except Exception:  # pydicom and the decoders raise nearly anything on damaged files, and quote what they read
        raise UserError(f"{path}: the DICOM file is damaged or cut short, its image cannot be decoded") from None
    if values.shape != (image.Rows, image.Columns):
        raise UserError(f"{path}: the DICOM file is damaged: its image has another size than its header says")
    stored = values.astype(np.uint16) & np.uint16(len(table) - 1)  # the bits above may hold anything
    return Picture(table[stored], spacing_of(image), _lossy(image))


def read_header(path: Path) -> Dataset:
    """Everything in a DICOM file up to its pixels. UserError: not a DICOM file."""
    try:
        return dcmread(path, stop_before_pixels=True)
    except OSError:
        raise
    except InvalidDicomError:
        raise UserError(f"{path}: {_what_else(path)}") from None
    except Exception:
        raise UserError(f"{path}: the DICOM file is damaged or cut short, its header cannot be read") from None


def spacing_of(header: Dataset) -> tuple[float, float] | None:
    """mm per pixel (rows, columns): PixelSpacing, else ImagerPixelSpacing, else NominalScannedPixelSpacing. None if
    none of them holds two positive numbers."""
    for keyword in SPACINGS:
        try:
            rows, columns = (float(value) for value in header.get(keyword) or ())
        except (TypeError, ValueError):
            continue
        if 0 < rows < math.inf and 0 < columns < math.inf:
            return rows, columns
    return None


def _check(header: Dataset, path: Path) -> None:
    """UserError if the header does not describe one grey image of up to 16 bits."""
    if not header.get("Rows") or not header.get("Columns"):
        raise UserError(f"{path}: a DICOM file without an image in it (no pixel data)")
    refuse_too_large(path, header.Columns, header.Rows)
    frames = int(header.get("NumberOfFrames") or 1)
    if frames != 1:
        raise UserError(f"{path}: a DICOM file of {frames} frames; save the one you mean as a file of its own")
    grey = header.get("PhotometricInterpretation") in ("MONOCHROME1", "MONOCHROME2")
    if not grey or header.get("SamplesPerPixel", 1) != 1:
        raise UserError(f"{path}: a DICOM image in colour; X-rays are grey (MONOCHROME1 or MONOCHROME2)")
    if header.BitsAllocated > 16 or not 1 <= header.BitsStored <= header.BitsAllocated:
        raise UserError(
            f"{path}: a DICOM image of {header.BitsStored} bits stored in {header.BitsAllocated}; 1 to 16 can be read"
        )
    if header.HighBit != header.BitsStored - 1:
        raise UserError(
            f"{path}: a DICOM image of {header.BitsStored} bits whose highest is bit {header.HighBit}; the "
            f"standard wants bit {header.BitsStored - 1}"
        )


def _shades(image: Dataset, path: Path) -> np.ndarray:
    """The shade, uint8 or uint16, of every value that the stored bits can hold: [2 ** BitsStored].

    A table of at most 65536 shades is faster to compute than the shades of millions of pixels.
    """
    bits = image.BitsStored
    stored = np.arange(2**bits)
    if image.PixelRepresentation == 1:
        stored = np.where(stored < 2 ** (bits - 1), stored, stored - 2**bits)
    values = np.asarray(apply_modality_lut(stored, image), dtype=np.float64)
    shades = _windowed(values, image)
    if shades is None:
        modality = image.get("ModalityLUTSequence")
        low, high = (0, _last(modality[0])) if modality else (values.min(), values.max())
        if low == high:
            raise UserError(
                f"{path}: its DICOM header makes all values equal (RescaleSlope {image.get('RescaleSlope')})"
            )
        shades = (values - low) / (high - low)
    if image.PhotometricInterpretation == "MONOCHROME1":
        shades = 1 - shades
    kind = np.uint8 if bits <= 8 else np.uint16
    return np.round(np.clip(shades, 0, 1) * np.iinfo(kind).max).astype(kind)  # a LUT may break its own bounds


def _windowed(values: np.ndarray, image: Dataset) -> np.ndarray | None:
    """Values after the first VOI LUT, else the first window (PS3.3 C.11.2.1.2): 0..1 inside the window. None if the
    header has neither."""
    if tables := image.get("VOILUTSequence"):
        return apply_voi(np.round(values).astype(np.int64), image) / _last(tables[0])
    center, width = (_first(image.get(keyword)) for keyword in ("WindowCenter", "WindowWidth"))
    function = image.get("VOILUTFunction")
    exact = function in ("LINEAR_EXACT", "SIGMOID")
    if center is None or width is None or not (width >= 1 or (exact and width > 0)):
        return None
    if function == "SIGMOID":
        return 1 / (1 + np.exp(np.clip(-4 * (values - center) / width, -700, 700)))
    if not exact:  # the standard's LINEAR is off by half a value: a window of width 1 is a threshold
        center, width = center - 0.5, width - 1
    if width == 0:
        return (values > center).astype(np.float64)
    return (values - center) / width + 0.5


def _last(table: Dataset) -> int:
    """The largest value that a LUT's entries can have, by the number of bits it declares."""
    return 2 ** int(table.LUTDescriptor[2]) - 1


def _first(value: Any) -> float | None:
    """The value of a DICOM element as a number: the first of several, None for none."""
    if isinstance(value, Sequence) and not isinstance(value, str):
        value = value[0] if value else None
    return None if value is None or value == "" else float(value)


def _lossy(image: Dataset) -> bool:
    return image.file_meta.TransferSyntaxUID in LOSSY or image.get("LossyImageCompression") == "01"


def _what_else(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        return "the file is empty (0 bytes)"
    for name, magic in (("PNG", b"\x89PNG"), ("JPEG", b"\xff\xd8"), ("TIFF", b"II*\0"), ("TIFF", b"MM\0*")):
        if start.startswith(magic):
            return f"not a DICOM file but a {name}; give it that extension"
    return "not a DICOM file (no DICM at byte 128)"
