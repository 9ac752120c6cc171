"""Read a DICOM X-ray as the picture a viewer would show.

Patients stay anonymous: no message, warning or log line from here quotes a value of a header, except the technical
values that describe pixels. Import this module only for a file that is DICOM (`data.read.headers`): pydicom is slow to
import.
"""

import copy
import math
import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from pydicom import config, uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import get_frame
from pydicom.errors import InvalidDicomError
from pydicom.pixels.processing import apply_modality_lut, apply_voi

from data.read import jpeg
from data.read.dicom_file import TooMuch, parse
from data.read.limits import refuse_too_large
from util import distributed
from util.errors import UserError
from util.faults import is_fault

SPACINGS = ("PixelSpacing", "ImagerPixelSpacing", "NominalScannedPixelSpacing")  # in the patient, else at the detector
# A header in which one of these cannot be read is damaged. All others may be odd.
TEXTS = ("SOPInstanceUID", "PatientID")
NUMBERS = ("Rows", "Columns", "BitsAllocated", "BitsStored", "PixelRepresentation")
NATIVE = {  # read by pydicom itself
    uid.ImplicitVRLittleEndian,
    uid.ExplicitVRLittleEndian,
    uid.ExplicitVRBigEndian,
    uid.DeflatedExplicitVRLittleEndian,
    uid.RLELossless,
}
NEWER = {  # than pydicom's list of names
    "1.2.840.10008.1.2.4.110": "JPEG XL Lossless",
    "1.2.840.10008.1.2.4.111": "JPEG XL JPEG Recompression",
    "1.2.840.10008.1.2.4.112": "JPEG XL",
    "1.2.840.10008.1.2.8.1": "Deflated Image Frame Compression",
}
MOST_ITEMS = 100_000
"""Of compressed pixel data. One grey frame consists of a few."""

# pydicom's warnings about odd values quote the value, which may be a patient's birth date.
config.settings.reading_validation_mode = config.IGNORE
warnings.filterwarnings("ignore", module=r"pydicom\b")


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

    def parsed() -> Dataset:
        _check(read_header(path), path)
        return parse(path)

    return _picture(parsed, path)


def picture_of(image: Dataset) -> Picture:
    """`read_dicom` for a data set in memory, which is not changed. Without a transfer syntax its pixels are not
    compressed."""
    path = Path("the DICOM data set")

    def copied() -> Dataset:
        own = copy.deepcopy(image)
        own.file_meta = copy.deepcopy(getattr(image, "file_meta", None)) or FileMetaDataset()
        own.file_meta.TransferSyntaxUID = own.file_meta.get("TransferSyntaxUID") or uid.ExplicitVRLittleEndian
        _check(own, path)
        return own

    return _picture(copied, path)


def _picture(whole: Callable[[], Dataset], path: Path) -> Picture:
    """The picture in a DICOM file. whole: gives all of it, checked. path: for errors."""
    try:
        image = whole()
        _complete(image)
        if "PixelData" not in image:
            raise UserError(f"{path}: a DICOM file without an image in it (no pixel data), or one that is cut short")
        values = _values(image, path)
        table = _shades(image, path)
    except (UserError, FileNotFoundError, IsADirectoryError, PermissionError):
        raise
    except TooMuch as error:
        raise UserError(f"{path}: refused, {error}") from None
    except Exception as error:  # pydicom and the decoders raise nearly anything on damage, and quote what they read
        if is_fault(error):
            raise
        raise UserError(f"{path}: the DICOM file is damaged or cut short, its image cannot be decoded") from None
    if values.shape != (image.Rows, image.Columns):
        raise UserError(f"{path}: the DICOM file is damaged: its image has another size than its header says")
    stored = values.astype(np.uint16) & np.uint16(len(table) - 1)  # the bits above may hold anything
    return Picture(table[stored], spacing_of(image), _lossy(image))


