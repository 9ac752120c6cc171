"""`python -m data.prepare sides`: masks of both lungs to masks with each lung as a class."""

from pathlib import Path

import numpy as np
import pytest

from data.classes import Classes
from data.prepare.sides import LEFT, RIGHT, sides
from tests.data.prepare.helpers import pixels, rows_of
from util.errors import UserError


def lungs(*parts: tuple[slice, slice]) -> np.ndarray:
    mask = np.zeros((20, 24), np.uint8)
    for part in parts:
        mask[part] = 1
    return mask


RIGHT_LUNG, LEFT_LUNG = (slice(2, 18), slice(2, 8)), (slice(4, 14), slice(14, 21))


def test_the_lung_on_the_left_of_the_image_is_the_patients_right_one():
    found = sides(lungs(RIGHT_LUNG, LEFT_LUNG))
    assert (found[RIGHT_LUNG] == RIGHT).all()
    assert (found[LEFT_LUNG] == LEFT).all()
    assert np.count_nonzero(found) == np.count_nonzero(lungs(RIGHT_LUNG, LEFT_LUNG))
    assert Classes.load("lung_sides").names == ("background", "right lung", "left lung")


def test_a_small_part_belongs_to_the_nearer_lung():
    below_left, below_right = (slice(16, 17), slice(17, 18)), (slice(19, 20), slice(4, 5))
    found = sides(lungs(RIGHT_LUNG, LEFT_LUNG, below_left, below_right))
    assert found[below_left] == LEFT
    assert found[below_right] == RIGHT


@pytest.mark.parametrize(("mask", "message"), [(lungs(RIGHT_LUNG), "this is one part"), (lungs(), "it is empty")])
def test_a_mask_of_fewer_than_two_parts_is_refused(mask, message):
    with pytest.raises(ValueError, match=message):
        sides(mask)


def test_a_speck_beside_a_single_lung_is_no_lung():
    with pytest.raises(ValueError, match="want a mask of two lungs; beside the largest part, the next has 4 pixels"):
        sides(lungs(RIGHT_LUNG, (slice(0, 2), slice(20, 22))))


def test_a_lung_in_two_pieces_beside_a_smaller_one_is_not_taken_for_both():
    upper, lower = (slice(2, 9), slice(2, 9)), (slice(10, 18), slice(2, 9))
    with pytest.raises(ValueError, match="its two largest parts lie one below the other"):
        sides(lungs(upper, lower, (slice(6, 12), slice(14, 20))))


@pytest.fixture
def folder(tmp_path, save) -> Path:
    """Three images with masks, in a split that names and patients alone would not give; one mask is of one part."""
    root = tmp_path / "lungs"
    for name in "abc":
        save(root / "images" / f"{name}.png", np.full((20, 24), 90, np.uint8))
        parts = (RIGHT_LUNG,) if name == "c" else (RIGHT_LUNG, LEFT_LUNG)
        save(root / "masks" / f"{name}.png", 255 * lungs(*parts))
    lines = ["image,split,patient,source,spacing", "images/a.png,val,p1,here,0.2", "images/b.png,train,p2,there,"]
    (root / "splits.csv").write_text("\n".join([*lines, "images/c.png,train,p3,there,", ""]))
    return root


def test_the_new_folder_has_the_old_split_and_leaves_out_what_is_not_two_lungs(folder, tmp_path, prepare, capsys):
    dst = tmp_path / "sides"
    prepare("sides", folder, dst)
    rows = rows_of(dst)
    assert {name: (row["split"], row["patient"], row["source"]) for name, row in rows.items()} == {
        "a": ("val", "p1", "here"),
        "b": ("train", "p2", "there"),
    }
    assert rows["a"]["spacing"] == "0.2 0.2"  # or distances in mm would be lost
    assert not rows["b"]["spacing"]
    mask = pixels(dst / "masks" / "a.png")
    assert mask[10, 4].tolist() == [255, 0, 0]
    assert mask[10, 17].tolist() == [0, 0, 255]
    assert np.array_equal(pixels(dst / "images" / "a.png"), pixels(folder / "images" / "a.png"))
    said = capsys.readouterr().out
    assert "that of SRC" in said
    assert "masks/c.png: want a mask of two lungs that do not touch; this is one part" in said


def test_a_folder_without_images_is_one_clear_line(tmp_path, prepare):
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="no folder images/ in it"):
        prepare("sides", tmp_path / "empty", tmp_path / "out")


def test_another_folder_does_not_go_where_one_of_equal_names_went(folder, tmp_path, prepare):
    prepare("sides", folder, tmp_path / "sides")
    (tmp_path / "sides" / "masks" / "b.png").unlink()
    prepare("sides", folder, tmp_path / "sides")
    before = pixels(tmp_path / "sides" / "images" / "a.png")
    folder.rename(tmp_path / "others")
    with pytest.raises(UserError, match="sides: holds the images of another folder than .*others: name another DST"):
        prepare("sides", tmp_path / "others", tmp_path / "sides")
    assert np.array_equal(pixels(tmp_path / "sides" / "images" / "a.png"), before)
    assert rows_of(tmp_path / "sides").keys() == {"a", "b"}


def test_masks_of_which_training_would_refuse_one_are_refused(folder, tmp_path, prepare, save):
    save(folder / "masks" / "a_mask.png", 255 * lungs(RIGHT_LUNG))
    with pytest.raises(UserError, match="are both named as its mask"):
        prepare("sides", folder, tmp_path / "sides")


def test_patients_and_verdicts_are_those_of_src(folder, tmp_path, prepare, save, capsys):
    (folder / "splits.csv").unlink()
    for k in range(1, 4):
        for name in "ab":
            for kind in ("images", "masks"):
                (folder / kind / f"{name}_{k}.png").write_bytes((folder / kind / f"{name}.png").read_bytes())
    lines = ["image,verdict", "images/b_1.png,drop", "images/a_1.png,redraw", ""]  # a is in test, which does not train
    (folder / "verdicts.csv").write_text("\n".join(lines))
    prepare("sides", folder, tmp_path / "sides", "--patient_regex", "^[abc]")
    rows = rows_of(tmp_path / "sides")
    assert {name: row["patient"] for name, row in rows.items()} == {
        name: name[0] for name in ("a", "a_1", "a_2", "a_3", "b", "b_2", "b_3")
    }
    assert {(row["patient"], row["split"]) for row in rows.values()} == {("a", "test"), ("b", "train")}
    assert "left out: 1 (by its verdict in verdicts.csv)\n  b_1.png" in capsys.readouterr().out
