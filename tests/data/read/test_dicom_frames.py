"""DICOM files whose parts contradict each other, and healthy ones that depart from the standard or are rare."""

import time
import zlib
from pathlib import Path

import imagecodecs
import numpy as np
import pydicom
import pytest
from pydicom import uid
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate

from data.read import dicom, dicom_file
from data.read.dicom import read_dicom, read_header
from data.read.headers import is_dicom, read_patient, read_spacing
from data.read.images import read_image
from tests.dicoms import write_dicom
from util.errors import UserError

DEEP = (np.arange(64 * 96, dtype=np.uint16).reshape(64, 96) * 7) % 4096
SIGNED = DEEP.astype(np.int16) - 2048


def encode(pixels: np.ndarray, syntax: uid.UID, bits: int = 12) -> bytes:
    if syntax == uid.JPEGBaseline8Bit:
        return bytes(imagecodecs.jpeg8_encode(pixels, level=90))
    if syntax in (uid.JPEGLossless, uid.JPEGLosslessSV1):
        return bytes(imagecodecs.jpeg8_encode(pixels, lossless=True, bitspersample=bits))
    if syntax == uid.JPEGLSLossless:
        return bytes(imagecodecs.jpegls_encode(pixels))
    if syntax == uid.JPEG2000Lossless:
        return bytes(imagecodecs.jpeg2k_encode(pixels, level=0, codecformat="j2k", reversible=True, bitspersample=bits))
    return bytes(imagecodecs.htj2k_encode(pixels, reversible=True))


def framed(path: Path, frame: bytes, syntax: uid.UID, **header: object) -> Path:
    """A file of 12 bits whose pixels are this compressed frame."""
    elements: dict = {"BitsStored": 12} | header
    write_dicom(path, DEEP, **elements)
    image = pydicom.dcmread(path)
    image.PixelData = encapsulate([frame])
    image["PixelData"].VR = "OB"
    image["PixelData"].is_undefined_length = True
    image.file_meta.TransferSyntaxUID = uid.JPEGBaseline8Bit  # pydicom writes no syntax that it does not know
    image.save_as(path)
    meta = path.read_bytes()
    old = b"UI" + (22).to_bytes(2, "little") + uid.JPEGBaseline8Bit.encode()
    new = syntax.encode() + b"\0" * (len(syntax) % 2)
    grown = int.from_bytes(meta[140:144], "little") + len(new) - 22
    meta = meta.replace(old, b"UI" + len(new).to_bytes(2, "little") + new, 1)
    path.write_bytes(meta[:140] + grown.to_bytes(4, "little") + meta[144:])
    return path


def shades(values: np.ndarray, bits: int) -> np.ndarray:
    return np.round(values / (2**bits - 1) * 65535).astype(np.uint16)


# --- what the frame says, and what the header says --------------------------------------------------------------------


@pytest.mark.parametrize(
    "syntax",
    [uid.JPEGLossless, uid.JPEGLosslessSV1, uid.JPEGLSLossless, uid.JPEG2000Lossless, uid.HTJ2KLossless],
    ids=lambda syntax: syntax.name,
)
def test_a_frame_of_another_size_than_the_header_is_refused(tmp_path, syntax):
    path = framed(tmp_path / "x.dcm", encode(np.ascontiguousarray(DEEP.T), syntax), syntax)
    with pytest.raises(UserError, match=r"header says 96 x 64 pixels \(Columns x Rows\), its compressed image 64 x 96"):
        read_image(path)


def test_a_frame_of_8_bits_in_another_size_is_refused(tmp_path):
    frame = encode(np.ascontiguousarray(DEEP.T >> 4).astype(np.uint8), uid.JPEGBaseline8Bit)
    path = framed(tmp_path / "x.dcm", frame, uid.JPEGBaseline8Bit, BitsStored=8)
    with pytest.raises(UserError, match="its compressed image 64 x 96"):
        read_image(path)


def test_a_frame_in_colour_under_a_grey_header_is_refused(tmp_path):
    rgb = np.repeat((DEEP >> 4).astype(np.uint8)[..., None], 3, axis=2)
    path = framed(tmp_path / "x.dcm", encode(rgb, uid.JPEGBaseline8Bit), uid.JPEGBaseline8Bit, BitsStored=8)
    with pytest.raises(UserError, match="header says SamplesPerPixel 1, its compressed image has 3"):
        read_image(path)


