"""Masks as runs of pixels, with relative gaps, counted down the columns."""

import csv

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from data.prepare.run_lengths import decode, dialects_of, find_table, read_table
from util.errors import UserError


def test_gaps_are_relative_and_pixels_run_down_the_columns():
    # 3 rows, 4 columns. Skip 1, take 2: rows 1 and 2 of column 0. Skip 3, take 4: pixels 6 to 9, all of column 2 and
    # the top of column 3.
    assert decode("1 2 3 4", 3, 4).tolist() == [[0, 0, 1, 1], [1, 0, 1, 0], [1, 0, 1, 0]]
    assert decode(" 1 2 3 4", 3, 4).sum() == 6  # the challenge's file has a blank in front


def test_runs_may_cover_the_first_and_last_pixel_or_none_or_all():
    assert decode("0 1 10 1", 3, 4).tolist() == [[1, 0, 0, 0], [0, 0, 0, 0], [0, 0, 0, 1]]
    assert decode("-1", 3, 4).tolist() == decode(" -1", 3, 4).tolist() == np.zeros((3, 4)).tolist()
    assert decode("0 12", 3, 4).all()
    assert decode("0 5 0 7", 3, 4).all()


@pytest.mark.parametrize(
    ("runs", "message"),
    [
        ("1 2 3", "3 numbers; want pairs"),
        ("", "0 numbers"),
        ("1 two", "not a list of numbers"),
        ("5 -2", "want pairs"),
        ("1 2 3 7", "reaches pixel 13 of an image of 4 x 3"),
        ("99999999999999999999 1", "not a list of numbers"),
        ("9223372036854775807 1", "reaches pixel 9223372036854775807"),
        (" ".join(["4611686018427387904 1"] * 4), "reaches pixel 4611686018427387904"),
    ],
)
def test_impossible_runs_are_refused(runs, message):
    with pytest.raises(UserError, match=message):
        decode(runs, 3, 4)


def test_absolute_runs_name_their_first_pixel_from_one():
    assert decode("2 2 7 4", 3, 4, "absolute").tolist() == decode("1 2 3 4", 3, 4).tolist()
    assert decode("12 1", 3, 4, "absolute").sum() == 1
    assert decode("-1", 3, 4, "absolute").sum() == 0
    for runs, message in (
        ("0 1", "before the first"),
        ("12 2", "pixel 13"),
        ("5 3 7 1", "overlap"),
        ("7 1 2 1", "go back"),
    ):
        with pytest.raises(UserError, match=message):
            decode(runs, 3, 4, "absolute")


@pytest.mark.parametrize(
    ("runs", "fitting"),
    [
        ("1 2 3 4", {"relative", "absolute"}),  # also pixels 1 to 6
        ("0 2", {"relative"}),
        ("5 3 5 1", set()),
        ("2 3 4 1", {"relative"}),
        ("5 2 9 2", {"absolute"}),
        ("5 10", set()),
    ],
)
def test_runs_that_leave_the_image_overlap_or_go_back_are_of_the_other_dialect(runs, fitting):
    assert dialects_of(runs, 3, 4) == fitting


def encode(mask: np.ndarray) -> str:
    """The same runs, computed pixel by pixel."""
    words, gap, length = [], 0, 0
    for pixel in [*mask.T.ravel().tolist(), 0]:
        if pixel:
            length += 1
        elif length:
            words += [gap, length]
            gap, length = 1, 0
        else:
            gap += 1
    return " ".join(map(str, words)) or "-1"


@given(arrays(np.uint8, array_shapes(min_dims=2, max_dims=2, max_side=9), elements=st.integers(0, 1)))
def test_decoding_is_the_inverse_of_encoding(mask):
    assert (decode(encode(mask), *mask.shape) == mask).all()


def test_real_masks_fit_into_their_image(real_data):
    table = real_data / "dicom" / "siim_train-rle-sample.csv"
    rows = read_table(table)
    assert len(rows) == 10
    assert find_table(real_data / "dicom") == table
    masks = [decode(part, 1024, 1024) for parts in rows.values() for part in parts]
    areas = [int(mask.sum()) for mask in masks if mask.any()]
    assert len(areas) == 5
    lengths = [sum(map(int, part.split()[1::2])) for parts in rows.values() for part in parts if part != "-1"]
    assert areas == lengths
    assert all(
        dialects_of(part, 1024, 1024) == {"relative"} for parts in rows.values() for part in parts if part != "-1"
    )
    # Neighbouring columns touch. A mask read along the rows by mistake would fall into stripes.
    assert all((np.diff(np.flatnonzero(mask.any(axis=0))) == 1).all() for mask in masks)


def test_the_table_is_found_among_other_files(tmp_path):
    (tmp_path / "sample_submission.csv").write_text("ImageId,EncodedPixels\na,-1\n")
    (tmp_path / "train-rle-sample.csv").write_text("fname,mask\na,-1\n")
    (tmp_path / "other.csv").write_text("name,age\na,3\n")
    assert find_table(tmp_path).name == "train-rle-sample.csv"  # used if there is no better table
    (tmp_path / "train-rle.csv").write_text("ImageId, EncodedPixels\na, 0 1\nb, -1\na, 5 2\n\n")
    assert read_table(find_table(tmp_path)) == {"a": ["0 1", "5 2"], "b": ["-1"]}
    rows = ["a,", "b,nan", "c,-1.0", "d, -1 ", "e", "f,NaN"]
    (tmp_path / "train-rle.csv").write_text("\n".join(["ImageId, EncodedPixels", *rows]))
    assert read_table(find_table(tmp_path)) == {name: ["-1"] for name in "abcdef"}
    (tmp_path / "stage_2_train.csv").write_text("ImageId,EncodedPixels\na,-1\n")
    with pytest.raises(UserError, match=r"stage_2_train.csv, train-rle.csv all hold masks; leave one of them there"):
        find_table(tmp_path)


def test_a_missing_or_damaged_table_is_an_error(tmp_path):
    with pytest.raises(UserError, match="not the SIIM-ACR set: looked for a CSV file with the columns ImageId and Enc"):
        find_table(tmp_path)
    (tmp_path / "train-rle.csv").write_text("ImageId,EncodedPixels\na," + "1" * (csv.field_size_limit() + 1))
    with pytest.raises(UserError, match="train-rle.csv: not a CSV file"):
        read_table(tmp_path / "train-rle.csv")
