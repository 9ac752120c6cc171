"""Names and colours of classes, and how colours become class indices again."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from data.classes import Classes, without_file
from util.errors import UserError

LUNGS, FACADES = Classes.load("lungs"), Classes.load("facades")


def label_maps(classes: int) -> st.SearchStrategy[np.ndarray]:
    return npst.arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)), elements=st.integers(0, classes - 1))


@given(st.sampled_from([LUNGS, FACADES]).flatmap(lambda c: st.tuples(st.just(c), label_maps(len(c)))))
@settings(max_examples=30, deadline=None)
def test_labels_survive_encoding_to_colours_and_to_the_network(case):
    classes, labels = case
    assert np.array_equal(classes.nearest(classes.encode(labels))[0], labels)
    output = classes.to_network(labels, 3)
    assert output.shape == (3, *labels.shape)
    assert output.dtype == torch.float32
    assert np.array_equal(classes.decode(output[None])[0].numpy(), labels)
    # The network's target is the label picture, scaled like any picture.
    assert np.allclose(output.permute(1, 2, 0) * 127.5 + 127.5, classes.encode(labels), atol=1e-4)


def test_facades_are_the_twelve_colours_of_pix2pix_and_void_beyond_28():
    assert FACADES.names[0] == "background"
    assert FACADES.names[11] == "shop"
    assert len(FACADES) == 12
    assert FACADES.void_distance == 28
    window = np.array([0, 128, 255])
    pixels = np.array([[window, window - [0, 28, 0], window - [0, 0, 29], [255, 255, 255]]], np.uint8)
    label, distance = FACADES.nearest(pixels)
    assert label[0, :2].tolist() == [2, 2]
    assert distance[0, :3].tolist() == [0, 28, 29]
    assert distance[0, 3] > 28


def test_lungs_have_no_void():
    pixels = np.array([[[0, 0, 0], [127, 127, 127], [128, 128, 128], [255, 0, 0], [255, 255, 255]]], np.uint8)
    assert LUNGS.nearest(pixels)[0].tolist() == [[0, 0, 1, 0, 1]]
    assert LUNGS.void_distance == float("inf")


def test_foreground_of_black_and_white_is_the_mean_of_the_channels():
    output = torch.tensor([-1.0, 0.0, 1.0]).view(1, 3, 1, 1)
    assert LUNGS.foreground(output).item() == pytest.approx(0.5)
    assert LUNGS.foreground(torch.full((1, 3, 1, 1), 1.0)).item() == 1
    assert LUNGS.foreground(torch.full((1, 1, 1, 1), -0.5)).item() == pytest.approx(0.25)


def test_foreground_of_other_colours_is_the_position_on_the_line_between_them(tmp_path):
    path = tmp_path / "heart.json"
    path.write_text(json.dumps({"background": [0, 0, 255], "heart": [255, 0, 255]}))
    heart = Classes.load(str(path))
    halfway = torch.tensor([0.0, -1.0, 1.0]).view(1, 3, 1, 1)
    assert heart.binary
    assert not heart.grey
    assert heart.foreground(halfway).item() == pytest.approx(0.5)
    # Blue-green is not on the line between the colours. Green does not change the position on that line.
    assert heart.foreground(torch.tensor([0.0, 1.0, 1.0]).view(1, 3, 1, 1)).item() == pytest.approx(0.5)
    assert heart.to_network(np.array([[0, 1]], np.uint8), 1).tolist() == [[[-1.0, 1.0]]]


def test_two_classes_are_decoded_with_a_threshold_halfway_between_them():
    assert LUNGS.decode(torch.tensor([-0.1, 0.0, 0.1]).view(1, 1, 1, 3)).tolist() == [[[0, 1, 1]]]
    assert LUNGS.decode(torch.tensor([-0.1, 0.0, 0.1]).expand(1, 3, 1, 3)).tolist() == [[[0, 1, 1]]]


def test_void_rate_is_the_share_of_pixels_far_from_every_class():
    labels = np.arange(12, dtype=np.uint8).reshape(3, 4)
    assert FACADES.void_rate(FACADES.to_network(labels, 3)[None]) == 0
    assert FACADES.void_rate(torch.ones(1, 3, 4, 4)) == 1  # white is far from every facade colour
    half = FACADES.to_network(labels, 3)[None].clone()
    half[:, :, :, :2] = -1
    assert FACADES.void_rate(half) == 0.5
    assert LUNGS.void_rate(torch.zeros(1, 3, 4, 4)) == 0


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not a JSON file"),
        ('{"a": [0, 0, 0]}', "1 classes"),
        ('["a"]', "want {name"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 100_000, "nested too deep"),
        ("9" * 5000, "not a JSON file"),
        ("\x00", "not a JSON file"),
        ('{"a": [0, 0, 0], "\\u0007": [0, 0, 1]}', "no name that can be shown"),
        ('{"a": [0, 0, 0], "\\ud800": [0, 0, 1]}', "surrogates not allowed"),
        ('{"a": [0, 0, 0], "b": [0, 0, 1], "a": [0, 0, 2]}', "'a' is there twice"),
        ('{"a": [0, 0, 0], "b": [0, 0, 1e400]}', "want {name"),
        ('{"a": [0, 0, 0], "b": [0, 0, 256]}', "want {name"),
        ('{"a": [0, 0, 0], "b": [0, 0, 1.5]}', "want {name"),
        ('{"a": [0, 0, 0], "b": [0, 0, 0]}', "same colour"),
    ],
)
def test_a_bad_class_file_is_named(tmp_path, content, message):
    path = tmp_path / "classes.json"
    path.write_text(content)
    with pytest.raises(UserError, match=message) as caught:
        Classes.load(str(path))
    assert str(path) in str(caught.value)


def test_the_text_of_a_file_of_classes_stands_for_the_file(tmp_path):
    path = tmp_path / "classes.json"
    path.write_text('{"sky": [0, 0, 9], "roof": [9, 0, 0], "tree": [0, 9, 0]}')
    text = without_file(str(path))
    path.unlink()
    assert Classes.load(text).names == ("sky", "roof", "tree")
    assert Classes.load(text).colours.tolist() == [[0, 0, 9], [9, 0, 0], [0, 9, 0]]
    assert (without_file(text), without_file("facades")) == (text, "facades")
    with pytest.raises(UserError, match="not JSON: "):
        Classes.load("{sky")


def test_an_unknown_set_of_classes_lists_the_known_ones():
    with pytest.raises(UserError, match="neither lungs, lungs_dark, lung, left lung, .*, facades nor a file"):
        Classes.load("hearts")


def test_lungs_dark_is_lungs_with_inverted_brightness():
    bright, dark = Classes.load("lungs"), Classes.load("lungs_dark")
    assert bright.names == dark.names == ("background", "lung")
    shown = torch.tensor([-1.0, -0.5, 0.5, 1.0]).view(1, 1, 1, 4).expand(1, 3, 1, 4)
    assert torch.allclose(dark.foreground(shown), bright.foreground(-shown))
    assert dark.foreground(shown).flatten().tolist() == [1.0, 0.75, 0.25, 0.0]


@pytest.mark.parametrize("name", ["left lung", "Left_Lung", "LeftLung", "lung-left", "RIGHT"])
def test_a_class_has_a_side_by_its_name(name, tmp_path):
    (tmp_path / "c.json").write_text(
        json.dumps({"background": [0, 0, 0], name: [255, 0, 0], "bright spot": [0, 255, 0]})
    )
    assert Classes.load(str(tmp_path / "c.json")).sided == [name]
