"""--write dicomseg: write predicted masks as DICOM Segmentation objects that refer to their X-rays."""

from __future__ import annotations

import io
import re
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from pydicom.config import RAISE
from pydicom.dataelem import DataElement
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue
from pydicom.uid import UID as Identifier
from pydicom.uid import DeflatedExplicitVRLittleEndian
from pydicom.valuerep import DA, TM

from data.base import PairedDataset
from data.classes import UNNAMED
from data.read.dicom import read_header
from data.read.headers import is_dicom
from util import distributed
from util.contracts import ClassMap
from util.errors import UserError
from util.files import read_json, replacing

if TYPE_CHECKING:  # highdicom takes seconds to import
    from highdicom.seg import SegmentDescription

# highdicom's warning about a patient's name quotes the name.
warnings.filterwarnings("ignore", module=r"highdicom\b")

NEEDED = ("SOPClassUID", "SOPInstanceUID", "StudyInstanceUID", "SeriesInstanceUID")
# A segmentation must have these elements of its source, even if they are empty. Anonymised files often lack them.
COPIED = (
    "PatientID",
    "PatientName",
    "PatientSex",
    "PatientBirthDate",
    "StudyDate",
    "StudyTime",
    "StudyID",
    "AccessionNumber",
    "Modality",
)
# A CT image must have these, an X-ray need not.
SPATIAL = ("FrameOfReferenceUID", "ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "SliceThickness")
SEXES = {"M": "M", "F": "F", "O": "O", "MALE": "M", "FEMALE": "F", "OTHER": "O"}
STRUCTURE, ABNORMAL = ("91723000", "Anatomical Structure"), ("49755003", "Morphologically Abnormal Structure")
CODES = {
    "lung": ("39607008", "Lung", STRUCTURE),
    "left lung": ("44029006", "Left lung", STRUCTURE),
    "right lung": ("3341006", "Right lung", STRUCTURE),
    "heart": ("80891009", "Heart", STRUCTURE),
    "clavicle": ("51299004", "Clavicle", STRUCTURE),
    "rib": ("113197003", "Rib", STRUCTURE),
    "trachea": ("44567001", "Trachea", STRUCTURE),
    "mediastinum": ("72410000", "Mediastinum", STRUCTURE),
    "pneumothorax": ("36118008", "Pneumothorax", ABNORMAL),
    "nodule": ("27925004", "Nodule", ABNORMAL),
    "pleural effusion": ("60046008", "Pleural effusion", ABNORMAL),
}
"""SNOMED CT: a class's name to the code and meaning of its type, and to its category."""
FAULTY = (ValueError, TypeError, AttributeError, KeyError, OverflowError, NotImplementedError)
NOT_DICOM = "is not a DICOM file; a segmentation object must refer to one"
SERIES_NUMBERS_FROM = 1000
"""Added to the number of the source's series, so that both stay apart in a list of the study."""


def segment_names(classes: ClassMap | None, spec: str | None, shows: str) -> tuple[str, ...]:
    """What each segment shows. spec: --classes. shows: what the run's training set says about its masks, "" if nothing.

    Black and white masks can show anything, and by default their class is called "lung". A medical object must not
    repeat that as a fact. UserError: nothing says what the masks show.
    """
    if classes is None:
        raise UserError("--write dicomseg: this run paints pictures, not masks; --classes says what they mean")
    if spec not in UNNAMED:
        return classes.names[1:]
    if not shows:
        raise UserError(
            "--write dicomseg: black and white masks may show anything, and the run's training set has no dataset.json "
            'that says what; name it: --classes lung, or "left lung", "right lung", heart, pneumothorax, nodule, or a '
            'file {"background": [0, 0, 0], "NAME": [255, 255, 255]}'
        )
    return ("lung" if shows == "lungs" else shows,)


def masks_show(root: str | None) -> str:
    """What the masks of a data set show, by `target` in the dataset.json of its folder, such as "pneumothorax"; "" if
    nothing says so. Earlier versions of data.prepare wrote it only to .prepare.json."""
    for name in ("dataset.json", ".prepare.json") if root else ():
        try:
            contents = read_json(Path(str(root), name))
        except (OSError, ValueError):
            continue
        target = contents.get("target") if isinstance(contents, dict) else None
        if isinstance(target, str) and target.strip():
            return target.strip()
    return ""


class SegmentationObjects:
    """Writes masks as DICOM Segmentation objects: one binary segment for each of `names`.

    By the standard, such an object belongs to its source's study and repeats its source's patient and study data.
    algorithm: name and version of the program that predicted the masks; recorded in the objects. names: see
    `segment_names`.
    """

    def __init__(self, algorithm: str, names: tuple[str, ...]) -> None:
        self.algorithm, self._names = _text(algorithm), names

    def write(self, target: Path, image: Path, labels: np.ndarray) -> None:
        """Write the mask of one image: class indices uint8 [H, W] at the size of the source. Thread-safe."""
        try:
            segmentation = self._segmentation(_as_source(read_header(image)), labels)
        except FAULTY:  # the message may quote a header's values
            raise UserError(f"--write dicomseg: {image}: no object can refer to it, its header is faulty") from None
        with replacing(target, "wb") as file:
            segmentation.save_as(file, enforce_file_format=True)

    def problem(self, path: Path) -> str:
        """Why no object can refer to an image; "" if one can. An object of few pixels tries it out."""
        try:
            header = read_header(path)
        except UserError as error:
            return str(error).removeprefix(f"{path}: ")
        for keyword in NEEDED:
            value = _value(header, keyword)
            if not value:
                return f"its header has no {keyword} to refer to"
            if not re.fullmatch(r"[0-9.]{1,64}", str(value)):
                return f"the {keyword} in its header is not valid"
        if Identifier(header.SOPClassUID).is_private or not Identifier(header.SOPClassUID).keyword:
            return "the SOPClassUID in its header is private or unknown"
        try:
            source = _as_source(header)
            source.Rows = source.Columns = 8
            self._segmentation(source, np.zeros((8, 8), np.uint8)).save_as(io.BytesIO(), enforce_file_format=True)
        except FAULTY as error:
            return f"its header is faulty{_about(error)}"
        return ""

    def _segmentation(self, source: Dataset, labels: np.ndarray) -> Dataset:
        from highdicom import UID
        from highdicom.seg import Segmentation, SegmentationTypeValues

        segmentation = Segmentation(
            source_images=[source],
            pixel_array=labels[None],
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=[self._segment(number, name) for number, name in enumerate(self._names, 1)],
            series_instance_uid=UID(),
            series_number=_series_number(source),
            sop_instance_uid=UID(),
            instance_number=1,
            manufacturer="pix2mask",
            manufacturer_model_name="pix2mask",
            software_versions=self.algorithm,
            series_description=_text("pix2mask: " + ", ".join(self._names)),
            device_serial_number="none",
            omit_empty_frames=False,
        )
        segmentation.SpecificCharacterSet = "ISO_IR 192"  # a class may have a name in any script
        if "PlanePositionSequence" not in segmentation.PerFrameFunctionalGroupsSequence[0]:
            # A projection has no position in space, so this element must say where its rows point, or be empty.
            segmentation.PatientOrientation = source.get("PatientOrientation") or ""
        # Masks are mostly empty: deflated, they have a thirtieth of the size.
        segmentation.file_meta.TransferSyntaxUID = DeflatedExplicitVRLittleEndian
        return segmentation

    def _segment(self, number: int, name: str) -> SegmentDescription:
        from highdicom import AlgorithmIdentificationSequence
        from highdicom.seg import SegmentAlgorithmTypeValues, SegmentDescription
        from highdicom.sr import CodedConcept
        from pydicom.sr.codedict import codes

        known = re.sub(r"[\s_-]+", " ", name).strip().lower()
        code, meaning, category = CODES.get(known, (*STRUCTURE, STRUCTURE))
        return SegmentDescription(
            segment_number=number,
            segment_label=_text(name),
            segmented_property_category=CodedConcept(category[0], "SCT", category[1]),
            segmented_property_type=CodedConcept(code, "SCT", meaning),
            algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
            algorithm_identification=AlgorithmIdentificationSequence(
                name="pix2mask", family=codes.DCM.ArtificialIntelligence, version=self.algorithm
            ),
        )


class SegmentationWriter:
    """Writes <folder>/<id>.dcm for images of a data set, by `SegmentationObjects`.

    skip_bad: leave out, and list, images that no object can refer to.

    UserError, before anything is written: an image is no DICOM file or, without `skip_bad`, no object can refer to it.
    """

    def __init__(self, dataset: PairedDataset, algorithm: str, names: tuple[str, ...], skip_bad: bool = False) -> None:
        self.dataset, self._objects = dataset, SegmentationObjects(algorithm, names)
        problems = {}
        for index, sample in enumerate(dataset.samples):
            if not is_dicom(sample.image):
                raise UserError(f"--write dicomseg: {sample.image} {NOT_DICOM}")
            if sample.image in sample.targets:
                raise UserError(f"--write dicomseg: {sample.image} shows A and B side by side; a mask covers only half")
            if problem := self._objects.problem(sample.image):
                problems[index] = f"{sample.image}: {problem}"
        lines = list(problems.values())
        if lines and (not skip_bad or len(lines) == len(dataset.samples)):
            more = f" and {len(lines) - 5} more" if len(lines) > 5 else ""
            raise UserError(
                f"--write dicomseg: {'; '.join(lines[:5])}{more} (--skip_bad_files writes objects for all others)"
            )
        for line in lines:
            distributed.say(f"no segmentation object: {line}", file=sys.stderr)
        self._left_out = set(problems)

    def __call__(self, folder: Path, index: int, labels: np.ndarray) -> None:
        """Write the mask of one image: class indices uint8 [H, W] at the size of the source. Thread-safe."""
        if index in self._left_out:
            return
        sample = self.dataset.samples[index]
        self._objects.write(folder / f"{sample.id}.dcm", sample.image, labels)


def _as_source(header: Dataset) -> Dataset:
    """A copy of a header that highdicom accepts as a source. Values that the standard forbids become valid where one
    reading suggests itself, and are left out otherwise."""
    source = Dataset()
    for tag in list(header.keys()):
        if element := _valid(header, tag):
            source.add(element)
    # Texts are decoded by now. Files from Japan, Korea and China name several character sets, the first of them empty.
    source.SpecificCharacterSet = "ISO_IR 192"
    for keyword in COPIED:
        if source.get(keyword) is None:
            setattr(source, keyword, "")
    source.Modality = source.Modality or "OT"
    source.PatientSex = SEXES.get(str(_value(header, "PatientSex")).strip().upper(), "")
    for keyword, kind in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        try:
            kind(source.get(keyword))
        except ValueError:  # such as 31 April: files contain such dates, but pydicom refuses to write them
            setattr(source, keyword, "")
    # With a pixel spacing, highdicom would write a Pixel Measures Sequence that it cannot read again, because it
    # expects a slice thickness. An X-ray has none. Mask and source have the same pixels, so the source's spacing holds
    # for both. A spacing of 0 says nothing.
    if "PixelSpacing" in source and ("SliceThickness" not in source or not all(source.PixelSpacing or [0])):
        del source.PixelSpacing
    return source


def _valid(header: Dataset, tag: int) -> DataElement | None:
    """An element of a header if it can be interpreted and written again, of several values where one may be joined to
    one text. None: not."""
    try:
        element = header[tag]
        if element.VR == "SQ":
            return element
        value = element.value
        if isinstance(value, MultiValue) and element.VR in ("PN", "LO", "SH") and element.keyword in COPIED:
            value = "/".join(map(str, value))  # a backslash in a name separates values
        return DataElement(tag, element.VR, value, validation_mode=RAISE)
    except Exception:  # pydicom raises nearly anything
        return None


def _about(error: Exception) -> str:
    """Which element of the header an error is about. Its message may also quote a value, so it is not shown."""
    text = str(error).replace(" ", "").replace("_", "").lower()
    named = [keyword for keyword in (*NEEDED, *COPIED, *SPATIAL) if keyword.lower() in text]
    return f" ({named[0]})" if named else ""


def _value(header: Dataset, keyword: str) -> object:
    try:
        return header.get(keyword)
    except FAULTY:
        return None


def _series_number(source: Dataset) -> int:
    try:
        number = SERIES_NUMBERS_FROM + int(source.get("SeriesNumber") or 0)
    except (TypeError, ValueError):
        number = SERIES_NUMBERS_FROM
    return number if 0 < number < 2**31 else SERIES_NUMBERS_FROM


def _text(text: str) -> str:
    """Shorten a text to what fits into a DICOM long string (LO)."""
    return text.replace("\\", "/")[:64]
