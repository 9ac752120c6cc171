"""Label pictures are read as class indices."""

import json

import numpy as np
import pytest
from PIL import Image, ImageFilter

from data.classes import VOID_BIT, Classes
from data.read.images import read_file, read_pixels
from data.read.labels import labels_of, read_labels
from tests.tiffs import write_tiff
from util.errors import UserError

LUNGS, FACADES = Classes.load("lungs"), Classes.load("facades")
BOX = np.zeros((6, 8), np.uint8)
BOX[1:4, 2:5] = 1
RED = BOX[:, :, None] * np.array([255, 0, 0], np.uint8)


def _palette(indices: np.ndarray, *colours: tuple[int, int, int]) -> Image.Image:
    picture = Image.fromarray(indices, mode="P")
    picture.putpalette([value for colour in colours for value in colour])
    return picture


@pytest.mark.parametrize(
    "picture",
    [
        Image.fromarray(BOX),
        Image.fromarray(BOX * 255),
        Image.fromarray(BOX * 128),
        Image.fromarray(BOX.astype(np.uint16) * 65535),
        Image.fromarray(BOX.astype(bool)),
        Image.fromarray(np.repeat(BOX[:, :, None] * 255, 3, axis=2)),
        Image.fromarray(np.repeat(BOX[:, :, None] * 255, 4, axis=2)),
        Image.fromarray(RED),
        _palette(BOX, (0, 0, 0), (255, 255, 255)),
        _palette(1 - BOX, (128, 0, 0), (0, 0, 0)),
    ],
    ids=["0-1", "0-255", "0-128", "16bit", "1bit", "rgb", "rgba", "black-red", "palette", "palette-red"],
)
def test_a_mask_of_two_classes_may_be_stored_in_many_ways(tmp_path, picture):
    picture.save(tmp_path / "mask.png")
    assert np.array_equal(read_labels([tmp_path / "mask.png"], LUNGS), BOX)


def test_a_mask_may_be_full_or_empty(tmp_path, save):
    for value in (1, 255):
        assert read_labels([save(tmp_path / "x.png", np.full((2, 2), value, np.uint8))], LUNGS).all()
    assert not read_labels([save(tmp_path / "x.png", np.zeros((2, 2), np.uint8))], LUNGS).any()


@pytest.mark.parametrize(
    ("mask", "message"),
    [
        (np.arange(0, 250, 10, dtype=np.uint8).reshape(5, 5), "24 others: 10, 20, 30, 40, 50, ...; it looks like"),
        (np.array([[0, 1, 255]], np.uint8), "2 others: 1, 255"),
        (np.full((4, 4), 90, np.uint8), "every pixel of this mask is 90"),
        (np.array([[[0, 0, 0], [255, 0, 0], [0, 255, 0]]], np.uint8), r"2 others: \[0, 255, 0\], \[255, 0, 0\]"),
        (np.array([[[255, 255, 255], [0, 0, 255]]], np.uint8), "2 others"),
    ],
    ids=["ramp", "three", "even", "colours", "white-blue"],
)
def test_a_mask_that_is_not_binary_is_refused_with_its_values(tmp_path, save, mask, message):
    path = save(tmp_path / "bad.png", mask)
    with pytest.raises(UserError, match=message) as caught:
        read_labels([path], LUNGS)
    assert str(path) in str(caught.value)


@pytest.mark.parametrize("shown", ["lungs", "lungs_dark"])
@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_masks_for_lungs_dark_are_stored_white_on_black(tmp_path, save, kind, shown):
    """In a JPEG, values are snapped to the nearer class."""
    mask = np.zeros((64, 64), np.uint8)
    mask[16:41, 11:50] = 1
    path = save(tmp_path / f"x.{kind}", mask * 255, quality=75)
    assert np.array_equal(read_labels([path], Classes.load(shown)), mask)


