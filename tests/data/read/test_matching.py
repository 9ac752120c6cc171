"""Which mask belongs to which image."""

from pathlib import Path

import pytest

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


def test_a_mask_has_its_images_name_with_any_extension():
    assert matched("a.jpg b.png", "b.png a.png") == ({"a.jpg": ["a.png"], "b.png": ["b.png"]}, [])


def test_a_masks_name_may_end_in_mask_or_a_side():
    found, strays = matched("a.png b.png c.png", "a_mask.png b_left.png b_right.png c_Left-Lung_mask.png")
    assert found == {"a.png": ["a_mask.png"], "b.png": ["b_left.png", "b_right.png"], "c.png": ["c_Left-Lung_mask.png"]}
    assert not strays


def test_left_and_right_masks_may_be_in_folders():
    assert matched("a.png", "leftMask/a.png rightMask/a.png")[0] == {"a.png": ["leftMask/a.png", "rightMask/a.png"]}


def test_the_whole_name_matches_before_an_ending_is_removed():
    found, _ = matched("a.png a_left.png", "a.png a_left.png")
    assert found == {"a.png": ["a.png"], "a_left.png": ["a_left.png"]}
    found, _ = matched("a.png a_left.png b_right.png", "a_mask.png left/a_left_mask.png b_right_lung_mask.png")
    assert found == {
        "a.png": ["a_mask.png"],
        "a_left.png": ["left/a_left_mask.png"],
        "b_right.png": ["b_right_lung_mask.png"],
    }


def test_a_mask_without_its_image_belongs_to_no_other_image():
    assert matched("p1.png", "p1.png p1_2.png p12.png") == ({"p1.png": ["p1.png"]}, ["p1_2.png", "p12.png"])


def test_files_of_one_stem_in_two_folders_match_by_their_paths():
    found, _ = matched("x/a.png y/a.png", "x/a.png y/a_mask.png")
    assert found == {"x/a.png": ["x/a.png"], "y/a.png": ["y/a_mask.png"]}
    matching = match_names("x/a.png y/a.png", "left/a.png")
    assert matching.unclear == {
        MASKS / "left/a.png": "d/masks/left/a.png: belongs to d/images/x/a.png or to d/images/y/a.png? Give it the "
        "same name and sub-folder as its image"
    }
    assert not matching.masks_of
    assert not matching.strays


@pytest.mark.parametrize(
    ("images", "masks", "strays"),
    [
        ("A/001.png", "A/001.png B/001.png", "B/001.png"),
        ("A/001.png", "B/001.png", "B/001.png"),
        ("A/001.png", "B/left/001.png", "B/left/001.png"),
        ("001.png", "B/001.png", "B/001.png"),
        ("A/001.png 002.png", "001.png 002.png", "001.png"),
        ("A/001.png B/002.png", "A/001.png B/002.png 002_left.png", "002_left.png"),
    ],
)
def test_a_mask_in_another_sub_folder_belongs_to_no_image(images, masks, strays):
    assert matched(images, masks)[1] == strays.split()


def test_the_error_names_the_folder_that_lacks_the_image():
    assert match_names("A/1.png", "B/left/1.png").strays == {
        MASKS / "B/left/1.png": "d/masks/B/left/1.png: no image of this name in d/images/B"
    }


def test_masks_without_sub_folders_match_images_in_a_tree_by_name_alone():
    found, strays = matched("u/v/1.2.3 w/b.dcm", "1.2.3.png leftMask/b.png rightMask/b.png c.png")
    assert found == {"u/v/1.2.3": ["1.2.3.png"], "w/b.dcm": ["leftMask/b.png", "rightMask/b.png"]}
    assert strays == ["c.png"]


@pytest.mark.parametrize(
    "masks",
    [
        "p.png p.tif",
        "p.png p_label.png",
        "p.png p_left.png",
        "p_left.png p_left_mask.png",
        "p_left.png p_right.png p_lung.png",
        "left/p.png p_left.png",
        "left/p.png masks/p.png",
        "P.png p.png",
    ],
)
def test_only_parts_with_different_sides_are_joined(masks):
    unclear = match_names("p.png", masks).unclear
    assert list(unclear) == [IMAGES / "p.png"]
    assert "are both named as its mask; only parts are joined" in unclear[IMAGES / "p.png"]


@pytest.mark.parametrize(
    "masks", ["p_LEFT.png p-right_mask.tif", "left_lung/p.gif p_right.gif", "Left/p.png Right/p.png"]
)
def test_sides_are_named_in_endings_or_folders(masks):
    matching = match_names("p.png", masks)
    assert len(matching.masks_of[IMAGES / "p.png"]) == 2
    assert not matching.unclear


def test_upper_and_lower_case_differ_only_where_both_are_there():
    assert matched("A/P1.PNG p2.png", "a/p1.png P2_Mask.png")[1] == []
    found, _ = matched("a.png A.png", "A.png a.png")
    assert found == {"a.png": ["a.png"], "A.png": ["A.png"]}
    assert "belongs to d/images/ab.png or to d/images/AB.png" in str(match_names("ab.png AB.png", "Ab.png").unclear)


def test_masks_of_two_images_of_one_name_are_unclear():
    unclear = match_names("a.jpg a.png b.png b.bmp", "a.png").unclear
    assert list(unclear) == [IMAGES / "a.png", IMAGES / "b.bmp"]
    assert unclear[IMAGES / "a.png"].startswith("d/images/a.png and a.jpg: two images of one name")


def test_names_match_in_every_unicode_form():
    assert matched("u\u0308ber.png", "\u00fcber.png")[1] == []
