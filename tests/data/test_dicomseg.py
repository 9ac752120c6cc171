"""Predicted masks as DICOM Segmentation objects: their contents, and the image they refer to."""

import json
import shutil
import subprocess
from pathlib import Path

import highdicom
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.datadict import dictionary_VR
from pydicom.sr.codedict import codes
from pydicom.tag import Tag

from data.aligned import AlignedDataset
from data.classes import Classes
from data.dicomseg import CODES, SegmentationWriter, masks_show, segment_names
from data.read.images import read_image
from data.single import SingleDataset
from tests.dicoms import PATIENT, write_dicom
from util.errors import UserError

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
LUNG = (GREY > 100).astype(np.uint8)


LUNG_NAME = ("lung",)


def written(path: Path) -> pydicom.Dataset:
    """An object in which dciodvfy finds no error, if that program (of Debian's dicom3tools) is installed."""
    if program := shutil.which("dciodvfy"):
        plain = pydicom.dcmread(path)
        plain.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian  # Debian's build cannot inflate
        plain.save_as(path.with_suffix(".plain"), enforce_file_format=True)
        said = subprocess.run([program, str(path.with_suffix(".plain"))], capture_output=True, text=True, check=False)
        lines = (said.stdout + said.stderr).splitlines()
        assert "Segmentation" in lines
        assert not [line for line in lines if "Error" in line]
    return pydicom.dcmread(path)


@pytest.fixture
def single(tmp_path, flags):
    """A data set of the files in tmp_path/in."""
    return lambda **changes: SingleDataset(
        flags(dataroot=str(tmp_path / "in"), **{"classes": "lungs"} | changes), "test", train=False
    )


@pytest.mark.filterwarnings("ignore::UserWarning:highdicom")
def test_a_lung_mask_comes_back_and_refers_to_its_source(tmp_path, single):
    source = pydicom.dcmread(write_dicom(tmp_path / "in" / "x.dcm", GREY, uid.JPEGLSLossless, PixelSpacing=[0.2, 0.1]))
    SegmentationWriter(single(), "lungs, epoch best", LUNG_NAME)(tmp_path, 0, LUNG)

    plain = written(tmp_path / "x.dcm")
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
    dataset = single(classes=str(tmp_path / "classes.json"))
    SegmentationWriter(dataset, "v", segment_names(dataset.classes, "classes.json", ""))(tmp_path, 0, labels)
    written(tmp_path / "x.dcm")
    read = highdicom.seg.segread(tmp_path / "x.dcm")
    assert [segment.SegmentLabel for segment in read.SegmentSequence] == ["heart", "锁骨/l", "rib"]
    meanings = [segment.SegmentedPropertyTypeCodeSequence[0].CodeMeaning for segment in read.SegmentSequence]
    assert meanings == ["Heart", "Anatomical Structure", "Rib"]
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
    SegmentationWriter(single(), "v", LUNG_NAME)(tmp_path, 0, 0 * LUNG)
    written(tmp_path / "x.dcm")
    read = highdicom.seg.segread(tmp_path / "x.dcm")
    assert not read.get_pixels_by_source_instance([source.SOPInstanceUID]).any()
    assert read.PatientName == (header.get("PatientName", PATIENT["PatientName"]) or "")


def test_images_that_no_object_can_refer_to_are_refused_before_writing(tmp_path, single, flags, save):
    write_dicom(tmp_path / "in" / "a.dcm", GREY, SeriesInstanceUID=None)
    with pytest.raises(UserError, match="a.dcm: its header has no SeriesInstanceUID to refer to"):
        SegmentationWriter(single(), "v", LUNG_NAME)
    write_dicom(tmp_path / "in" / "a.dcm", GREY)
    with pytest.raises(UserError, match="--classes says what they mean"):
        segment_names(None, None, "")
    save(tmp_path / "in" / "b.png", GREY)
    with pytest.raises(UserError, match="b.png is not a DICOM file"):
        SegmentationWriter(single(), "v", LUNG_NAME)
    write_dicom(tmp_path / "test" / "a.dcm", np.hstack([LUNG, LUNG]) * np.uint8(255))
    pairs = AlignedDataset(flags(dataroot=str(tmp_path), classes="lungs"), "test", train=False)
    with pytest.raises(UserError, match="side by side"):
        SegmentationWriter(pairs, "v", LUNG_NAME)


