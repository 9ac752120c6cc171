"""Write an array as a DICOM file, for the tests of every room."""

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
"""Values that a search finds nowhere else, some of them such as pydicom and highdicom complain about."""


def write_dicom(path: Path, pixels: np.ndarray, syntax: uid.UID = uid.ExplicitVRLittleEndian, **header: object) -> Path:
    """An X-ray of one frame, [H, W] of uint8, uint16 or int16, of a patient whose name must not get about (`PATIENT`).

    syntax: how the pixels are compressed; header: further elements by keyword, None takes one out.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    bits = pixels.dtype.itemsize * 8
    image = Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    values = (
        PATIENT
        | {
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
        | header
    )
    values.setdefault("HighBit", values["BitsStored"] - 1)
    for keyword, value in values.items():
        if value is not None:
            setattr(image, keyword, value)
    image.PixelData = pixels.tobytes()
    image["PixelData"].VR = "OW" if bits > 8 else "OB"
    if frame := _frame(pixels, syntax, values["BitsStored"]):
        image.PixelData = encapsulate([frame])
        image.file_meta.TransferSyntaxUID = syntax
    elif syntax.is_compressed:
        image.compress(syntax, **({"jls_error": 2} if syntax == uid.JPEGLSNearLossless else {}))
    else:
        image.file_meta.TransferSyntaxUID = syntax
    image.save_as(path, enforce_file_format=True)
    return path


def _frame(pixels: np.ndarray, syntax: uid.UID, bits: int) -> bytes | None:
    """The compressed frame; None where pydicom can compress."""
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
