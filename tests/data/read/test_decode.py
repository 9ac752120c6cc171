"""Black is 0, every bit is kept and the picture is upright, in whichever format it is stored."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from data.read.decode import from_pillow
from data.read.images import find_images, read_file, read_image, read_pixels
from tests.tiffs import write_tiff
from util.errors import UserError

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
RGB = np.stack([GREY, 255 - GREY, GREY // 2], axis=2)
DEEP = np.arange(48, dtype=np.uint16).reshape(6, 8) * 1300
DEEP_RGB = np.stack([DEEP, 65535 - DEEP, DEEP // 2], axis=2)
FLOAT = DEEP / 65535
UPRIGHT = {
    1: lambda stored: stored,
    2: np.fliplr,
    3: lambda stored: np.rot90(stored, 2),
    4: np.flipud,
    5: lambda stored: np.swapaxes(stored, 0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.swapaxes(np.rot90(stored, 2), 0, 1),
    8: np.rot90,
}
both_orders = pytest.mark.parametrize("order", ["<", ">"], ids=["little", "big"])


def opaque(pixels: np.ndarray) -> np.ndarray:
    return np.dstack([pixels, np.full(pixels.shape[:2], np.iinfo(pixels.dtype).max, pixels.dtype)])


def write_png(path, pixels: np.ndarray, kind: int, transparent: bytes = b""):
    """A PNG of 16 bits; kind is its colour type. Pillow writes none of colour."""
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in pixels)
    header = struct.pack(">IIBBBBB", pixels.shape[1], pixels.shape[0], 16, kind, 0, 0, 0)
    chunks = [(b"IHDR", header), (b"tRNS", transparent), (b"IDAT", zlib.compress(rows)), (b"IEND", b"")]
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n"
        + b"".join(
            struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
            for name, data in chunks
            if data or name == b"IEND"
        )
    )
    return path


@both_orders
@pytest.mark.parametrize(
    ("stored", "meant"),
    [
        (255 - GREY, GREY),
        (65535 - DEEP, DEEP),
        ((1 - FLOAT).astype(np.float32), DEEP),
        (1 - FLOAT, DEEP),
        (opaque(65535 - DEEP), DEEP),
        (opaque(255 - GREY), GREY),
    ],
    ids=["8", "16", "float32", "float64", "16-alpha", "8-alpha"],
)
def test_white_may_be_zero_in_a_tiff(tmp_path, order, stored, meant):
    pixels = read_image(write_tiff(tmp_path / "x.tif", stored, order=order, photometric=0))
    assert pixels.dtype == meant.dtype
    assert np.array_equal(pixels, meant)


def test_white_is_zero_in_32_bit_integers_is_refused(tmp_path):
    with pytest.raises(UserError, match=r"x.tif: 32-bit values of a TIFF whose white is 0: which is black"):
        read_image(write_tiff(tmp_path / "x.tif", DEEP.astype(np.int32), photometric=0))


@both_orders
@pytest.mark.parametrize(
    ("stored", "meant"),
    [
        (FLOAT, DEEP),
        (opaque(GREY), GREY),
        (opaque(DEEP), DEEP),
        (DEEP_RGB, DEEP_RGB),
        (opaque(DEEP_RGB), DEEP_RGB),
        (DEEP_RGB / 65535, DEEP_RGB),
        (DEEP.astype(np.uint32), DEEP),
        (GREY.astype(np.int16), GREY),
    ],
    ids=["float64", "grey-alpha", "16-grey-alpha", "16-rgb", "16-rgba", "float-rgb", "uint32", "int16"],
)
def test_a_tiff_keeps_its_range_whatever_the_samples(tmp_path, order, stored, meant):
    assert np.array_equal(read_image(write_tiff(tmp_path / "x.tif", stored, order=order)), meant)


def test_signed_8_bits_are_not_read_as_unsigned(tmp_path):
    with pytest.raises(UserError, match="8-bit values from -4 to 1; convert"):
        read_image(write_tiff(tmp_path / "x.tif", np.array([[-4, 1]], np.int8)))


def test_alpha_that_is_multiplied_already_is_not_multiplied_twice(tmp_path):
    half = np.dstack([DEEP // 2, np.full_like(DEEP, 32768)])
    assert np.array_equal(read_image(write_tiff(tmp_path / "a.tif", half, t338=1)), DEEP // 2)
    assert np.abs(read_image(write_tiff(tmp_path / "b.tif", half, t338=2)).astype(int) - DEEP // 4).max() <= 1
    assert np.array_equal(read_image(write_tiff(tmp_path / "c.tif", half, t338=0)), DEEP // 2), "no alpha at all"


def test_a_tiff_whose_pixels_have_no_clear_meaning_is_refused(tmp_path):
    with pytest.raises(UserError, match="x.tif: a TIFF of 4 x 16 bits and photometric kind 5; convert it"):
        read_image(write_tiff(tmp_path / "x.tif", opaque(DEEP_RGB), photometric=5))
    with pytest.raises(UserError, match="x.tif: a TIFF of 5 x 16 bits"):
        read_image(write_tiff(tmp_path / "x.tif", opaque(opaque(DEEP_RGB))))


@pytest.mark.parametrize(
    ("stored", "kind"), [(DEEP_RGB, 2), (opaque(DEEP), 4), (opaque(DEEP_RGB), 6)], ids=["rgb", "grey-alpha", "rgba"]
)
def test_a_16_bit_png_keeps_its_range_whatever_its_channels(tmp_path, stored, kind):
    meant = DEEP if kind == 4 else DEEP_RGB
    pixels = read_image(write_png(tmp_path / "x.png", stored, kind))
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels, meant)
    assert pixels.flags.writeable


def test_transparent_pixels_of_a_16_bit_png_are_put_on_black(tmp_path):
    stored = np.dstack([DEEP_RGB, np.zeros_like(DEEP)])
    assert not read_image(write_png(tmp_path / "x.png", stored, 6)).any()
    pixels = read_image(write_png(tmp_path / "y.png", DEEP + 1, 0, struct.pack(">H", DEEP[0, 3] + 1)))
    assert pixels[0, 3] == 0
    assert (pixels == DEEP + 1).sum() == pixels.size - 1


@pytest.mark.parametrize("most", [65535, 1023])
def test_a_ppm_of_16_bit_colour_keeps_its_range(tmp_path, most):
    stored = np.round(DEEP_RGB / 65535 * most)
    (tmp_path / "x.ppm").write_bytes(f"P6\n# a comment\n8 6\n{most}\n".encode() + stored.astype(">u2").tobytes())
    pixels = read_image(tmp_path / "x.ppm")
    assert pixels.dtype == np.uint16
    assert np.array_equal(pixels, np.round(stored / most * 65535))


def test_a_ppm_of_16_bit_colour_as_text_is_refused(tmp_path):
    (tmp_path / "x.ppm").write_text("P3 1 1 65535\n1 2 3\n")
    with pytest.raises(UserError, match="x.ppm: a PPM of 16-bit colour, written as text"):
        read_image(tmp_path / "x.ppm")


def test_a_16_bit_pgm_is_read(tmp_path):
    (tmp_path / "x.pgm").write_bytes(b"P5 8 6 65535\n" + DEEP.astype(">u2").tobytes())
    assert np.array_equal(read_image(tmp_path / "x.pgm"), DEEP)


def test_12_bits_fill_the_range(tmp_path):
    """Packed in three bytes for two pixels: 4095 is white."""
    path = write_tiff(tmp_path / "x.tif", np.array([[0xFF, 0xF8, 0x00]], np.uint8), t256=2, t258=12)
    assert read_image(path).tolist() == [[65535, 32776]]


@both_orders
@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize(
    "stored", [GREY, RGB, DEEP, DEEP_RGB, FLOAT], ids=["grey", "rgb", "16-grey", "16-rgb", "float"]
)
def test_an_uncompressed_tiff_is_turned_once(tmp_path, stored, orientation, order):
    """By path, Pillow maps the file into memory, and then scrambles what it turns."""
    upright = read_image(write_tiff(tmp_path / "upright.tif", stored, order=order))
    turned = read_file(write_tiff(tmp_path / "turned.tif", stored, order=order, t274=orientation))
    assert np.array_equal(turned.pages[0].pixels, UPRIGHT[orientation](upright))
    assert turned.orientation == orientation


@pytest.mark.parametrize("orientation", UPRIGHT)
@pytest.mark.parametrize("how", ["tiff_lzw", "tiff_deflate", "packbits", "png", "16-bit png"])
def test_compressed_files_are_turned_once(tmp_path, save, how, orientation):
    stored = DEEP if how == "16-bit png" else RGB
    exif = Image.Exif()
    exif[0x0112] = orientation
    if "png" in how:
        path = save(tmp_path / "x.png", stored, exif=exif)
    else:
        path = save(tmp_path / "x.tif", stored, compression=how, tiffinfo={0x0112: orientation})
    file = read_file(path)
    assert np.array_equal(file.pages[0].pixels, UPRIGHT[orientation](stored))
    assert file.orientation == orientation


def test_an_image_of_several_pages_is_refused_with_their_number(tmp_path):
    path = write_tiff(tmp_path / "x.tif", DEEP, DEEP, DEEP)
    with pytest.raises(UserError, match=r"x.tif: a file of 3 pages; save the one you mean as a file of its own"):
        read_image(path)
    frames = [Image.fromarray(np.roll(GREY, i)) for i in range(3)]
    for kind in ("gif", "png", "webp"):
        frames[0].save(tmp_path / f"y.{kind}", save_all=True, append_images=frames[1:], lossless=True)
        with pytest.raises(UserError, match=rf"y.{kind}: a file of 3 pages"):
            read_image(tmp_path / f"y.{kind}")


@pytest.mark.parametrize("pages", [(GREY, RGB // 2), (DEEP, DEEP + 1), (GREY, DEEP)], ids=["8", "16", "mixed"])
def test_every_page_is_read(tmp_path, pages):
    read = read_file(write_tiff(tmp_path / "x.tif", *pages), several=True).pages
    assert all(np.array_equal(page.pixels, stored) for page, stored in zip(read, pages, strict=True))


def test_a_thumbnail_is_no_page(tmp_path):
    buffer = write_tiff(tmp_path / "x.tif", DEEP, DEEP[:2, :2], t254=0).read_bytes()
    tag = struct.pack("<HHI", 254, 3, 1)
    second = buffer.rindex(tag) + len(tag)
    (tmp_path / "x.tif").write_bytes(buffer[:second] + b"\1\0" + buffer[second + 2 :])
    assert np.array_equal(read_image(tmp_path / "x.tif"), DEEP)


def test_directories_that_form_a_circle_end(tmp_path):
    path = write_tiff(tmp_path / "x.tif", DEEP)
    data = path.read_bytes()
    path.write_bytes(data[:-4] + data[4:8])
    assert np.array_equal(read_image(path), DEEP)


def test_gif_and_webp_are_found_and_read(tmp_path, save):
    for name, how in (("a.gif", {}), ("b.webp", {"lossless": True})):
        pixels, lossy = read_pixels(save(tmp_path / name, RGB if name == "b.webp" else GREY, **how))
        assert np.array_equal(pixels if pixels.ndim == 2 else pixels[:, :, 0], GREY)
        assert not lossy
    assert read_pixels(save(tmp_path / "c.webp", RGB))[1]
    assert [path.name for path in find_images(tmp_path)] == ["a.gif", "b.webp", "c.webp"]


def test_a_jpeg_with_a_preview_is_one_lossy_picture(tmp_path, save):
    save(tmp_path / "x.jpg", RGB)
    Image.open(tmp_path / "x.jpg").save(
        tmp_path / "x.jpg", format="MPO", save_all=True, append_images=[Image.fromarray(RGB[:4, :4])]
    )
    pixels, lossy = read_pixels(tmp_path / "x.jpg")
    assert pixels.shape == RGB.shape
    assert lossy


@pytest.mark.parametrize("stored", [GREY, DEEP], ids=["8", "16"])
def test_a_tiff_with_fewer_rows_than_its_header_says_is_damaged(tmp_path, stored):
    """Pillow fills them with black."""
    with pytest.raises(UserError, match="x.tif: the image is damaged: it has fewer rows of pixels than its header"):
        read_image(write_tiff(tmp_path / "x.tif", stored, t257=300, t278=6))


def test_a_tiff_that_would_fill_the_memory_is_refused_by_its_header(tmp_path):
    path = write_tiff(tmp_path / "x.tif", DEEP_RGB / 65535, t256=9000, t257=9000, t278=9000)
    with pytest.raises(UserError, match="x.tif: refused, its pixels take 1,944,000,000 bytes; convert it"):
        read_image(path)


SAVED = {
    "white is 0": lambda path: write_tiff(path, DEEP, photometric=0),
    "one of 2 pages": lambda path: write_tiff(path, GREY, GREY),
    "3 x 16 bits": lambda path: write_tiff(path, DEEP_RGB),
    "2 x 8 bits": lambda path: write_tiff(path, opaque(GREY), t338=2),
    "1 x 8 bits": lambda path: write_tiff(path, (GREY // 2).astype(np.int8)),
    "lies on its side": lambda path: write_tiff(path, GREY, t274=6),
    "16-bit colour": lambda path: write_png(path, DEEP_RGB, 2),
    "or transparency": lambda path: write_png(path, DEEP, 0, b"\0\1"),
    "colour or": lambda path: path.write_bytes(b"P6 8 6 65535\n" + DEEP_RGB.astype(">u2").tobytes()),
    "": lambda path: write_tiff(path, DEEP),
    "|": lambda path: write_tiff(path, 255 - GREY, photometric=0),
    "||": lambda path: write_png(path, DEEP, 0),
    "|||": lambda path: write_tiff(path, GREY, t274=3),
}


@pytest.mark.parametrize("reason", SAVED)
def test_a_picture_that_pillow_has_opened_is_that_of_its_path_or_refused(tmp_path, reason):
    path = tmp_path / "x"
    SAVED[reason](path)
    if not reason.strip("|"):
        assert np.array_equal(from_pillow(Image.open(path), path), read_image(path))
        return
    with pytest.raises(UserError, match=f"{reason}.*; give the path of its file instead"):
        from_pillow(Image.open(path), path)
    assert from_pillow(Image.open(path).copy(), path).shape[:2] in ((6, 8), (8, 6))  # made by the user, not by a file