@pytest.mark.parametrize("kind", ["png", "jpg"])
def test_classes_from_a_file_may_be_dark_on_white(tmp_path, save, kind):
    """The JSON file decides, unlike for lungs_dark, whose masks are stored white on black."""
    (tmp_path / "classes.json").write_text('{"background": [255, 255, 255], "nodule": [0, 0, 0]}')
    mask = np.full((32, 32), 255, np.uint8)
    mask[8:16, 8:16] = 0
    save(tmp_path / f"x.{kind}", mask)
    classes = Classes.load(str(tmp_path / "classes.json"))
    assert (read_labels([tmp_path / f"x.{kind}"], classes) == (mask == 0)).all()
    save(tmp_path / "grey.png", mask // 255 * 100)
    with pytest.raises(UserError, match="colours that are no class, such as"):
        read_labels([tmp_path / "grey.png"], classes)


def test_a_photo_is_refused_as_a_jpeg_mask(tmp_path, save):
    ramp = np.tile(np.arange(80, 176, dtype=np.uint8), (64, 1))
    with pytest.raises(UserError, match="this one is .* and hardly anywhere black"):
        read_labels([save(tmp_path / "x.jpg", ramp)], LUNGS)
    ramp = np.tile(np.repeat(np.arange(256, dtype=np.uint8), [400] + [1] * 255), (64, 1))
    with pytest.raises(UserError, match="the colour of no class"):
        read_labels([save(tmp_path / "x.jpg", ramp)], LUNGS)
    noise = np.random.default_rng(0).integers(90, 170, (64, 64, 3), np.uint8)
    with pytest.raises(UserError, match="are --classes and --direction right"):
        read_labels([save(tmp_path / "y.jpg", noise)], FACADES)


def test_parts_of_a_mask_are_joined(tmp_path, save):
    left, right = BOX.copy(), np.fliplr(BOX)
    paths = [save(tmp_path / "l.png", left * 255), save(tmp_path / "r.png", right)]
    assert np.array_equal(read_labels(paths, LUNGS), left | right)
    odd = save(tmp_path / "odd.png", np.zeros((5, 5), np.uint8))
    with pytest.raises(UserError, match="odd.png: 5 x 5 pixels, but l.png has 8 x 6"):
        read_labels([*paths, odd], LUNGS)


def test_many_classes_are_stored_by_colour_or_by_index(tmp_path, save):
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    by_colour = save(tmp_path / "colour.png", FACADES.encode(labels))
    by_index = save(tmp_path / "index.png", labels)
    for path in (by_colour, by_index):
        assert np.array_equal(read_labels([path], FACADES), labels)
    wrong = FACADES.encode(labels)
    wrong[0, 0] = (1, 2, 3)
    with pytest.raises(UserError, match=r"1 colours that are no class, such as \[1, 2, 3\]"):
        read_labels([save(tmp_path / "wrong.png", wrong)], FACADES)


@pytest.mark.parametrize("table", ['{"bg":[0,0,0],"red":[255,0,0],"blue":[0,0,255]}', '{"bg":[0,0,0],"red":[255,0,0]}'])
@pytest.mark.parametrize("kind", [np.uint8, np.uint16, np.int32])
def test_small_numbers_of_16_and_32_bits_are_classes_and_not_black(tmp_path, table, kind):
    classes = Classes.load(table)
    labels = np.arange(12).reshape(3, 4) % len(classes)
    Image.fromarray(labels.astype(kind)).save(tmp_path / "index.tif")
    assert np.array_equal(read_labels([tmp_path / "index.tif"], classes), labels)
    Image.fromarray((labels + len(classes)).astype(kind)).save(tmp_path / "larger.tif")
    with pytest.raises(UserError, match="larger.tif: .* (colours that are no class|0 and one other value)"):
        read_labels([tmp_path / "larger.tif"], classes)


def test_two_classes_may_have_any_colours(tmp_path, save):
    (tmp_path / "c.json").write_text(json.dumps({"skin": [0, 0, 255], "lesion": [255, 255, 0]}))
    classes = Classes.load(str(tmp_path / "c.json"))
    assert np.array_equal(read_labels([save(tmp_path / "a.png", classes.encode(BOX))], classes), BOX)
    assert np.array_equal(read_labels([save(tmp_path / "b.png", BOX * 255)], classes), BOX)


def test_blurred_edges_of_a_jpeg_label_picture_are_void_with_the_class_beside_them(tmp_path, save):
    labels = np.repeat(np.array([1, 7], np.uint8), 32)[None].repeat(64, axis=0)
    blurred = Image.fromarray(FACADES.encode(labels)).filter(ImageFilter.BoxBlur(1))
    blurred.save(tmp_path / "x.jpg", quality=90)
    assert len(np.unique(FACADES.nearest(np.asarray(blurred))[0])) > 2, "between blue and yellow lies a third class"
    stored = read_labels([tmp_path / "x.jpg"], FACADES)
    void = stored >= VOID_BIT
    assert void.any()
    assert not void[:, :16].any()
    assert np.array_equal(stored[~void], labels[~void])
    shown = stored & ~np.uint8(VOID_BIT)
    assert set(np.unique(shown)) == {1, 7}
    assert (shown == labels).mean() > 0.97


def test_a_thin_line_keeps_its_class():
    labels = np.ones((64, 64), np.uint8)
    labels[30:33] = 9
    softened = np.array(Image.fromarray(FACADES.encode(labels)).filter(ImageFilter.BoxBlur(1)))
    stored = labels_of(softened, True, FACADES, "x")
    assert (stored[30] >= VOID_BIT).all()
    assert (stored[32] >= VOID_BIT).all()
    assert (stored[30:33] & ~np.uint8(VOID_BIT) == 9).all()


def test_real_facades_have_about_a_fifth_of_void(real_data):
    shares = []
    for path in sorted((real_data / "facades" / "test").iterdir())[:10]:
        stored = read_labels_of_right_half(path)
        shares.append((stored >= VOID_BIT).mean())
        assert (stored & ~np.uint8(VOID_BIT) < 12).all()
    assert 0.1 < np.mean(shares) < 0.3


def read_labels_of_right_half(path):
    pixels, lossy = read_pixels(path)
    return labels_of(pixels[:, 256:], lossy, FACADES, path.name)


BIG = np.zeros((96, 96), np.uint8)
BIG[20:70, 10:40] = BIG[20:70, 55:85] = 1


@pytest.mark.parametrize("colour", [(v, v, v) for v in (20, 64, 100, 200)] + [(255, 0, 0), (0, 0, 255), (0, 90, 0)])
@pytest.mark.parametrize("name", ["x.png", "x.jpg", "x.webp", "x.tif"])
def test_a_mask_means_the_same_in_every_format(tmp_path, save, name, colour):
    """A dark or coloured JPEG mask used to be read as empty."""
    how = {"compression": "jpeg"} if name == "x.tif" else {}
    labels = read_labels([save(tmp_path / name, BIG[:, :, None] * np.array(colour, np.uint8), **how)], LUNGS)
    assert (labels != BIG).sum() < 0.06 * BIG.sum()
    if name == "x.png":
        assert np.array_equal(labels, BIG)


@pytest.mark.parametrize("value", [2, 5])
def test_a_jpeg_whose_values_are_too_close_is_refused(tmp_path, save, value):
    with pytest.raises(UserError, match=r"x.jpg: a JPEG whose brightest pixel is \d+ of 255: .* save the original"):
        read_labels([save(tmp_path / "x.jpg", BIG * np.uint8(value))], LUNGS)
    assert not read_labels([save(tmp_path / "empty.jpg", BIG * 0)], LUNGS).any()
    assert read_labels([save(tmp_path / "full.jpg", BIG * 0 + 255)], LUNGS).all()


def test_what_a_jpeg_mask_of_more_than_two_colours_means_cannot_be_told(tmp_path, save):
    halves = BIG.copy()
    halves[:, :48] *= 255
    halves[:, 48:] *= 100
    two_colours = np.dstack([BIG * 255, BIG * 0, BIG * 0])
    two_colours[:, 48:] = two_colours[:, 48:, ::-1]
    on_white = np.full((96, 96, 3), 255, np.uint8)
    on_white[BIG > 0] = (0, 0, 255)
    for name, pixels in {"grey": halves, "colours": two_colours, "white": on_white}.items():
        for suffix in ("png", "jpg"):
            with pytest.raises(UserError, match=rf"{name}.{suffix}: "):
                read_labels([save(tmp_path / f"{name}.{suffix}", pixels)], LUNGS)


def test_a_bright_speck_does_not_hide_a_dark_jpeg_mask(tmp_path, save):
    specked = BIG * np.uint8(60)
    specked[:3, :3] = 255
    assert (read_labels([save(tmp_path / "x.jpg", specked)], LUNGS) == BIG).mean() > 0.98


def test_a_mask_that_was_enlarged_before_it_became_a_jpeg_is_read(tmp_path):
    Image.fromarray(BIG * 255).resize((768, 768), Image.Resampling.BILINEAR).save(tmp_path / "x.jpg")
    labels = read_labels([tmp_path / "x.jpg"], LUNGS)
    assert (labels == np.kron(BIG, np.ones((8, 8), np.uint8))).mean() > 0.99


def test_two_classes_with_colours_of_their_own_are_read_from_a_jpeg_too(tmp_path, save):
    (tmp_path / "c.json").write_text(json.dumps({"skin": [0, 0, 255], "lesion": [255, 255, 0]}))
    classes = Classes.load(str(tmp_path / "c.json"))
    for pixels in (classes.encode(BIG), BIG * np.uint8(255), BIG * np.uint8(80)):
        assert (read_labels([save(tmp_path / "x.jpg", pixels)], classes) == BIG).mean() > 0.98


def test_black_on_transparent_cannot_be_told(tmp_path, save):
    drawn = np.dstack([BIG * 0, BIG * 0, BIG * 0, BIG * 255])
    grey = np.dstack([BIG * 0, BIG * 255])
    for pixels in (drawn, grey):
        with pytest.raises(UserError, match="x.png: black and transparent pixels only: which are the foreground"):
            read_labels([save(tmp_path / "x.png", pixels)], LUNGS)
    drawn[:, :, :3] = 255
    assert np.array_equal(read_labels([save(tmp_path / "white.png", drawn)], LUNGS), BIG)
    assert not read_labels([save(tmp_path / "nothing.png", drawn * 0)], LUNGS).any()


def test_transparent_pixels_have_no_class_where_black_is_one(tmp_path, save):
    (tmp_path / "c.json").write_text('{"background": [255, 255, 255], "nodule": [0, 0, 0]}')
    drawn = np.dstack([255 - BIG * 255] * 3 + [np.full_like(BIG, 255)])
    drawn[0, 0, 3] = 0
    with pytest.raises(UserError, match="x.png: its transparent pixels have no class"):
        read_labels([save(tmp_path / "x.png", drawn)], Classes.load(str(tmp_path / "c.json")))


def test_pages_of_a_mask_are_its_parts(tmp_path):
    left, right = BIG.copy(), BIG.copy()
    left[:, 48:], right[:, :48] = 0, 0
    path = write_tiff(tmp_path / "x.tif", left * 255, right * 255)
    assert np.array_equal(read_labels([path], LUNGS), BIG)
    with pytest.raises(UserError, match="x.tif: a file of 2 pages"):
        read_labels([path], FACADES)
    with pytest.raises(UserError, match="x.tif: 9 x 5 pixels, but x.tif has 96 x 96"):
        read_labels([write_tiff(path, left * 255, right[:5, :9])], LUNGS)


@pytest.mark.parametrize("orientation", [2, 3, 6])
def test_an_image_that_is_turned_without_its_mask_is_refused(tmp_path, orientation):
    """Even a square that stays a square, and a half turn, which no size shows."""
    turned = write_tiff(tmp_path / "turned.tif", BIG, t274=orientation)
    upright = write_tiff(tmp_path / "upright.tif", BIG)
    for image, mask in ((turned, upright), (upright, turned)):
        with pytest.raises(UserError, match=rf"{mask.name}: rotation: its EXIF orientation is "):
            read_labels([mask], LUNGS, read_file(image))
    assert read_labels([turned], LUNGS, read_file(turned)).sum() == BIG.sum()


def test_a_picture_whose_image_is_a_mask_is_called_swapped_and_never_to_be_thresholded(tmp_path, save):
    picture = np.add.outer(np.arange(40, 168, 4), np.arange(0, 64, 2)).astype(np.uint8)
    mask = np.zeros((32, 32), np.uint8)
    mask[8:20, 8:20] = 255
    for suffix in ("png", "jpg"):
        there, image = save(tmp_path / f"masks/x.{suffix}", picture), save(tmp_path / f"images/x.{suffix}", mask)
        with pytest.raises(UserError, match="x.*: is no mask, but its image is one: are images/ and masks/ swapped"):
            read_labels([there], LUNGS, read_file(image))
    with pytest.raises(UserError) as error:
        read_labels([save(tmp_path / "x.png", picture)], LUNGS)
    assert "it looks like a picture" in str(error.value)
    soft = np.where(mask > 0, 255, 0).astype(np.uint8)
    soft[7] = np.arange(32) * 4  # one blurred row
    with pytest.raises(UserError, match="threshold it first"):
        read_labels([save(tmp_path / "soft.png", soft)], LUNGS)


@pytest.mark.parametrize("more", [{}, {"heart": [255, 0, 0]}])
def test_nothing_but_0_is_unclear_where_black_is_another_class_than_0(tmp_path, more):
    (tmp_path / "classes.json").write_text(json.dumps({"bone": [255, 255, 255], "lung": [0, 0, 0]} | more))
    classes, path = Classes.load(str(tmp_path / "classes.json")), tmp_path / "mask.png"
    Image.fromarray(BOX).save(path)
    assert np.array_equal(read_labels([path], classes), BOX)
    Image.fromarray(BOX * 0).save(path)
    with pytest.raises(
        UserError, match=r"mask.png: every pixel is 0: as a number that is bone, as a colour lung; save it"
    ):
        read_labels([path], classes)
    Image.fromarray(RED * 0).save(path)
    assert (read_labels([path], classes) == 1).all()
