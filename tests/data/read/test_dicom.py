"""DICOM files are read as a viewer shows them; a file that cannot be read is a one-line error."""

import io
from pathlib import Path

import numpy as np
import pydicom
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate, generate_frames
from pydicom.pixels import apply_voi_lut

from data.read.dicom import read_dicom, read_header, spacing_of
from data.read.headers import measured_at_detector
from data.read.images import read_image, read_pixels
from data.read.limits import MAX_PIXELS
from tests.dicoms import PATIENT, write_dicom
from util.errors import UserError

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
DEEP = np.arange(48, dtype=np.uint16).reshape(6, 8) * 87  # up to 4089: twelve bits


def lut(first: int, bits: int, entries: list[int]) -> list[Dataset]:
    table = Dataset()
    table.add_new("LUTDescriptor", "US", [len(entries), first, bits])
    table.add_new("LUTData", "US", entries)
    return [table]


def shades(tmp_path: Path, values: list[int], kind: type = np.uint8, **header: object) -> list[int]:
    """The pixels that one row of stored values becomes."""
    return read_dicom(write_dicom(tmp_path / "x.dcm", np.array([values], kind), **header)).pixels[0].tolist()


# --- pixels ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ImplicitVRLittleEndian,
        uid.ExplicitVRLittleEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
        uid.JPEGLossless,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
    ],
    ids=lambda syntax: syntax.name,
)
def test_lossless_syntaxes_give_the_pixels_back(tmp_path, syntax):
    eight = read_dicom(write_dicom(tmp_path / "x.dcm", GREY, syntax))
    assert eight.pixels.dtype == np.uint8
    assert np.array_equal(eight.pixels, GREY)
    assert not eight.lossy
    twelve = read_dicom(write_dicom(tmp_path / "y.dcm", DEEP, syntax, BitsStored=12))
    assert twelve.pixels.dtype == np.uint16
    assert not twelve.lossy
    assert np.array_equal(twelve.pixels, np.round(DEEP / 4095 * 65535))


@pytest.mark.parametrize(
    "syntax", [uid.JPEGBaseline8Bit, uid.JPEGLSNearLossless, uid.JPEG2000], ids=lambda syntax: syntax.name
)
def test_lossy_syntaxes_are_close_and_known_to_be_lossy(tmp_path, syntax):
    picture = read_dicom(write_dicom(tmp_path / "x.dcm", GREY, syntax))
    assert picture.lossy
    assert np.abs(picture.pixels.astype(int) - GREY).max() < 12
    assert read_pixels(tmp_path / "x.dcm")[1]


def test_12_bit_jpeg_is_decoded(tmp_path):
    picture = read_dicom(write_dicom(tmp_path / "x.dcm", DEEP, uid.JPEGExtended12Bit, BitsStored=12))
    assert picture.lossy
    assert picture.pixels.dtype == np.uint16
    assert np.abs(picture.pixels / 65535 - DEEP / 4095).max() < 0.02


def test_pixels_that_were_once_compressed_lossily_count_as_lossy(tmp_path):
    assert read_dicom(write_dicom(tmp_path / "x.dcm", GREY, LossyImageCompression="01")).lossy


def test_the_range_comes_from_the_stored_bits_not_from_the_brightest_pixel(tmp_path):
    assert shades(tmp_path, [0, 10, 100]) == [0, 10, 100]
    assert shades(tmp_path, [0, 1023], np.uint16, BitsStored=10) == [0, 65535]
    assert shades(tmp_path, [0, 1023], np.uint16, BitsStored=12) == [0, 16372]  # a dark picture stays dark
    assert shades(tmp_path, [0, 1, 63], np.uint8, BitsStored=6) == [0, 4, 255]


def test_black_is_the_lowest_number_of_signed_pixels(tmp_path):
    assert shades(tmp_path, [-2048, 0, 2047], np.int16, BitsStored=12) == [0, 32776, 65535]


def test_bits_above_the_stored_bits_are_ignored(tmp_path):
    """Old files store an overlay in these bits."""
    assert shades(tmp_path, [0xF000 | 4095, 0x1000], np.uint16, BitsStored=12) == [65535, 0]


