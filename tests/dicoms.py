"""Write arrays as DICOM files, for the tests of every room."""

import io
from pathlib import Path

import imagecodecs
import numpy as np
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.encaps import encapsulate

PATIENT = {
    "PatientName": "Zzyzx Quillon",
    "PatientID": "MRN-7740913",
    "PatientBirthDate": "19370229",
    "StudyDate": "20190817",
    "StudyTime": "174311",
    "AccessionNumber": "ACC5561207",
    "StudyID": "STDY8831",
    "ReferringPhysicianName": "Vroomfondel^Dr",
    "InstitutionName": "Blorptown General",
    "StudyDescription": "Thrax Kwibble",
    "OtherPatientIDs": "ALT-3390021",
    "PatientComments": "Likes jazzercise",
}
"""Values that a search finds nowhere else. pydicom and highdicom complain about some of them."""


def write_dicom(path: Path, pixels: np.ndarray, syntax: uid.UID = uid.ExplicitVRLittleEndian, **header: object) -> Path:
    """Write an X-ray of one frame, [H, W] of uint8, uint16 or int16, with the private data of `PATIENT`.

    syntax: how the pixels are compressed. header: further elements by keyword; None leaves one out.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    elements = _elements(pixels) | header
    elements.setdefault("HighBit", elements["BitsStored"] - 1)
    for keyword, value in elements.items():
        if value is not None:
            setattr(image, keyword, value)
    image.PixelData = pixels.tobytes()
    image["PixelData"].VR = "OW" if pixels.dtype.itemsize > 1 else "OB"
    if frame := _frame(pixels, syntax, elements["BitsStored"]):
        image.PixelData = encapsulate([frame])
        image.file_meta.TransferSyntaxUID = syntax
    elif syntax.is_compressed:
        image.compress(syntax, **({"jls_error": 2} if syntax == uid.JPEGLSNearLossless else {}))
    else:
        image.file_meta.TransferSyntaxUID = syntax
    image.save_as(path, enforce_file_format=True)
    return path


def _elements(pixels: np.ndarray) -> dict:
    """The header of an X-ray of the chest with these pixels."""
    bits = pixels.dtype.itemsize * 8
    return PATIENT | {
        "SOPClassUID": uid.ComputedRadiographyImageStorage,
        "SOPInstanceUID": uid.generate_uid(),
        "Modality": "CR",
        "StudyInstanceUID": uid.generate_uid(),
        "SeriesInstanceUID": uid.generate_uid(),
        "SeriesNumber": 1,
        "InstanceNumber": 1,
        "BodyPartExamined": "CHEST",
        "Rows": pixels.shape[0],
        "Columns": pixels.shape[1],
        "SamplesPerPixel": 1,
        "PhotometricInterpretation": "MONOCHROME2",
        "BitsAllocated": bits,
        "BitsStored": bits,
        "PixelRepresentation": int(pixels.dtype.kind == "i"),
    }


def _frame(pixels: np.ndarray, syntax: uid.UID, bits: int) -> bytes | None:
    """The compressed frame; None if pydicom can compress it itself."""
    if syntax in (uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit):
        return imagecodecs.jpeg8_encode(pixels, level=95, bitspersample=bits)
    if syntax in (uid.JPEGLossless, uid.JPEGLosslessSV1):
        return imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=bits)
    if syntax in (uid.JPEG2000, uid.JPEG2000Lossless):
        frame = io.BytesIO()
        lossy = {"irreversible": True, "quality_layers": [2]} if syntax == uid.JPEG2000 else {}
        Image.fromarray(pixels).save(frame, "JPEG2000", no_jp2=True, **lossy)
        return frame.getvalue()
    return None