@pytest.mark.filterwarnings("ignore::UserWarning:highdicom")
@pytest.mark.skipif(not shutil.which("dciodvfy"), reason="needs dciodvfy (apt-get install dicom3tools)")
def test_dciodvfy_finds_an_error_in_a_faulty_object_and_none_in_ours(tmp_path, single):
    """`written` checks the objects of all tests in this file in the same way."""
    write_dicom(tmp_path / "in" / "x.dcm", GREY, PixelSpacing=[0.2, 0.1])
    SegmentationWriter(single(), "v", LUNG_NAME)(tmp_path, 0, LUNG)
    mask = written(tmp_path / "x.dcm")
    del mask.PatientOrientation
    mask.save_as(tmp_path / "x.dcm")
    with pytest.raises(AssertionError, match="PatientOrientation"):
        written(tmp_path / "x.dcm")


# --- what a segment shows ---------------------------------------------------------------------------------------------


def test_no_segment_is_called_lung_unless_the_set_or_the_user_says_so(tmp_path):
    default = Classes.load("lungs")
    with pytest.raises(UserError, match="no dataset.json that says what; name it: --classes lung,"):
        segment_names(default, "lungs", masks_show(str(tmp_path)))
    (tmp_path / ".prepare.json").write_text('{"target": "lungs", "size": null}')
    assert segment_names(default, "lungs", masks_show(str(tmp_path))) == ("lung",)
    (tmp_path / "dataset.json").write_text('{"target": "pneumothorax"}')
    assert segment_names(default, "lungs_dark", masks_show(str(tmp_path))) == ("pneumothorax",)
    assert segment_names(Classes.load("left lung"), "left lung", "") == ("left lung",)
    for broken in ("[]", "{", '{"target": 3}', '{"target": " "}'):
        (tmp_path / "dataset.json").write_text(broken)
        (tmp_path / ".prepare.json").unlink(missing_ok=True)
        assert masks_show(str(tmp_path)) == ""
    assert masks_show(None) == ""


@pytest.mark.filterwarnings("ignore::UserWarning:highdicom")
@pytest.mark.parametrize(
    ("name", "code", "category"),
    [
        ("pneumothorax", "36118008", "49755003"),
        ("heart", "80891009", "91723000"),
        ("Nodule", "27925004", "49755003"),
        ("left lung", "44029006", "91723000"),
        ("right_lung", "3341006", "91723000"),
        ("tube", "91723000", "91723000"),
    ],
)
def test_known_names_have_their_snomed_codes(tmp_path, single, name, code, category):
    write_dicom(tmp_path / "in" / "x.dcm", GREY)
    SegmentationWriter(single(), "v", (name,))(tmp_path, 0, LUNG)
    segment = written(tmp_path / "x.dcm").SegmentSequence[0]
    assert segment.SegmentLabel == name
    assert segment.SegmentedPropertyTypeCodeSequence[0].CodeValue == code
    assert segment.SegmentedPropertyCategoryCodeSequence[0].CodeValue == category


def test_codes_agree_with_pydicoms_list():
    for code, meaning, category in CODES.values():
        if known := getattr(codes.SCT, meaning.title().replace(" ", ""), None):
            assert (known.value, known.scheme_designator) == (code, "SCT")
        assert category[0] in (codes.SCT.AnatomicalStructure.value, codes.SCT.MorphologicallyAbnormalStructure.value)


# --- headers that real files have -------------------------------------------------------------------------------------


def odd(path: Path, keyword: str, value: bytes) -> Path:
    """Put a value into a file that pydicom would refuse to write."""
    image = pydicom.dcmread(path)
    tag = Tag(keyword)
    image.pop(tag, None)
    image.save_as(path)
    value += b" " * (len(value) % 2)
    start = tag.group.to_bytes(2, "little") + tag.element.to_bytes(2, "little") + dictionary_VR(tag).encode()
    data = path.read_bytes()
    place = data.index(b"\xe0\x7f\x10\0O")  # the pixels
    path.write_bytes(data[:place] + start + len(value).to_bytes(2, "little") + value + data[place:])
    return path