def test_a_signed_frame_under_an_unsigned_header_is_refused_if_it_has_negative_values(tmp_path):
    frame = encode(SIGNED, uid.JPEG2000Lossless)
    with pytest.raises(UserError, match=r"PixelRepresentation 0 \(no sign\), its compressed image has values down to"):
        read_image(framed(tmp_path / "x.dcm", frame, uid.JPEG2000Lossless))
    positive = encode((DEEP // 2).astype(np.int16), uid.JPEG2000Lossless)
    read = read_image(framed(tmp_path / "y.dcm", positive, uid.JPEG2000Lossless))
    assert np.array_equal(read, shades(DEEP // 2, 12))


@pytest.mark.parametrize(
    ("syntax", "stream"),
    [
        (uid.JPEG2000Lossless, SIGNED),
        (uid.JPEG2000Lossless, SIGNED.astype(np.uint16) & 4095),  # an unsigned frame holds two's complement
        (uid.JPEGLosslessSV1, SIGNED.astype(np.uint16) & 4095),
        (uid.JPEGLSLossless, SIGNED.astype(np.uint16) & 4095),
    ],
)
def test_signed_pixels_keep_their_values_in_every_codec(tmp_path, syntax, stream):
    path = framed(tmp_path / "x.dcm", encode(stream, syntax), syntax, PixelRepresentation=1)
    assert np.array_equal(read_image(path), shades(DEEP, 12))


@pytest.mark.parametrize(
    ("syntax", "bits"),
    [(uid.JPEGLosslessSV1, 16), (uid.JPEGLosslessSV1, 14), (uid.JPEG2000Lossless, 16), (uid.HTJ2KLossless, 16)],
)
def test_a_frame_of_more_bits_is_read_if_its_values_fit(tmp_path, syntax, bits):
    path = framed(tmp_path / "x.dcm", encode(DEEP, syntax, bits), syntax)
    assert np.array_equal(read_image(path), shades(DEEP, 12))
    with pytest.raises(UserError, match="header says BitsStored 12, its compressed image has values from 0 to 8"):
        read_image(framed(tmp_path / "y.dcm", encode(DEEP * 2, syntax, bits), syntax))


def test_a_frame_of_fewer_bits_has_the_range_of_the_header(tmp_path):
    frame = encode(DEEP, uid.JPEGLosslessSV1, 12)
    path = framed(tmp_path / "x.dcm", frame, uid.JPEGLosslessSV1, BitsStored=16)
    assert np.array_equal(read_image(path), DEEP)


def test_a_lut_shape_that_contradicts_the_photometry_is_said_once(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(dicom, "_warned", set())
    eight = (DEEP >> 4).astype(np.uint8)
    for name in "ab":
        write_dicom(tmp_path / f"{name}.dcm", eight, PresentationLUTShape="INVERSE")
        assert np.array_equal(read_image(tmp_path / f"{name}.dcm"), eight)
    said = capsys.readouterr().err
    assert said.count("PresentationLUTShape contradicts PhotometricInterpretation MONOCHROME2") == 1
    for shape, photometric in (("INVERSE", "MONOCHROME1"), ("IDENTITY", "MONOCHROME2")):
        header: dict = {"PresentationLUTShape": shape, "PhotometricInterpretation": photometric}
        read_image(write_dicom(tmp_path / "c.dcm", eight, **header))
    assert not capsys.readouterr().err


# --- healthy files that are rare --------------------------------------------------------------------------------------


@pytest.mark.parametrize("syntax", [uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K], ids=lambda s: s.name)
def test_high_throughput_jpeg_2000_is_read(tmp_path, syntax):
    picture = read_dicom(framed(tmp_path / "x.dcm", encode(DEEP, syntax), syntax))
    assert np.array_equal(picture.pixels, shades(DEEP, 12))
    assert picture.lossy == (syntax == uid.HTJ2K)


@pytest.mark.parametrize("padding", [b"\0", b"\0" * 500, b"\xff" * 500, b"\0\1\2\3"])
@pytest.mark.parametrize("syntax", [uid.JPEGLosslessSV1, uid.JPEG2000Lossless, uid.JPEGLSLossless])
def test_padding_after_the_end_of_a_frame_does_no_harm(tmp_path, syntax, padding):
    path = framed(tmp_path / "x.dcm", encode(DEEP, syntax) + padding, syntax)
    assert np.array_equal(read_image(path), shades(DEEP, 12))


def test_a_jpeg_2000_tile_may_leave_its_length_open(tmp_path):
    frame = bytearray(encode(DEEP, uid.JPEG2000Lossless))
    place = frame.index(b"\xff\x90")  # SOT: marker, Lsot, Isot, Psot
    frame[place + 6 : place + 10] = bytes(4)
    path = framed(tmp_path / "x.dcm", bytes(frame) + b"\0", uid.JPEG2000Lossless)
    assert np.array_equal(read_image(path), shades(DEEP, 12))


def test_elements_without_a_value_have_their_neutral_one(tmp_path):
    header: dict = dict.fromkeys(["RescaleSlope", "RescaleIntercept"], "") | {
        "WindowCenter": 2047.5,
        "WindowWidth": 4096,
    }
    path = write_dicom(tmp_path / "x.dcm", DEEP, BitsStored=12, **header)
    plain: dict = {"WindowCenter": 2047.5, "WindowWidth": 4096}
    assert np.array_equal(read_image(path), read_image(write_dicom(tmp_path / "y.dcm", DEEP, BitsStored=12, **plain)))


@pytest.mark.parametrize("keyword", ["VOILUTSequence", "ModalityLUTSequence"])
def test_empty_items_of_a_lut_sequence_are_ignored(tmp_path, keyword):
    table = Dataset()
    table.add_new("LUTExplanation", "LO", "empty")
    header: dict = {keyword: [Dataset(), table]}
    path = write_dicom(tmp_path / "x.dcm", DEEP, BitsStored=12, **header)
    assert np.array_equal(read_image(path), shades(DEEP, 12))


@pytest.mark.parametrize("keyword", ["SamplesPerPixel", "HighBit"])
def test_elements_with_one_possible_value_may_be_missing(tmp_path, keyword):
    path = write_dicom(tmp_path / "x.dcm", DEEP, BitsStored=12)
    image = pydicom.dcmread(path)
    del image[keyword]
    image.save_as(path)
    assert np.array_equal(read_image(path), shades(DEEP, 12))
    del image.BitsStored
    image.save_as(path)
    with pytest.raises(UserError, match="its DICOM header has no BitsStored"):
        read_image(path)


@pytest.mark.parametrize("start", [128 + 4, "data"], ids=["file meta", "data set alone"])
@pytest.mark.parametrize(
    "syntax", [uid.ImplicitVRLittleEndian, uid.ExplicitVRLittleEndian], ids=["implicit", "explicit"]
)
def test_a_file_may_lack_its_preamble(tmp_path, start, syntax):
    path = write_dicom(tmp_path / "x", DEEP, syntax, BitsStored=12)
    data = path.read_bytes()
    path.write_bytes(data[132:] if start == 132 else data[144 + int.from_bytes(data[140:144], "little") :])
    assert is_dicom(path)
    assert np.array_equal(read_image(path), shades(DEEP, 12))


@pytest.mark.parametrize(
    ("syntax", "name"),
    [("1.2.840.10008.1.2.4.110", "JPEG XL Lossless"), ("1.2.840.10008.1.2.4.100", "MPEG2"), ("1.3.46.999.1", "1.3.46")],
)
def test_a_compression_that_cannot_be_read_is_named(tmp_path, syntax, name):
    path = framed(tmp_path / "x.dcm", b"\0" * 100, uid.UID(syntax))
    with pytest.raises(UserError, match=rf"compression \({name}.*\) cannot be read here; convert"):
        read_image(path)


# --- bounded time and memory ------------------------------------------------------------------------------------------


def test_a_value_representation_that_pydicom_does_not_know_is_a_one_line_error(tmp_path):
    path = write_dicom(tmp_path / "x.dcm", DEEP, BitsStored=12, PixelSpacing=[0.2, 0.1])
    data = path.read_bytes()
    path.write_bytes(data.replace(b"\x28\0\x10\0US", b"\x28\0\x10\0QQ"))  # Rows
    for read in (read_image, read_spacing, read_header):
        with pytest.raises(UserError, match=r"damaged or cut short, Rows in its header cannot be read"):
            read(path)
    path.write_bytes(data.replace(b"\x28\0\x10\0US\x02\0", b"\x28\0\x10\0US\x04\0\x01\0"))  # two values
    with pytest.raises(UserError, match=r"damaged or cut short, Rows in its header cannot be read"):
        read_header(path)
    path.write_bytes(data.replace(b"\x28\0\x30\0DS", b"\x28\0\x30\0QQ"))  # PixelSpacing is not vital
    assert read_spacing(path) is None
    path.write_bytes(data.replace(b"\x10\0\x20\0LO", b"\x10\0\x20\0QQ"))  # PatientID
    assert read_patient(path) == ""


def test_a_deflated_bomb_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(dicom_file, "MOST_BYTES", 10**6)
    path = write_dicom(tmp_path / "x.dcm", DEEP, uid.DeflatedExplicitVRLittleEndian, BitsStored=12)
    assert np.array_equal(read_image(path), shades(DEEP, 12))
    data = path.read_bytes()
    deflate = zlib.compressobj(wbits=-15)
    body = deflate.compress(b"\x08\0\x05\0LO\0\0" + bytes(10**7)) + deflate.flush()
    path.write_bytes(data[: 144 + int.from_bytes(data[140:144], "little")] + body)
    with pytest.raises(UserError, match="refused, it is deflated and becomes larger than"):
        read_image(path)


@pytest.mark.parametrize("length", ["defined", "open"])
def test_a_million_empty_items_are_refused_quickly(tmp_path, length):
    path = write_dicom(tmp_path / "x.dcm", DEEP, BitsStored=12)
    items = b"\xfe\xff\x00\xe0\0\0\0\0" * 10**6
    sequence = b"\x28\0\x10\x30SQ\0\0"  # VOI LUT Sequence
    if length == "defined":
        sequence += len(items).to_bytes(4, "little") + items
    else:
        sequence += b"\xff\xff\xff\xff" + items + b"\xfe\xff\xdd\xe0\0\0\0\0"
    data = path.read_bytes()
    place = data.index(b"\xe0\x7f\x10\0OW")
    path.write_bytes(data[:place] + sequence + data[place:])
    begun = time.process_time()
    with pytest.raises(UserError, match="refused, .*has more than"):
        read_image(path)
    assert time.process_time() - begun < 5
