"""The geometry of image and target, and the scale of a network's input."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.transforms import Geometry, resize_labels, resize_picture, to_grey, to_network, to_rgb8
from util.errors import UserError


def geometry(preprocess: str, load: int = 286, crop: int = 256, train: bool = True, flip: bool = True) -> Geometry:
    return Geometry(preprocess, load, crop, flip, train)


@pytest.mark.parametrize(
    ("preprocess", "train", "evaluation"),
    [
        ("resize_and_crop", (286, 286), (256, 256)),
        ("crop", (300, 600), (300, 600)),
        ("scale_width", (143, 286), (128, 256)),
        ("scale_width_and_crop", (256, 286), (128, 256)),  # a crop of 256 has to fit into the height
        ("none", (300, 600), (300, 600)),
    ],
)
def test_loaded_size_of_a_600_x_300_image(preprocess, train, evaluation):
    assert geometry(preprocess).loaded_size(300, 600) == train
    assert geometry(preprocess, train=False).loaded_size(300, 600) == evaluation


def test_a_crop_that_does_not_fit_is_refused():
    with pytest.raises(UserError, match="--crop_size 256 does not fit into --load_size 100"):
        geometry("resize_and_crop", load=100)
    with pytest.raises(UserError, match="x.png: 300 x 200 pixels is smaller than --crop_size 256"):
        geometry("crop").draw(200, 300, np.random.default_rng(0), "x.png")
    with pytest.raises(UserError, match="--preprocess squeeze: choose from"):
        geometry("squeeze")


@given(st.integers(8, 40), st.integers(8, 40), st.integers(1, 8), st.booleans(), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_a_view_is_a_crop_of_the_image_or_its_mirror(height, width, crop, flip, seed):
    picture = np.arange(height * width).reshape(height, width)
    rows, columns = geometry("crop", crop=crop, flip=flip).draw(height, width, np.random.default_rng(seed), "x")
    view = picture[rows, columns]
    assert view.shape == (crop, crop)
    mirrored = crop > 1 and view[0, 0] > view[0, 1]
    assert flip or not mirrored
    view = view[:, ::-1] if mirrored else view
    top, left = divmod(int(view[0, 0]), width)
    assert np.array_equal(view, picture[top : top + crop, left : left + crop])


def test_every_crop_and_both_orientations_are_drawn():
    random = np.random.default_rng(0)
    seen = {str(geometry("crop", crop=3).draw(4, 5, random, "x")) for _ in range(300)}
    assert len(seen) == 2 * 3 * 2


def test_without_a_crop_the_whole_image_is_flipped_or_not():
    random = np.random.default_rng(0)
    row = np.arange(4)[None]
    seen = {tuple(row[geometry("none").draw(1, 4, random, "x")][0].tolist()) for _ in range(20)}
    assert seen == {(0, 1, 2, 3), (3, 2, 1, 0)}


@given(st.integers(1, 5), st.integers(0, 2**16 - 1))
@settings(max_examples=20, deadline=None)
def test_resized_labels_take_the_value_at_the_new_pixels_centre(factor, seed):
    labels = np.random.default_rng(seed).integers(0, 12, (4, 4), np.uint8)
    large = resize_labels(labels, (4 * factor, 4 * factor))
    assert np.array_equal(large, labels.repeat(factor, axis=0).repeat(factor, axis=1))
    assert np.array_equal(resize_labels(large, (4, 4)), labels)


@given(st.integers(20, 90), st.integers(20, 90), st.integers(0, 2**16 - 1))
@settings(max_examples=25, deadline=None)
def test_an_image_that_equals_its_mask_still_does_after_resizing(height, width, seed):
    """Bicubic pictures and nearest-neighbour labels share one grid: nothing is shifted by half a pixel."""
    random = np.random.default_rng(seed)
    top, left = random.integers(4, 10, 2)
    mask = np.zeros((64, 64), np.uint8)
    mask[top : top + 40, left : left + 44] = 1
    picture = resize_picture(mask * np.uint8(255), (height, width))
    labels = resize_labels(mask, (height, width))
    assert set(np.unique(labels)) <= {0, 1}
    # They may differ by one pixel if the edge is inside it, equally on both sides.
    differ = (picture > 127) != labels.astype(bool)
    assert differ.mean() < 0.05

    def centre(box: np.ndarray) -> np.ndarray:
        return np.argwhere(box).mean(axis=0)

    assert np.abs(centre(picture > 127) - centre(labels)).max() <= 0.5


def test_shrinking_a_picture_does_not_alias():
    stripes = np.tile(np.array([0, 255], np.uint8), (64, 32))
    inner = resize_picture(stripes, (16, 16))[:, 2:-2]
    assert np.abs(inner.astype(int) - 127).max() <= 3


def test_16_bit_pictures_keep_their_range_when_resized():
    deep = np.full((32, 32), 300, np.uint16)
    deep[:, 16:] = 65535
    small = resize_picture(deep, (16, 16))
    assert small.dtype == np.uint16
    assert small[0, 0] == 300
    assert small[0, -1] == 65535


@given(st.lists(st.integers(0, 65535), min_size=1, max_size=20))
def test_16_bits_are_scaled_by_the_bit_depth(values):
    deep = np.array([values], np.uint16)
    expected = np.array(values) / 65535 * 2 - 1
    assert np.allclose(to_network(deep, 1)[0, 0], expected, atol=1e-6)


def test_8_bit_black_and_white_are_exactly_minus_one_and_one():
    tensor = to_network(np.array([[0, 255]], np.uint8), 3)
    assert tensor.shape == (3, 1, 2)
    assert tensor.dtype == torch.float32
    assert tensor[:, 0].tolist() == [[-1, 1]] * 3


def test_colour_keeps_its_order_of_channels():
    assert to_network(np.array([[[255, 0, 0]]], np.uint8), 3).flatten().tolist() == [1, -1, -1]


def test_grey_of_a_colour_is_its_luma():
    assert to_grey(np.array([[[255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)).tolist() == [[76, 150, 29]]
    assert to_grey(np.array([[7]], np.uint16)).dtype == np.uint16


def test_16_bits_are_scaled_to_8_for_pages():
    assert to_rgb8(np.array([[0, 257, 65535]], np.uint16)).tolist() == [[[0] * 3, [1] * 3, [255] * 3]]


def patches(patch: int, **changes: object) -> Geometry:
    return Geometry(
        **{
            "preprocess": "resize_and_crop",
            "load_size": 64,
            "crop_size": 64,
            "flip": False,
            "train": True,
            "patch": patch,
        }
        | changes
    )


@given(st.integers(1, 20), st.integers(0, 19), st.integers(0, 29), st.integers(0, 10**6))
@settings(max_examples=60, deadline=None)
def test_half_of_the_patches_are_drawn_around_the_foreground(patch, row, column, seed):
    """Even if it is one pixel and close to the border."""
    foreground = np.zeros((20, 30), bool)
    foreground[row, column] = True
    random, seen = np.random.default_rng(seed), []
    for _ in range(60):
        rows, columns = patches(patch).draw(20, 30, random, "x", foreground)
        assert foreground[rows, columns].shape == (patch, patch)
        seen.append(foreground[rows, columns].any())
    assert sum(seen) >= 60 * 0.25  # about half, with room for chance


def test_a_patch_may_have_its_foreground_pixel_in_any_place():
    foreground = np.zeros((20, 30), bool)
    foreground[10, 10] = True
    random = np.random.default_rng(0)
    views = (foreground[patches(3).draw(20, 30, random, "x", foreground)] for _ in range(400))
    places = {tuple(np.argwhere(view)[0].tolist()) for view in views if view.any()}
    assert places == {(y, x) for y in range(3) for x in range(3)}


def test_patches_of_an_image_without_foreground_may_come_from_anywhere():
    random = np.random.default_rng(0)
    drawn = [patches(3).draw(4, 5, random, "x", foreground) for foreground in (np.zeros((4, 5), bool), None) * 100]
    assert {(rows.start, columns.start) for rows, columns in drawn} == {(y, x) for y in range(2) for x in range(3)}


def test_impossible_patches_are_refused():
    with pytest.raises(UserError, match="--patch 65 does not fit into --load_size 64"):
        patches(65)
    with pytest.raises(
        UserError,
        match="--patch: training cuts patches from images of --load_size 72, testing from "
        "images of --crop_size 64; make these two equal",
    ):
        patches(32, load_size=72)
    with pytest.raises(UserError, match="x.png: 30 x 20 pixels is smaller than --patch 24"):
        patches(24, preprocess="none").draw(20, 30, np.random.default_rng(0), "x.png")
    assert patches(32, load_size=72, train=False).loaded_size(100, 100) == (64, 64)
