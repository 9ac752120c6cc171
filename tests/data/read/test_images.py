"""Pictures of every common format are read; those that cannot be read are one-line errors."""

import os
import struct
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from data.read.images import find_images, read_image, read_pixels, safe_ids
from data.read.limits import MAX_PIXELS
from util.errors import UserError

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
RGB = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)
DEEP = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300


@pytest.mark.parametrize("suffix", ["png", "tif", "bmp", "ppm", "TIFF"])
@pytest.mark.parametrize("array", [GREY, RGB], ids=["grey", "rgb"])
def test_lossless_files_come_back_as_they_were(tmp_path, save, suffix, array):
    pixels, lossy = read_pixels(save(tmp_path / f"x.{suffix}", array))
    assert np.array_equal(pixels, array)
    assert pixels.dtype == np.uint8
    assert not lossy


@pytest.mark.parametrize("suffix", ["png", "tif"])
def test_16_bits_keep_their_values_however_dark_the_picture_is(tmp_path, save, suffix):
    dim = DEEP // 100
    pixels = read_image(save(tmp_path / f"x.{suffix}", dim))
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels, dim)


def test_big_endian_16_bit_tiff_is_read(tmp_path):
    path = tmp_path / "x.tif"
    tags = [(256, 8), (257, 6), (258, 16), (259, 1), (262, 1), (273, 200), (277, 1), (278, 6), (279, 96)]
    entries = b"".join(struct.pack(">HHIHH", tag, 3, 1, value, 0) for tag, value in tags)
    head = b"MM\0*" + struct.pack(">IH", 8, len(tags)) + entries + bytes(4)
    path.write_bytes(head.ljust(200, b"\0") + DEEP.astype(">u2").tobytes())
    assert np.array_equal(read_image(path), DEEP)


def test_jpeg_is_close_and_known_to_be_lossy(tmp_path, save):
    pixels, lossy = read_pixels(save(tmp_path / "x.jpg", GREY, quality=95))
    assert lossy
    assert pixels.shape == GREY.shape
    assert np.abs(pixels.astype(int) - GREY).max() < 12


def test_palette_one_bit_and_cmyk_pictures_are_read(tmp_path):
    palette = Image.fromarray(np.array([[0, 1], [2, 1]], np.uint8), mode="P")
    palette.putpalette([0, 0, 0, 255, 255, 255, 200, 10, 20])
    palette.save(tmp_path / "p.png")
    assert read_image(tmp_path / "p.png").tolist() == [[[0, 0, 0], [255] * 3], [[200, 10, 20], [255] * 3]]
    Image.fromarray(np.array([[True, False]])).save(tmp_path / "bit.png")
    assert read_image(tmp_path / "bit.png").tolist() == [[255, 0]]
    Image.new("CMYK", (4, 4), (0, 0, 0, 255)).save(tmp_path / "ink.jpg")
    assert read_image(tmp_path / "ink.jpg").shape == (4, 4, 3)
    assert read_image(tmp_path / "ink.jpg").max() < 10


def test_transparent_pixels_are_put_on_black(tmp_path, save):
    rgba = np.array([[[255, 255, 255, 0], [200, 100, 50, 255]]], np.uint8)
    assert read_image(save(tmp_path / "x.png", rgba)).tolist() == [[[0, 0, 0], [200, 100, 50]]]
    grey = np.array([[[255, 0], [90, 255]]], np.uint8)
    assert read_image(save(tmp_path / "y.png", grey)).tolist() == [[0, 90]]


def test_floating_point_runs_from_0_to_1(tmp_path, save):
    assert read_image(save(tmp_path / "x.tif", np.array([[0, 0.5, 1]], np.float32))).tolist() == [[0, 32768, 65535]]
    with pytest.raises(UserError, match="floating point values from 0 to 80; want 0 to 1"):
        read_image(save(tmp_path / "y.tif", np.array([[0, 80]], np.float32)))
    with pytest.raises(UserError, match="floating point"):
        read_image(save(tmp_path / "z.tif", np.array([[0, np.nan]], np.float32)))


def test_32_bit_integers_are_read_as_16_bit_or_refused(tmp_path, save):
    assert read_image(save(tmp_path / "x.tif", DEEP.astype(np.int32))).max() == DEEP.max()
    with pytest.raises(UserError, match="32-bit values from -1 to 0"):
        read_image(save(tmp_path / "y.tif", np.array([[0, -1]], np.int32)))


