"""Which mask belongs to which image."""

from pathlib import Path

from data.read.matching import Matching, match

IMAGES, MASKS = Path("d/images"), Path("d/masks")


def match_names(images: str, masks: str) -> Matching:
    return match([IMAGES / n for n in images.split()], IMAGES, [MASKS / n for n in masks.split()], MASKS)


def matched(images: str, masks: str) -> tuple[dict[str, list[str]], list[str]]:
    matching = match_names(images, masks)
    assert not matching.unclear
    by_name = {
        image.relative_to(IMAGES).as_posix(): [m.relative_to(MASKS).as_posix() for m in parts]
        for image, parts in matching.masks_of.items()
    }
    return by_name, [m.relative_to(MASKS).as_posix() for m in matching.strays]


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
    matching = match_names("x/a.png y/a.png b.png", "left/a.png b.png x/a.png")
    assert matching.unclear == {
        MASKS / "left/a.png": "d/masks/left/a.png: belongs to d/images/x/a.png or to d/images/y/a.png? Give it the "
        "same sub-folder as its image"
    }
    assert [len(parts) for parts in matching.masks_of.values()] == [1, 1]
    assert not matching.strays


def test_two_images_of_one_name():
    unclear = match_names("a.jpg a.png b.png b.bmp", "a.png").unclear
    assert list(unclear) == [IMAGES / "a.png", IMAGES / "b.bmp"]
    assert unclear[IMAGES / "a.png"].startswith("d/images/a.png and a.jpg: two images of one name")


def test_a_name_from_a_mac_is_the_same_name():
    assert matched("u\u0308ber.png", "\u00fcber.png")[1] == []
