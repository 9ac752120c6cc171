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


def test_a_mask_without_its_image_belongs_to_no_other_image():
    assert matched("p1.png", "p1.png p1_2.png p12.png") == ({"p1.png": ["p1.png"]}, ["p1_2.png", "p12.png"])


def test_files_of_one_stem_in_two_folders_match_by_their_paths():
    found, _ = matched("x/a.png y/a.png", "x/a.png y/a_mask.png")
    assert found == {"x/a.png": ["x/a.png"], "y/a.png": ["y/a_mask.png"]}
    matching = match_names("x/a.png y/a.png b.png", "left/a.png b.png x/a.png")
    assert matching.unclear == {
        MASKS / "left/a.png": "d/masks/left/a.png: belongs to d/images/x/a.png or to d/images/y/a.png? Give it the "
        "same sub-folder as its image"
    }
    assert [len(parts) for parts in matching.masks_of.values()] == [1, 1]
    assert not matching.strays


def test_masks_of_two_images_of_one_name_are_unclear():
    unclear = match_names("a.jpg a.png b.png b.bmp", "a.png").unclear
    assert list(unclear) == [IMAGES / "a.png", IMAGES / "b.bmp"]
    assert unclear[IMAGES / "a.png"].startswith("d/images/a.png and a.jpg: two images of one name")


def test_names_match_in_every_unicode_form():
    assert matched("u\u0308ber.png", "\u00fcber.png")[1] == []