@pytest.mark.filterwarnings("ignore::UserWarning")
@pytest.mark.parametrize(
    ("keyword", "value", "becomes"),
    [
        ("SpecificCharacterSet", rb"\ISO 2022 IR 87", "ISO_IR 192"),
        ("SpecificCharacterSet", b"ISO-IR 1OO", "ISO_IR 192"),
        ("PatientSex", b"U", ""),
        ("PatientSex", b"female", "F"),
        ("PatientName", rb"Quillon^Zz\Other^Name", "Quillon^Zz/Other^Name"),
        ("PatientBirthDate", b"00.00.0000", ""),
        ("PatientAge", b"forty", None),
        ("PatientWeight", b"heavy", None),
        ("PixelSpacing", rb"0\0", None),
        ("SeriesNumber", b"one", None),
    ],
)
def test_odd_values_of_a_header_do_no_harm(tmp_path, single, keyword, value, becomes):
    source = odd(write_dicom(tmp_path / "in" / "x.dcm", GREY), keyword, value)
    SegmentationWriter(single(), "v", LUNG_NAME)(tmp_path, 0, LUNG)
    mask = written(tmp_path / "x.dcm")
    assert np.array_equal(mask.pixel_array, LUNG)
    assert mask.ReferencedSeriesSequence[0].SeriesInstanceUID == pydicom.dcmread(source).SeriesInstanceUID
    if becomes is not None:
        assert str(mask[keyword].value) == becomes


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_japanese_name_stays_readable(tmp_path, single):
    name = "Yamada^Tarou=山田^太郎"
    header = {"SpecificCharacterSet": ["", "ISO 2022 IR 87"], "PatientName": name}
    write_dicom(tmp_path / "in" / "x.dcm", GREY, **header)
    SegmentationWriter(single(), "v", LUNG_NAME)(tmp_path, 0, LUNG)
    assert written(tmp_path / "x.dcm").PatientName == name


@pytest.mark.filterwarnings("ignore::UserWarning:highdicom")
def test_files_that_nothing_can_refer_to_are_listed_before_any_image_is_translated(tmp_path, single, capsys):
    write_dicom(tmp_path / "in" / "a.dcm", GREY, StudyInstanceUID=None)
    odd(write_dicom(tmp_path / "in" / "b.dcm", GREY), "SOPClassUID", b"1.3.46.670589.11.0")
    write_dicom(tmp_path / "in" / "c.dcm", GREY, Modality="")
    with pytest.raises(UserError) as caught:
        SegmentationWriter(single(), "v", LUNG_NAME)
    assert "a.dcm: its header has no StudyInstanceUID to refer to; " in str(caught.value)
    assert "b.dcm: the SOPClassUID in its header is private or unknown (--skip_bad_files writes" in str(caught.value)
    dataset = single()
    writer = SegmentationWriter(dataset, "v", LUNG_NAME, skip_bad=True)
    said = capsys.readouterr().err
    assert said.count("no segmentation object: ") == 2
    for index in range(3):
        writer(tmp_path / "out", index, LUNG)
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["c.dcm"]


def test_a_faulty_element_is_named_and_its_value_is_not(tmp_path, single):
    write_dicom(tmp_path / "in" / "x.dcm", GREY, SOPClassUID=uid.CTImageStorage, Modality="CT")
    with pytest.raises(UserError, match=r"x.dcm: its header is faulty \(FrameOfReferenceUID\)") as caught:
        SegmentationWriter(single(), "v", LUNG_NAME)
    assert not any(value in str(caught.value) for value in PATIENT.values())


@pytest.mark.filterwarnings("ignore::UserWarning:highdicom")
def test_an_object_says_how_its_rows_lie_and_has_a_series_number_of_its_own(tmp_path, single):
    write_dicom(tmp_path / "in" / "x.dcm", GREY, PatientOrientation=["L", "F"], SeriesNumber=7)
    write_dicom(tmp_path / "in" / "y.dcm", GREY, SeriesNumber=None)
    writer = SegmentationWriter(single(), "v", LUNG_NAME)
    writer(tmp_path, 0, LUNG)
    writer(tmp_path, 1, LUNG)
    first, second = written(tmp_path / "x.dcm"), written(tmp_path / "y.dcm")
    assert first.PatientOrientation == ["L", "F"]
    assert second.PatientOrientation == ""
    assert (first.SeriesNumber, second.SeriesNumber) == (1007, 1000)


@pytest.mark.filterwarnings("ignore::UserWarning:highdicom")
def test_an_object_is_deflated(tmp_path, single):
    large = np.zeros((1024, 1024), np.uint8)
    large[200:800, 100:400] = 1
    write_dicom(tmp_path / "in" / "x.dcm", large)
    SegmentationWriter(single(), "v", LUNG_NAME)(tmp_path, 0, large)
    assert (tmp_path / "x.dcm").stat().st_size < 6000  # uncompressed: 133 KB
    assert np.array_equal(read_image(tmp_path / "x.dcm"), large * 255)
    assert np.array_equal(highdicom.seg.segread(tmp_path / "x.dcm").pixel_array, large)