def read_header(path: Path) -> Dataset:
    """Everything in a DICOM file up to its pixels. UserError: not a DICOM file, damaged, more elements than a header
    of an image can have."""
    keyword = ""
    try:
        header = parse(path, stop_before_pixels=True)
        for keyword in TEXTS + NUMBERS:
            value = header.get(keyword)  # pydicom interprets a value only now, and fails only now
            if keyword in NUMBERS and value and not isinstance(value, int):
                raise ValueError(keyword)
    except OSError:
        raise
    except TooMuch as error:
        raise UserError(f"{path}: refused, {error}") from None
    except InvalidDicomError:
        raise UserError(f"{path}: {_what_else(path)}") from None
    except Exception:
        part = f"{keyword} in its header" if keyword else "its header"
        raise UserError(f"{path}: the DICOM file is damaged or cut short, {part} cannot be read") from None
    return header


def spacing_of(header: Dataset) -> tuple[float, float] | None:
    """mm per pixel (rows, columns): PixelSpacing, else ImagerPixelSpacing, else NominalScannedPixelSpacing. None if
    none of them holds two positive numbers.

    ImagerPixelSpacing is measured at the detector, where the shadow of a body part is larger than the part. It is
    divided by EstimatedRadiographicMagnificationFactor if the header has one; see `at_detector`.
    """
    return _spacing(header)[0]


def at_detector(header: Dataset) -> bool:
    """Whether `spacing_of` is a spacing at the detector or on film and not in the patient."""
    return _spacing(header)[1]


def _spacing(header: Dataset) -> tuple[tuple[float, float] | None, bool]:
    for keyword in SPACINGS:
        values = _floats(header, keyword)
        if len(values) != 2:
            continue
        if keyword == "ImagerPixelSpacing" and (factor := _floats(header, "EstimatedRadiographicMagnificationFactor")):
            return (values[0] / factor[0], values[1] / factor[0]), False
        return (values[0], values[1]), keyword != "PixelSpacing"
    return None, False


def _floats(header: Dataset, keyword: str) -> list[float]:
    """The values of an element if all are positive numbers, else []."""
    try:
        value = header.get(keyword)
        values = [float(v) for v in (value if isinstance(value, Sequence) and not isinstance(value, str) else [value])]
    except Exception:  # no numbers, or of a kind that pydicom does not know
        return []
    return values if all(0 < v < math.inf for v in values) else []


def _complete(header: Dataset) -> None:
    """Give elements that files lack or leave empty their only possible value."""
    if header.get("SamplesPerPixel") is None:
        header.SamplesPerPixel = 1  # a grey image has no other
    if header.get("HighBit") is None and header.get("BitsStored"):
        header.HighBit = header.BitsStored - 1
    for keyword, neutral in (("RescaleSlope", 1), ("RescaleIntercept", 0)):
        if keyword in header and header.get(keyword) in (None, ""):
            setattr(header, keyword, neutral)
    for keyword in ("ModalityLUTSequence", "VOILUTSequence"):
        tables = [item for item in header.get(keyword) or () if item.get("LUTDescriptor") and item.get("LUTData")]
        if keyword in header and len(tables) < len(header[keyword].value or ()):
            setattr(header, keyword, tables)


