"""Which mask belongs to which image."""

from pathlib import Path

import pytest

from data.matching import match
from util.errors import UserError

IMAGES, MASKS = Path("d/images"), Path("d/masks")


def matched(images: str, masks: str) -> tuple[dict[str, list[str]], list[str]]:
    found, strays = match([IMAGES / n for n in images.split()], IMAGES, [MASKS / n for n in masks.split()], MASKS)
    by_name = {
        image.relative_to(IMAGES).as_posix(): [m.relative_to(MASKS).as_posix() for m in parts]
        for image, parts in found.items()
    }
    return by_name, [m.relative_to(MASKS).as_posix() for m in strays]


def test_by_name_whatever_the_extension():
    assert matched("a.jpg b.png", "b.png a.png") == ({"a.jpg": ["a.png"], "b.png": ["b.png"]}, [])


def test_endings_that_say_mask_or_side():
    found, strays = matched("a.png b.png c.png", "a_mask.png b_left.png b_right.png c_Left-Lung_mask.png")
    assert found == {"a.png": ["a_mask.png"], "b.png": ["b_left.png", "b_right.png"], "c.png": ["c_Left-Lung_mask.png"]}
    assert not strays


def test_montgomery_keeps_left_and_right_in_folders():
    assert matched("a.png", "leftMask/a.png rightMask/a.png")[0] == {"a.png": ["leftMask/a.png", "rightMask/a.png"]}


def test_the_whole_name_comes_before_an_ending():
    found, _ = matched("a.png a_left.png", "a.png a_left.png")
    assert found == {"a.png": ["a.png"], "a_left.png": ["a_left.png"]}


def test_a_mask_whose_image_is_missing_is_given_to_no_other():
    assert matched("p1.png", "p1.png p1_2.png p12.png") == ({"p1.png": ["p1.png"]}, ["p1_2.png", "p12.png"])


def test_same_stem_in_two_folders():
    found, _ = matched("x/a.png y/a.png", "x/a.png y/a_mask.png")
    assert found == {"x/a.png": ["x/a.png"], "y/a.png": ["y/a_mask.png"]}
    with pytest.raises(UserError, match="left/a.png: belongs to .*x/a.png or to .*y/a.png"):
        matched("x/a.png y/a.png", "left/a.png")


def test_two_images_of_one_name():
    with pytest.raises(UserError, match="a.png and a.jpg: two images of one name"):
        matched("a.jpg a.png", "a.png")


def test_a_name_from_a_mac_is_the_same_name():
    assert matched("u\u0308ber.png", "\u00fcber.png")[1] == []
