import numpy as np
import pytest

from util.errors import UserError
from util.score.trust import expected

WAY = {"weights": "abc", "how": {"epoch": "latest"}}
ROWS = [{"dice": 0.9, "confidence": 0.95, "likeness": 0.9}] * 8


def test_clues_that_fall_short_twice_as_far_as_on_val_mean_an_error_twice_as_large():
    medians = {"dice": 0.9, "confidence": 0.95, "likeness": 0.9}
    assert expected.expect(medians, {"confidence": 0.95, "likeness": 0.9}) == pytest.approx(0.9)
    # FLOOR is added to both shortfalls.
    assert expected.expect(medians, {"confidence": 0.898, "likeness": 0.798}) == pytest.approx(0.8)
    assert expected.expect(medians, {"confidence": 0.95, "likeness": 0.0}) < 0.8
    assert expected.expect(medians, {"confidence": 0.0, "likeness": 0.0}) == 0


def test_confidence_is_the_dice_of_a_mask_with_its_map():
    values = np.array([[1.0, 1.0, 0.5, 0.0]])
    assert expected.confidence(values >= 0.5, values) == pytest.approx(2 * 2.5 / (2.5 + 3))
    assert expected.confidence(values > 2, values) == 0


def test_what_val_teaches_is_known_for_the_same_weights_only(tmp_path):
    learnt = expected.learn(tmp_path, WAY, ROWS)
    assert learnt == {"dice": 0.9, "confidence": 0.95, "likeness": 0.9}
    assert expected.known(tmp_path, WAY) == learnt
    assert expected.known(tmp_path, WAY | {"weights": "def"}) is None
    expected.learn(tmp_path, WAY | {"weights": "def"}, ROWS)
    assert expected.known(tmp_path, WAY) is None  # the run was trained further; its old weights are gone


def test_too_few_images_teach_nothing(tmp_path):
    assert expected.learn(tmp_path, WAY, ROWS[:3]) is None
    assert expected.known(tmp_path, WAY) is None


def test_a_damaged_record_is_named(tmp_path):
    for text in ("{", "{}", "[1]", '[{"how": {}, "medians": {"dice": 2.0, "confidence": 0.5}}]'):
        (tmp_path / expected.FILE).write_text(text)
        with pytest.raises(UserError, match=expected.FILE):
            expected.known(tmp_path, WAY)


def test_a_set_with_a_ground_truth_says_how_well_it_was_foretold():
    rows = [{"expected_dice": value, "dice": value - 0.1} for value in (0.5, 0.7, 0.8, 0.9)]
    found = expected.of_set(rows)
    assert found["pearson"] == found["spearman"] == pytest.approx(1)
    assert found["mean_absolute_error"] == pytest.approx(0.1)
    assert expected.of_set([{"expected_dice": 0.5}]) == {"mean": 0.5}