def test_monochrome1_is_inverted(tmp_path):
    pixels = read_dicom(write_dicom(tmp_path / "x.dcm", 255 - GREY, PhotometricInterpretation="MONOCHROME1")).pixels
    assert np.array_equal(pixels, GREY)
    header = {"WindowCenter": 50.5, "WindowWidth": 101, "PhotometricInterpretation": "MONOCHROME1"}
    assert shades(tmp_path, [0, 100, 200], **header) == [255, 0, 0]


def test_a_rescale_alone_changes_nothing_unless_its_slope_is_negative(tmp_path):
    assert shades(tmp_path, [0, 10, 255], RescaleSlope=2, RescaleIntercept=-1024) == [0, 10, 255]
    assert shades(tmp_path, [0, 10, 255], RescaleSlope=-1, RescaleIntercept=0) == [255, 245, 0]


def test_a_modality_lut_has_the_range_of_its_own_bits(tmp_path):
    header = {"ModalityLUTSequence": lut(0, 16, [0, 65535, 32896, 0])}
    assert shades(tmp_path, [0, 1, 2, 3], BitsStored=2, **header) == [0, 255, 128, 0]


@pytest.mark.parametrize(
    ("center", "width", "function", "expected"),
    [
        # The standard's linear window of width 101 around 50.5 runs from 0 to 100.
        (50.5, 101, None, [0, 128, 255, 255]),
        (50, 100, "LINEAR_EXACT", [0, 128, 255, 255]),
        (50, 1, "LINEAR", [0, 255, 255, 255]),  # a threshold: from 49.5 on
        (50, 100, "SIGMOID", [30, 128, 225, 254]),  # 1 / (1 + e**2), 1/2, ...
        ([50.5, 9], [101, 3], None, [0, 128, 255, 255]),  # the first of two
        (50, 0, None, [0, 50, 100, 200]),  # forbidden by the standard, so it is ignored
        (None, 100, None, [0, 50, 100, 200]),
    ],
)
def test_the_first_window_fills_the_range(tmp_path, center, width, function, expected):
    header = {"WindowCenter": center, "WindowWidth": width, "VOILUTFunction": function}
    assert shades(tmp_path, [0, 50, 100, 200], **header) == expected


def test_a_window_is_in_units_of_the_rescale(tmp_path):
    header = {"RescaleSlope": 2, "RescaleIntercept": -100, "WindowCenter": 0.5, "WindowWidth": 201}
    assert shades(tmp_path, [0, 50, 100], **header) == [0, 128, 255]


@given(center=st.integers(-300, 300), width=st.integers(2, 600), function=st.sampled_from(["LINEAR", "LINEAR_EXACT"]))
@settings(max_examples=25, deadline=None)
def test_windows_agree_with_pydicom(tmp_path_factory, center, width, function):
    header = {"WindowCenter": center, "WindowWidth": width, "VOILUTFunction": function}
    path = write_dicom(tmp_path_factory.mktemp("window") / "x.dcm", np.arange(256, dtype=np.uint8)[None], **header)
    image = pydicom.dcmread(path)
    assert np.abs(read_dicom(path).pixels - apply_voi_lut(image.pixel_array, image)).max() <= 0.5 + 1e-6


def test_values_beyond_the_bounds_of_a_lut_are_clipped(tmp_path):
    assert shades(tmp_path, [0, 1, 2], VOILUTSequence=lut(0, 10, [0, 2000, 512])) == [0, 255, 128]


def test_a_voi_lut_goes_before_a_window(tmp_path):
    header = {"VOILUTSequence": lut(1, 8, [10, 255, 20]), "WindowCenter": 1, "WindowWidth": 2}
    assert shades(tmp_path, [0, 1, 2, 3, 9], **header) == [10, 10, 255, 20, 20]