def _check(header: Dataset, path: Path) -> None:
    """UserError if the header does not describe one grey image of up to 16 bits that can be decoded."""
    if not header.get("Rows") or not header.get("Columns"):
        raise UserError(f"{path}: a DICOM file without an image in it (no pixel data)")
    _complete(header)
    refuse_too_large(path, header.Columns, header.Rows)
    frames = int(header.get("NumberOfFrames") or 1)
    if frames != 1:
        raise UserError(f"{path}: a DICOM file of {frames} frames; save the one you mean as a file of its own")
    photometric = header.get("PhotometricInterpretation")
    if photometric not in ("MONOCHROME1", "MONOCHROME2") or header.SamplesPerPixel != 1:
        raise UserError(f"{path}: a DICOM image in colour; X-rays are grey (MONOCHROME1 or MONOCHROME2)")
    for keyword in ("BitsAllocated", "BitsStored", "PixelRepresentation"):
        if header.get(keyword) is None:
            raise UserError(f"{path}: its DICOM header has no {keyword}, so its pixels cannot be understood")
    if header.BitsAllocated > 16 or not 1 <= header.BitsStored <= header.BitsAllocated:
        raise UserError(
            f"{path}: a DICOM image of {header.BitsStored} bits stored in {header.BitsAllocated}; 1 to 16 can be read"
        )
    if header.HighBit != header.BitsStored - 1:
        raise UserError(
            f"{path}: a DICOM image of {header.BitsStored} bits whose highest is bit {header.HighBit}; the "
            f"standard wants bit {header.BitsStored - 1}"
        )
    syntax = header.file_meta.TransferSyntaxUID
    if syntax not in NATIVE and syntax not in jpeg.SYNTAXES:
        raise UserError(
            f"{path}: a DICOM image whose compression ({NEWER.get(syntax, syntax.name)}) cannot be read here; convert "
            "it to an uncompressed one with a program that knows it"
        )
    shape = header.get("PresentationLUTShape")
    if shape and shape != ("IDENTITY" if photometric == "MONOCHROME2" else "INVERSE"):
        _warn_of_shape(path, photometric)


contradicting: dict[Path, str] = {}
"""The files read so far whose PresentationLUTShape contradicts PhotometricInterpretation, and the latter."""
_warned: set[str] = set()


def _warn_of_shape(path: Path, photometric: str) -> None:
    """Say once a process, for the first of perhaps thousands of files, which of two contradicting elements counts."""
    contradicting[path] = photometric
    if photometric not in _warned:
        _warned.add(photometric)
        distributed.say(
            f"{path}: PresentationLUTShape contradicts PhotometricInterpretation {photometric}; the latter is "
            "followed, as viewers do, in this file and all further ones; check that bone is bright",
            file=sys.stderr,
        )


def _values(image: Dataset, path: Path) -> np.ndarray:
    """The stored values [H, W]; of BitsStored bits, and perhaps further ones above."""
    syntax = image.file_meta.TransferSyntaxUID
    if syntax not in jpeg.SYNTAXES:
        return image.pixel_array
    if image.PixelData.count(b"\xfe\xff\x00\xe0") > MOST_ITEMS:
        raise UserError(f"{path}: the DICOM file is damaged: its one image is in more than {MOST_ITEMS:,} pieces")
    try:
        source = get_frame(image.PixelData, 0, number_of_frames=1)
        values, frame = jpeg.decode(source, syntax, image.Rows, image.Columns)
    except UserError as error:
        raise UserError(f"{path}: the DICOM file contradicts itself: {error}") from None
    bits, signed = image.BitsStored, image.PixelRepresentation == 1
    values = values.astype(np.int32)
    if signed and not frame.signed:  # two's complement in the frame's own number of bits
        values = np.where(values < 2 ** (frame.bits - 1), values, values - 2**frame.bits)
    low, high = int(values.min()), int(values.max())
    if low < 0 and not signed:
        raise UserError(
            f"{path}: the DICOM file contradicts itself: its header says PixelRepresentation 0 (no sign), its "
            f"compressed image has values down to {low}"
        )
    if low < -(2 ** (bits - 1)) or high >= 2**bits:
        raise UserError(
            f"{path}: the DICOM file contradicts itself: its header says BitsStored {bits}, its compressed image has "
            f"values from {low} to {high}"
        )
    return values


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
    return image.file_meta.TransferSyntaxUID in jpeg.LOSSY or image.get("LossyImageCompression") == "01"


def _what_else(path: Path) -> str:
    with path.open("rb") as file:
        start = file.read(4)
    if not start:
        return "the file is empty (0 bytes)"
    for name, magic in (("PNG", b"\x89PNG"), ("JPEG", b"\xff\xd8"), ("TIFF", b"II*\0"), ("TIFF", b"MM\0*")):
        if start.startswith(magic):
            return f"not a DICOM file but a {name}; give it that extension"
    return "not a DICOM file (no DICM at byte 128)"
