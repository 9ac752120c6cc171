"""From a map to a mask: each step of the rule on small drawn pictures."""

import argparse

import numpy as np
import pytest

from options.flags.types import cutoff
from util.score.mask_rule import MaskRule, large_parts, triplet


def drawn(text: str) -> np.ndarray:
    """A mask from lines of `.` and `#`."""
    return np.array([[c == "#" for c in line] for line in text.split()])


PARTS = drawn("""
    ##..#
    ##...
    ....#
    #..#.
    #....
""")


def test_pixels_that_touch_at_a_corner_are_one_part():
    assert (large_parts(PARTS, most=1) == drawn("##... ##... ..... ..... .....")).all()
    # Two parts have two pixels each; the upper one, whose pixels touch at a corner, is kept.
    assert (large_parts(PARTS, most=2) == drawn("##... ##... ....# ...#. .....")).all()


def test_parts_smaller_than_min_area_are_removed():
    assert (large_parts(PARTS, min_area=2) == drawn("##... ##... ....# #..#. #....")).all()
    assert (large_parts(PARTS, min_area=3, most=2) == drawn("##... ##... ..... ..... .....")).all()
    assert not large_parts(PARTS, min_area=5).any()
    assert not large_parts(np.zeros((3, 3), bool), min_area=1, most=2).any()


def test_holes_are_filled_before_parts_are_measured():
    ring = drawn("""
        ####...
        #..#.##
        #..#.##
        ####.##
    """)
    filled = MaskRule(fill_holes=True, keep_largest=1)(ring.astype(float))
    assert (filled == drawn("####... ####... ####... ####...")).all()
    open_ring = drawn("###. #.#. #..# ####")  # a hole closed only at a corner counts as closed
    assert MaskRule(fill_holes=True)(open_ring.astype(float)).sum() == open_ring.sum() + 3
    assert (MaskRule(fill_holes=True)(drawn("##. #.. ##.").astype(float)) == drawn("##. #.. ##.")).all()


def test_the_triplet_gives_an_empty_mask_without_enough_high_values():
    values = np.array([[0.8, 0.8, 0.4, 0.2]])
    assert MaskRule(0.3, top=0.75, area=2)(values).tolist() == [[True, True, True, False]]
    assert not MaskRule(0.3, top=0.75, area=3)(values).any()


def test_the_rule_does_not_change_the_map():
    values = PARTS.astype(float)
    before = values.copy()
    MaskRule(fill_holes=True, min_area=2, keep_largest=1)(values)
    assert (values == before).all()


def flags(word: str, **parts) -> argparse.Namespace:
    none = {"fill_holes": False, "min_area": 0, "keep_largest": 0}
    return argparse.Namespace(mask_threshold=cutoff(word), **none | parts)


def test_flags_become_a_rule():
    assert MaskRule.of(flags("0.4", keep_largest=2)) == MaskRule(0.4, keep_largest=2)
    assert MaskRule.of(flags(".75,2000,.3", fill_holes=True)) == MaskRule(0.3, 0.75, 2000, fill_holes=True)
    assert MaskRule.of(flags("auto"), auto=0.2) == MaskRule(0.2)
    assert triplet(0.5) == (0.0, 0, 0.5)


def test_settings_list_only_the_steps_that_are_on():
    assert MaskRule().settings == {"threshold": 0.5}
    assert MaskRule(0.3, 0.75, 2000, keep_largest=2).settings == {
        "threshold": 0.3,
        "only images with": "2000 pixels of 0.75 or more",
        "keep_largest": 2,
    }


@pytest.mark.parametrize(
    "word",
    ["0.75,2000", "0.75,2000,0.3,1", "0.75,-1,0.3", "0.75,x,0.3", "0.75,0,0.3", "1.5,20,0.3", "0.3,20,0.75", "best"],
)
def test_a_malformed_threshold_is_refused(word):
    with pytest.raises((argparse.ArgumentTypeError, ValueError)):
        cutoff(word)