def test_orientation_is_applied_as_viewers_do(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right
    Image.fromarray(GREY).save(tmp_path / "x.png", exif=exif)
    assert np.array_equal(read_image(tmp_path / "x.png"), np.rot90(GREY, -1))


def test_arrays_can_be_written_to(tmp_path, save):
    for name, array in (("grey", GREY), ("rgb", RGB), ("deep", DEEP)):
        assert read_image(save(tmp_path / f"{name}.png", array)).flags.writeable


def _png(width: int, height: int) -> bytes:
    """A tiny file whose header claims this size."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    data = b"IDAT" + zlib.compress(bytes(1000))
    chunks = (struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data, b"IEND"))
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [9_460, 30_000, 2_000_000])
def test_a_decompression_bomb_is_refused_by_its_header(tmp_path, monkeypatch, side):
    path = tmp_path / "bomb.png"
    path.write_bytes(_png(side, side))
    monkeypatch.setattr(Image.Image, "load", lambda self: pytest.fail("decoded"))
    with pytest.raises(UserError, match=f"bomb.png: refused, .* more than the {MAX_PIXELS:,} pixels"):
        read_image(path)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "empty"),
        (b"patient,age\n1,40\n", "not an image"),
        (b"\x89PNG\r\n\x1a\n", "damaged"),
        (_png(100, 100), "damaged"),
        (b"BM", "damaged"),
    ],
    ids=["empty", "text", "magic", "short", "bmp"],
)
def test_a_file_that_is_no_image_is_named(tmp_path, content, message):
    path = tmp_path / "x.png"
    path.write_bytes(content)
    with pytest.raises(UserError, match=message) as caught:
        read_image(path)
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("suffix", ["png", "jpg", "tif", "bmp"])
@given(share=st.floats(0, 0.95))
@settings(max_examples=12, deadline=None)
def test_a_file_cut_anywhere_is_a_one_line_error(tmp_path_factory, suffix, share):
    path = tmp_path_factory.mktemp("cut") / f"x.{suffix}"
    noise = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    Image.fromarray(noise).save(path)
    data = path.read_bytes()
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(UserError, match=r"x\.\w+: "):
        read_image(path)


def test_a_missing_file_and_a_folder_are_named(tmp_path):
    with pytest.raises(UserError, match="no such file"):
        read_image(tmp_path / "x.png")
    with pytest.raises(UserError, match="a folder"):
        read_image(tmp_path)


def test_find_images_searches_subfolders_in_a_fixed_order_without_hidden_files(tmp_path, save):
    for name in ("b.PNG", "a.jpg", "sub/c.Tiff", ".hidden.png", ".thumbs/d.png", "sub/._c.png"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "notes.txt").touch()
    os.symlink(tmp_path, tmp_path / "sub" / "round")
    assert [p.relative_to(tmp_path).as_posix() for p in find_images(tmp_path)] == ["a.jpg", "b.PNG", "sub/c.Tiff"]


def test_ids_are_stems_and_clashes_are_joined_with_their_folder(tmp_path):
    names = ["x.png", "day1/a.png", "day2/a.png", "day2/B.png", "day2/b.png", "day3/c.png", "day3/c.jpg"]
    ids = safe_ids([tmp_path / name for name in names], tmp_path)
    assert ids == ["x", "day1_a", "day2_a", "day2_B_png", "day2_b_png_2", "day3_c_png", "day3_c_jpg"]


def test_long_ids_are_cut_between_characters_and_keep_their_start_and_end(tmp_path):
    shared = "Рентгенограмма органов грудной клетки в прямой проекции, городская больница номер 12"
    paths = [tmp_path / f"{shared}, {i}.png" for i in range(3)]
    ids = safe_ids(paths, tmp_path)
    assert [(name[:14], name[-3:]) for name in ids] == [("Рентгенограмма", f", {i}") for i in range(3)]
    assert all(len(name.encode()) <= 150 for name in ids)
    assert len({safe_ids([path], tmp_path)[0] for path in paths}) == 3, "alone, names stay different too"


@given(st.lists(st.text(st.characters(exclude_characters="/\0"), min_size=1, max_size=200), min_size=1, unique=True))
@settings(max_examples=60, deadline=None)
def test_ids_are_unique_and_can_always_be_file_names(tmp_path_factory, names):
    root = tmp_path_factory.getbasetemp()
    ids = safe_ids([root / f"{name}.png" for name in names], root)
    assert len({name.casefold() for name in ids}) == len(names)
    for name in ids:
        assert name
        assert ".." not in name
        assert "/" not in name
        assert "\\" not in name
        assert (root / name).parent == root
        assert len(name.encode("utf-8")) <= 160  # 150 and a number; a file name has room for 255


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_a_folder_that_cannot_be_listed_is_an_error(tmp_path, monkeypatch):
    (tmp_path / "inside").mkdir()
    listed = os.scandir

    def scandir(path):
        if str(path).endswith("inside"):
            raise PermissionError(13, "Permission denied", str(path))
        return listed(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(PermissionError, match="inside"):
        find_images(tmp_path)
    assert find_images(tmp_path / "none") == []