def test_a_one_bit_mask_is_black_and_white(tmp_path):
    path = write_dicom(tmp_path / "x.dcm", GREY)
    image = pydicom.dcmread(path)
    image.BitsAllocated = image.BitsStored = 1
    image.HighBit = 0
    image.PixelData = np.packbits(GREY.ravel() > 100, bitorder="little").tobytes()
    image.save_as(path)
    assert np.array_equal(read_image(path), (GREY > 100) * np.uint8(255))


# --- spacing --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "spacing"),
    [
        ({}, None),
        ({"PixelSpacing": [0.2, 0.1]}, (0.2, 0.1)),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, (0.2, 0.1)),
        ({"NominalScannedPixelSpacing": [0.2, 0.1]}, (0.2, 0.1)),
        ({"PixelSpacing": [0.15, 0.15], "ImagerPixelSpacing": [0.2, 0.2]}, (0.15, 0.15)),
        ({"PixelSpacing": [0, 0], "ImagerPixelSpacing": [0.2, 0.2]}, (0.2, 0.2)),
        ({"ImagerPixelSpacing": [0.3, 0.15], "EstimatedRadiographicMagnificationFactor": 1.5}, (0.2, 0.1)),
        ({"ImagerPixelSpacing": [0.2, 0.1], "EstimatedRadiographicMagnificationFactor": 0}, (0.2, 0.1)),
        ({"PixelSpacing": [0.2, 0.1], "EstimatedRadiographicMagnificationFactor": 1.5}, (0.2, 0.1)),
        ({"PixelSpacing": [0, 0]}, None),
        ({"PixelSpacing": []}, None),
    ],
)
def test_the_pixel_spacing_is_the_patients_or_else_the_detectors(tmp_path, header, spacing):
    path = write_dicom(tmp_path / "x.dcm", GREY, **header)
    assert read_dicom(path).spacing == spacing_of(read_header(path)) == (spacing and pytest.approx(spacing))


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ({"PixelSpacing": [0.2, 0.1], "ImagerPixelSpacing": [0.3, 0.2]}, False),
        ({"ImagerPixelSpacing": [0.2, 0.1]}, True),
        ({"NominalScannedPixelSpacing": [0.2, 0.1]}, True),
        ({"ImagerPixelSpacing": [0.2, 0.1], "EstimatedRadiographicMagnificationFactor": 1.2}, False),
        ({}, False),
    ],
)
def test_a_spacing_at_the_detector_is_known_as_such(tmp_path, header, said):
    assert measured_at_detector(write_dicom(tmp_path / "x.dcm", GREY, **header)) == said


def test_a_spacing_that_is_no_number_is_none(tmp_path):
    path = write_dicom(tmp_path / "x.dcm", GREY, PixelSpacing=[1.25, 1.25])
    path.write_bytes(path.read_bytes().replace(rb"1.25\1.25", b"tall wide"))
    assert read_dicom(path).spacing is None


# --- files that cannot be read
# -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ({"NumberOfFrames": 3}, "a DICOM file of 3 frames"),
        ({"SamplesPerPixel": 3, "PhotometricInterpretation": "RGB"}, "in colour"),
        ({"PhotometricInterpretation": "PALETTE COLOR"}, "in colour"),
        ({"Rows": None}, "no pixel data"),
        ({"Rows": 10_000, "Columns": 10_000}, f"refused, 10000 x 10000 pixels is more than the {MAX_PIXELS:,}"),
        ({"Rows": 60}, "damaged"),
        ({"BitsAllocated": 32}, "8 bits stored in 32"),
        ({"BitsStored": 12}, "12 bits stored in 8"),
        ({"BitsStored": 6, "HighBit": 7}, "6 bits whose highest is bit 7; the standard wants bit 5"),
        ({"RescaleSlope": 0, "RescaleIntercept": 3}, "all values equal"),
    ],
)
def test_a_dicom_file_without_one_grey_image_is_a_one_line_error(tmp_path, header, message):
    path = write_dicom(tmp_path / "x.dcm", GREY, **header)
    with pytest.raises(UserError, match=message) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_a_report_has_no_pixels(tmp_path):
    path = write_dicom(tmp_path / "x.dcm", GREY)
    image = pydicom.dcmread(path)
    del image.PixelData
    image.save_as(path)
    with pytest.raises(UserError, match="no pixel data"):
        read_image(path)


