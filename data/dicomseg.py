"""--write dicomseg: write predicted masks as DICOM Segmentation objects that refer to their X-rays."""

import warnings
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset
from pydicom.valuerep import DA, TM

from data.base import PairedDataset
from data.read.dicom import read_header
from data.read.headers import is_dicom
from util.errors import UserError
from util.files import replacing

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


class SegmentationWriter:
    """Writes <folder>/<id>.dcm for images of a data set: one binary segment for each class except the background.

    By the standard, such an object belongs to its source's study and repeats its source's patient and study data.
    algorithm: name and version of the program that predicted the masks; recorded in the objects.

    UserError, before anything is written: the data set has no classes, or an image is no DICOM file or lacks the
    elements that a reference needs.
    """

    def __init__(self, dataset: PairedDataset, algorithm: str) -> None:
        if dataset.classes is None:
            raise UserError("--write dicomseg: this run paints pictures, not masks; --classes says what they mean")
        self.dataset, self.algorithm, self._names = dataset, _text(algorithm), dataset.classes.names[1:]
        for sample in dataset.samples:
            if not is_dicom(sample.image):
                raise UserError(
                    f"--write dicomseg: {sample.image} is not a DICOM file; a segmentation object must refer to one"
                )
            if sample.image in sample.targets:
                raise UserError(f"--write dicomseg: {sample.image} shows A and B side by side; a mask covers only half")
            header = read_header(sample.image)
            if missing := [keyword for keyword in NEEDED if not header.get(keyword)]:
                raise UserError(f"--write dicomseg: {sample.image}: its header has no {missing[0]} to refer to")

    def __call__(self, folder: Path, index: int, labels: np.ndarray) -> None:
        """Write the mask of one image: class indices uint8 [H, W] at the size of the source. Thread-safe."""
        sample = self.dataset.samples[index]
        try:
            segmentation = self._segmentation(_as_source(read_header(sample.image)), labels)
        except (ValueError, TypeError, AttributeError):  # the message may quote a header's values
            raise UserError(
                f"--write dicomseg: {sample.image}: no object can refer to it, its header is faulty"
            ) from None
        with replacing(folder / f"{sample.id}.dcm", "wb") as file:
            segmentation.save_as(file, enforce_file_format=True)

    def _segmentation(self, source: Dataset, labels: np.ndarray) -> Dataset:
        # highdicom takes seconds to import.
        from highdicom import UID, AlgorithmIdentificationSequence
        from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentationTypeValues, SegmentDescription
        from pydicom.sr.codedict import codes

        codes_of = {"lung": codes.SCT.Lung, "heart": codes.SCT.Heart}
        segments = [
            SegmentDescription(
                segment_number=number,
                segment_label=_text(name),
                segmented_property_category=codes.SCT.AnatomicalStructure,
                segmented_property_type=codes_of.get(name.lower(), codes.SCT.AnatomicalStructure),
                algorithm_type=SegmentAlgorithmTypeValues.AUTOMATIC,
                algorithm_identification=AlgorithmIdentificationSequence(
                    name="pix2mask", family=codes.DCM.ArtificialIntelligence, version=self.algorithm
                ),
            )
            for number, name in enumerate(self._names, 1)
        ]
        segmentation = Segmentation(
            source_images=[source],
            pixel_array=labels[None],
            segmentation_type=SegmentationTypeValues.BINARY,
            segment_descriptions=segments,
            series_instance_uid=UID(),
            series_number=1,
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
        return segmentation


def _as_source(header: Dataset) -> Dataset:
    """Change a header so that highdicom accepts it as a source."""
    for keyword in COPIED:
        if keyword not in header:
            setattr(header, keyword, "OT" if keyword == "Modality" else "")
    for keyword, kind in (("PatientBirthDate", DA), ("StudyDate", DA), ("StudyTime", TM)):
        try:
            kind(header.get(keyword))
        except ValueError:  # such as 31 April: files contain such dates, but pydicom refuses to write them
            setattr(header, keyword, "")
    # With a pixel spacing, highdicom would write a Pixel Measures Sequence that it cannot read again, because it
    # expects a slice thickness. An X-ray has none. Mask and source have the same pixels, so the source's spacing holds
    # for both.
    if "PixelSpacing" in header and "SliceThickness" not in header:
        del header.PixelSpacing
    return header


def _text(text: str) -> str:
    """Shorten a text to what fits into a DICOM long string (LO)."""
    return text.replace("\\", "/")[:64]
