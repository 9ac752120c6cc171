"""Facts about a file that is perhaps DICOM. pydicom is imported only once a DICOM file turns up."""

import sys
from collections.abc import Iterable
from pathlib import Path

from data.read.preamble import without_preamble
from util.errors import UserError
from util.faults import is_fault, named

DICOM_EXTENSIONS = {".dcm", ".dicom"}


def is_dicom(path: Path) -> bool:
    """Whether to read a file as DICOM: because of its extension or, with any other extension, because of its content.
    A DICOMDIR (a disc's table of contents) does not count."""
    if path.suffix.lower() in DICOM_EXTENSIONS:
        return True
    try:
        with path.open("rb") as file:
            start = file.read(132)
    except OSError as error:
        if is_fault(error):
            raise named(error, path) from error
        return False
    return (start[128:] == b"DICM" or without_preamble(start)) and path.name.upper() != "DICOMDIR"


def read_spacing(path: Path) -> tuple[float, float] | None:
    """mm per pixel (rows, columns) by a DICOM header; None if the header has none, or the file is not DICOM."""
    if not is_dicom(path):
        return None
    from data.read.dicom import read_header, spacing_of

    return spacing_of(read_header(path))


def measured_at_detector(path: Path) -> bool:
    """Whether `read_spacing` is a spacing at the detector, where shadows are larger than body parts."""
    if not is_dicom(path):
        return False
    from data.read.dicom import at_detector, read_header

    return at_detector(read_header(path))


def contradicting(paths: Iterable[Path]) -> list[Path]:
    """Those files whose PresentationLUTShape contradicts their PhotometricInterpretation, which is followed.

    Only files whose pixels this process has read are known.
    """
    dicom = sys.modules.get("data.read.dicom")  # imported once a DICOM file turned up
    return [path for path in paths if path in dicom.contradicting] if dicom else []


def forget_contradicting(path: Path) -> bool:
    """Whether `contradicting` knows this file. It is then forgotten, so that memory does not grow with every file."""
    dicom = sys.modules.get("data.read.dicom")
    return dicom is not None and dicom.contradicting.pop(path, None) is not None


def read_patient(path: Path) -> str:
    """The patient's ID in a DICOM header; "" if the header has none, or the file is not DICOM or cannot be read.

    Use it to tell patients apart. Never show or store it.
    """
    if not is_dicom(path):
        return ""
    from data.read.dicom import read_header

    try:
        return str(read_header(path).get("PatientID") or "").strip()  # blanks around it mean nothing
    except (UserError, OSError) as error:
        if is_fault(error):  # without the patient, the image could join another split
            raise
        return ""
