"""Predicted masks as DICOM Segmentation objects: their contents, and the image they refer to."""

import json

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom import uid

from data.aligned import AlignedDataset
from data.dicomseg import SegmentationWriter
from data.read.images import read_image
from data.single import SingleDataset
from tests.dicoms import PATIENT, write_dicom
from util.errors import UserError

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
LUNG = (GREY > 100).astype(np.uint8)


@pytest.fixture
def single(tmp_path, flags):
    """A data set of the files in tmp_path/in."""
    return lambda **changes: SingleDataset(
        flags(dataroot=str(tmp_path / "in"), **{"classes": "lungs"} | changes), "test", train=False
    )


@pytest.mark.filterwarnings("ignore::UserWarning:highdicom")
def test_a_lung_mask_comes_back_and_refers_to_its_source(tmp_path, single):
    source = pydicom.dcmread(write_dicom(tmp_path / "in" / "x.dcm", GREY, uid.JPEGLSLossless, PixelSpacing=[0.2, 0.1]))
    SegmentationWriter(single(), "lungs, epoch best")(tmp_path, 0, LUNG)

    plain = pydicom.dcmread(tmp_path / "x.dcm")
    assert np.array_equal(plain.pixel_array, LUNG)
    assert plain.SegmentationType == "BINARY"
    assert np.array_equal(read_image(tmp_path / "x.dcm"), LUNG * 255)  # so the file can be read as a mask again
    assert plain.StudyInstanceUID == source.StudyInstanceUID
    assert plain.SeriesInstanceUID != source.SeriesInstanceUID
    series = plain.ReferencedSeriesSequence[0]
    assert series.SeriesInstanceUID == source.SeriesInstanceUID
    instance = series.ReferencedInstanceSequence[0]
    assert instance.ReferencedSOPInstanceUID == source.SOPInstanceUID
    assert instance.ReferencedSOPClassUID == source.SOPClassUID
    assert plain.SeriesDescription == "pix2mask: lung"
    segment = plain.SegmentSequence[0]
    assert segment.SegmentLabel == "lung"
    assert segment.SegmentAlgorithmType == "AUTOMATIC"
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == "39607008"  # SNOMED CT: lung
    assert segment.SegmentationAlgorithmIdentificationSequence[0].AlgorithmVersion == "lungs, epoch best"
    assert plain.PatientName == PATIENT["PatientName"]
    assert plain.PatientID == PATIENT["PatientID"]

    read = highdicom.seg.segread(tmp_path / "x.dcm")
    pixels = read.get_pixels_by_source_instance([source.SOPInstanceUID], combine_segments=True)
    assert np.array_equal(pixels[0], LUNG)


@pytest.mark.filterwarnings("ignore::UserWarning:highdicom")
def test_every_class_is_a_segment_even_if_it_is_empty(tmp_path, single):
    table = {"nothing": [0, 0, 0], "heart": [255, 0, 0], "锁骨\\l": [0, 255, 0], "rib": [0, 0, 255]}
    (tmp_path / "classes.json").write_text(json.dumps(table))
    source = pydicom.dcmread(write_dicom(tmp_path / "in" / "x.dcm", GREY))
    labels = np.arange(48, dtype=np.uint8).reshape(6, 8) % 3
    SegmentationWriter(single(classes=str(tmp_path / "classes.json")), "v")(tmp_path, 0, labels)
    read = highdicom.seg.segread(tmp_path / "x.dcm")
    assert [segment.SegmentLabel for segment in read.SegmentSequence] == ["heart", "锁骨/l", "rib"]
    codes = [segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning for segment in read.SegmentSequence]
    assert codes == ["Heart", "Anatomical Structure", "Anatomical Structure"]
    stack = read.get_pixels_by_source_instance([source.SOPInstanceUID])[0]
    assert np.array_equal(stack, np.stack([labels == k for k in (1, 2, 3)], axis=2))


@pytest.mark.filterwarnings("ignore::UserWarning:highdicom")
@pytest.mark.parametrize(
    "header",
    [
        {"SliceThickness": 1, "PixelSpacing": [0.2, 0.1]},
        {"FrameOfReferenceUID": uid.generate_uid(), "PixelSpacing": [0.2, 0.1]},
        dict.fromkeys([*PATIENT, "Modality", "SeriesNumber", "InstanceNumber"]),  # anonymised thoroughly
        {"SpecificCharacterSet": "ISO_IR 100", "PatientName": "Müller^Jürgen"},
    ],
    ids=["thick", "framed", "anonymised", "latin"],
)
def test_sources_with_missing_or_faulty_header_values_are_accepted(tmp_path, single, header):
    source = pydicom.dcmread(write_dicom(tmp_path / "in" / "x.dcm", GREY, **header))
    SegmentationWriter(single(), "v")(tmp_path, 0, 0 * LUNG)
    read = highdicom.seg.segread(tmp_path / "x.dcm")
    assert not read.get_pixels_by_source_instance([source.SOPInstanceUID]).any()
    assert read.PatientName == (header.get("PatientName", PATIENT["PatientName"]) or "")


def test_images_that_no_object_can_refer_to_are_refused_before_writing(tmp_path, single, flags, save):
    write_dicom(tmp_path / "in" / "a.dcm", GREY, SeriesInstanceUID=None)
    with pytest.raises(UserError, match="a.dcm: its header has no SeriesInstanceUID to refer to"):
        SegmentationWriter(single(), "v")
    write_dicom(tmp_path / "in" / "a.dcm", GREY)
    with pytest.raises(UserError, match="--classes says what they mean"):
        SegmentationWriter(single(classes=None), "v")
    save(tmp_path / "in" / "b.png", GREY)
    with pytest.raises(UserError, match="b.png is not a DICOM file"):
        SegmentationWriter(single(), "v")
    write_dicom(tmp_path / "test" / "a.dcm", np.hstack([LUNG, LUNG]) * np.uint8(255))
    pairs = AlignedDataset(flags(dataroot=str(tmp_path), classes="lungs"), "test", train=False)
    with pytest.raises(UserError, match="side by side"):
        SegmentationWriter(pairs, "v")
