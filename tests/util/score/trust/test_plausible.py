import numpy as np
import pytest

from util.errors import UserError
from util.score.trust.plausible import RECORD, Doubted, Seen, Shape, measure, seen_by

NAMES = ("background", "lung")


def lungs(down: int = 0, width: int = 15) -> np.ndarray:
    """Two upright rectangles in 64 x 64, uint8."""
    mask = np.zeros((64, 64), np.uint8)
    mask[10 + down : 50 + down, 10 : 10 + width] = 1
    mask[10 + down : 50 + down, 54 - width : 54] = 1
    return mask


def seen(*masks: np.ndarray) -> Seen:
    of_training = masks or [lungs(down, width) for down in (0, 4, 8) for width in (12, 14, 16)]
    record = Seen.of(NAMES, [Shape.of(mask, 2) for mask in of_training])
    assert record is not None
    return record


def test_a_mask_is_measured_by_hand():
    area, parts, top, bottom, left, right = measure(lungs() == 1)
    assert area == pytest.approx(2 * 40 * 15 / 64**2)
    assert (parts, top, bottom, left, right) == (2, 10 / 64, 50 / 64, 10 / 64, 54 / 64)


def test_a_mask_has_the_same_measures_at_any_size():
    large = np.kron(lungs(), np.ones((16, 16), np.uint8))
    np.testing.assert_allclose(measure(large == 1), measure(lungs() == 1))


def test_a_mask_like_those_of_training_is_not_doubted():
    assert seen().doubts(lungs(3, 13)) == ""


def test_specks_are_no_parts():
    mask = lungs()
    mask[0, 0] = 1
    assert seen().doubts(mask) == ""


@pytest.mark.parametrize(
    ("mask", "word"),
    [
        (lungs() * 0, "empty"),
        (lungs() * (np.arange(64) < 32).astype(np.uint8), "1 part "),
        (lungs(width=6), "area 11.7 %"),
        (np.roll(lungs(), 9, axis=1), "left edge at 29.7 %"),
        (lungs(down=14), "bottom edge at 100.0 %"),
    ],
)
def test_each_way_of_being_implausible_is_named(mask, word):
    assert word in seen().doubts(mask)


def test_an_empty_mask_is_plausible_if_a_training_mask_was_empty():
    assert seen(*[lungs(down) for down in range(9)], lungs() * 0).doubts(lungs() * 0) == ""


def test_classes_are_measured_one_by_one_and_named():
    names = ("background", "lung", "heart")
    masks = [lungs(down) for down in range(9)]
    for mask in masks:
        mask[20:30, 28:36] = 2
    record = Seen.of(names, [Shape.of(mask, 3) for mask in masks])
    assert record is not None
    assert record.doubts(masks[0]) == ""
    assert record.doubts(lungs()) == "heart: empty"


def test_a_few_masks_say_nothing():
    assert Seen.of(NAMES, [Shape.of(lungs(), 2)] * 3) is None


def test_the_record_is_read_as_it_was_written(tmp_path):
    seen().write(tmp_path)
    record = Seen.read(tmp_path)
    assert record is not None
    assert record.masks == 9
    assert record.doubts(lungs(14)) == seen().doubts(lungs(14))
    assert record.likeness(lungs() == 1) == seen().likeness(lungs() == 1)


def test_no_record_says_nothing_and_a_damaged_one_is_named(tmp_path):
    assert seen_by([tmp_path], NAMES) is None
    for text in ("{", "[]", '{"masks": 3}', '{"masks": 3, "classes": {"lung": 5}, "small": ""}'):
        (tmp_path / RECORD).write_text(text)
        with pytest.raises(UserError, match=RECORD):
            Seen.read(tmp_path)


def test_a_record_of_other_classes_says_nothing(tmp_path):
    seen().write(tmp_path)
    assert seen_by([tmp_path], ("background", "heart")) is None


def test_an_ensemble_has_seen_what_any_of_its_runs_has(tmp_path):
    for name, down in (("a", 0), ("b", 12)):
        (tmp_path / name).mkdir()
        seen(*[lungs(down)] * 8).write(tmp_path / name)
    assert "top" in seen(*[lungs()] * 8).doubts(lungs(12))
    both = seen_by([tmp_path / "a", tmp_path / "b"], NAMES)
    assert both is not None
    assert both.doubts(lungs(12)) == both.doubts(lungs()) == ""


def test_a_mask_is_more_like_training_masks_than_its_negative_is():
    assert seen().likeness(lungs() == 1) > 0.9
    assert seen().likeness(lungs() == 0) < 0.5


def test_one_line_counts_the_doubted_masks_and_names_the_first():
    doubted = Doubted()
    for number in range(6):
        doubted.add(str(number), "empty" * (number > 1))
    assert doubted.lines() == ["4 of 6 masks look implausible: 2 (empty), 3 (empty), 4 (empty), and 1 more"]
    assert Doubted().lines() == []
    doubted = Doubted()
    doubted.add("a", "5 parts (training: 1 to 2); area 60.0 % (training: 20.0 to 40.0)")
    assert doubted.lines() == ["1 of 1 mask looks implausible: a (5 parts (training: 1 to 2), ...)"]


@pytest.mark.parametrize(
    ("doubted", "masks", "words"),
    [(1, 1, "1 of 1 mask looks"), (1, 2, "1 of 2 masks looks"), (2, 2, "2 of 2 masks look")],
)
def test_the_line_is_english_for_one_and_for_many(doubted, masks, words):
    lines = Doubted()
    for number in range(masks):
        lines.add(str(number), "empty" * (number < doubted))
    assert lines.lines()[0].startswith(f"{words} implausible: 0 (empty)")