def test_files_that_are_only_named_dcm_say_what_they_are(tmp_path, save):
    path = tmp_path / "x.dcm"
    save(tmp_path / "x.png", GREY).rename(path)
    with pytest.raises(UserError, match="x.dcm: not a DICOM file but a PNG; give it that extension"):
        read_image(path)
    path.write_bytes(b"")
    with pytest.raises(UserError, match="empty"):
        read_image(path)
    path.write_text("hello")
    with pytest.raises(UserError, match="not a DICOM file"):
        read_image(path)
    with pytest.raises(UserError, match="y.dcm: no such file"):
        read_image(tmp_path / "y.dcm")
    write_dicom(tmp_path / "z.png", GREY)
    with pytest.raises(UserError, match="z.png: a DICOM file; name it .dcm"):
        read_image(tmp_path / "z.png")


@pytest.mark.parametrize(
    "syntax",
    [
        uid.ExplicitVRLittleEndian,
        uid.DeflatedExplicitVRLittleEndian,
        uid.RLELossless,
        uid.JPEGBaseline8Bit,
        uid.JPEGExtended12Bit,
        uid.JPEGLosslessSV1,
        uid.JPEGLSLossless,
        uid.JPEG2000Lossless,
    ],
    ids=lambda syntax: syntax.name,
)
@given(share=st.floats(0, 0.9))
@settings(max_examples=12, deadline=None)
@pytest.mark.filterwarnings("ignore::UserWarning")  # pytest resets the filter that data.read.dicom has set
def test_a_file_cut_anywhere_is_a_one_line_error(tmp_path_factory, syntax, share):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    path = write_dicom(tmp_path_factory.mktemp("cut") / "x.dcm", noise, syntax)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError) as caught:
        read_image(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)
    assert not any(str(value) in str(caught.value) for value in PATIENT.values())


@pytest.mark.parametrize(
    "syntax",
    [uid.JPEGBaseline8Bit, uid.JPEGLossless, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.RLELossless],
    ids=lambda syntax: syntax.name,
)
def test_a_frame_that_is_cut_short_is_not_filled_with_grey(tmp_path, syntax):
    noise = np.random.default_rng(0).integers(0, 256, (64, 64), np.uint8)
    path = write_dicom(tmp_path / "x.dcm", noise, syntax)
    image = pydicom.dcmread(path)
    frame = next(generate_frames(image.PixelData, number_of_frames=1))
    image.PixelData = encapsulate([frame[: len(frame) // 2]])
    image.save_as(path)
    with pytest.raises(UserError, match="x.dcm: the DICOM file is damaged or cut short"):
        read_image(path)


# --- real files -----------------------------------------------------------------------------------------------------


def test_real_x_rays_are_read(real_data):
    folder = real_data / "dicom"
    name = "siim_1.2.276.0.7230010.3.1.4.8323329.6904.1517875201.850819.dcm"
    original, twin = read_dicom(folder / name), read_dicom(folder / "Fake_MONOHR1.dcm")
    assert original.spacing == twin.spacing == (0.168, 0.168)
    assert original.lossy
    # The second file has the same pixel bytes but is marked MONOCHROME1, so it is the negative.
    assert np.array_equal(twin.pixels, 255 - original.pixels)
    frame = pydicom.dcmread(folder / name)
    jpeg = next(generate_frames(frame.PixelData, number_of_frames=1))
    assert np.abs(np.asarray(Image.open(io.BytesIO(jpeg))).astype(int) - original.pixels).max() <= 1

    philips = read_dicom(folder / "RG1_J2KI.dcm")  # 15 bits, MONOCHROME1, window 0 to 30000, spacing 0
    assert philips.pixels.shape == (1955, 1841)
    assert philips.pixels.dtype == np.uint16
    assert philips.spacing is None
    spine, lung, corner = philips.pixels[600, 900], philips.pixels[700, 450], philips.pixels[1900, 1700]
    assert spine > lung
    assert corner > 0
