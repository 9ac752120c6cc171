"""splits.csv, and the draw by patient without one."""

import contextlib
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.masks import find_rows
from data.read.splits import Row, draw_split, read_splits
from util.errors import UserError


def write(tmp_path, text: str, encoding: str = "utf-8"):
    path = tmp_path / "splits.csv"
    path.write_bytes(text.encode(encoding))
    return path


def test_columns_are_found_by_name_and_paths_are_relative_to_the_file(tmp_path):
    columns = "split,age,image,patient,mask,source,fold"
    path = write(tmp_path, f"{columns}\nval,40,images/ä b.png,P7,masks/l.png; masks/r.png,A,2\n")
    masks = (tmp_path / "masks/l.png", tmp_path / "masks/r.png")
    assert read_splits(path) == [Row(tmp_path / "images/ä b.png", masks, "val", "A", "P7", "2")]


def test_only_image_and_split_are_required_and_excel_files_are_read(tmp_path):
    path = write(tmp_path, "image,split\r\na.png,train\r\n\r\n", encoding="utf-8-sig")
    assert read_splits(path) == [Row(tmp_path / "a.png", split="train")]


def test_windows_and_spreadsheets_write_backslashes_and_semicolons(tmp_path):
    text = 'image;split;mask\r\nimages\\A\\a.png;train;"masks\\A\\a_left.png;masks/A/a_right.png"\r\n b.png ; val;\r\n'
    expected = [
        Row(tmp_path / "images/A/a.png", (tmp_path / "masks/A/a_left.png", tmp_path / "masks/A/a_right.png"), "train"),
        Row(tmp_path / "b.png", split="val"),
    ]
    assert read_splits(write(tmp_path, text, "utf-8-sig")) == expected
    tabs = text.replace('"masks', "masks").replace('.png"', ".png").replace(";", "\t", 4).replace("\tmasks/", ";masks/")
    assert read_splits(write(tmp_path, tabs.replace(" b.png ; val;", " b.png\t val\t"))) == expected
    (tmp_path / "odd\\name.png").touch()
    assert read_splits(write(tmp_path, "image,split\nodd\\name.png,val\n")) == [
        Row(tmp_path / "odd\\name.png", split="val")
    ]


@given(st.text(st.sampled_from('image,split\n\r;\t"\\/.: \0A\u00e9\u2028'), max_size=60))
def test_any_text_is_read_or_refused_in_one_line(text):
    with TemporaryDirectory() as folder, contextlib.suppress(UserError):
        rows = read_splits(write(Path(folder), "image,split,mask\n" + text))
        ids = find_rows(Path(folder))
        assert len(ids) == len(rows)


def test_a_list_may_name_a_folder_by_mistake(tmp_path):
    (tmp_path / "images").mkdir()
    write(tmp_path, "image,split\nimages,train\n")
    assert list(find_rows(tmp_path)) == ["images"], "reading it then says that it is a folder"


def test_the_spacing_is_one_number_or_two_or_missing(tmp_path):
    path = write(tmp_path, "image,split,spacing\na.png,test,0.2 0.1\nb.png,test,0.175\nc.png,test,\n")
    assert [row.spacing for row in read_splits(path)] == [(0.2, 0.1), (0.175, 0.175), None]


@pytest.mark.parametrize("text", ["0", "-1 1", "0.1 0.1 0.1", "0.1mm", "nan", "0.1 inf"])
def test_an_impossible_spacing_is_refused(tmp_path, text):
    path = write(tmp_path, f"image,split,spacing\na.png,test,{text}\n")
    with pytest.raises(UserError, match=f"splits.csv: spacing '{text}' of a.png: want millimetres per pixel"):
        read_splits(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no column image and no column split"),
        ("image|split\na|train\n", "no column image"),
        ("image,split\na.png,train\nx/../a.png,test\n", "a.png is listed twice"),
        ("image,split\nimages\\a.png,train\nimages/a.png,test\n", "a.png is listed twice"),
        ("image,split\n.,train\n", "'.' is no name of a file"),
        ("image,split\nimages/..,train\n", "'images/..' is no name of a file"),
        ("image,split\n/,train\n", "'/' is no name of a file"),
        ("image,split\na\0b.png,train\n", "no name of a file|line contains NUL"),
        ("image,split,mask\na.png,train,b.png;..\n", "'..' is no name of a file"),
        ("image,split,note\na.png,train,fine, but dark\n", "line 2 has more cells than .*: put text .* double quotes"),
        ("image,split\n", "lists no image"),
        ("image,split\na.png,train\na.png,test\n", "a.png is listed twice"),
    ],
)
def test_a_bad_list_is_named(tmp_path, text, message):
    with pytest.raises(UserError, match=rf"splits.csv: .*{message}"):
        read_splits(write(tmp_path, text))


def test_empty_cells_behind_the_last_column_are_nothing(tmp_path):
    assert [row.split for row in read_splits(write(tmp_path, "image,split\na.png,train,,\nb.png,val, \n"))] == [
        "train",
        "val",
    ]


def test_a_list_that_is_not_utf_8_is_refused(tmp_path):
    with pytest.raises(UserError, match="not a CSV file in UTF-8"):
        read_splits(write(tmp_path, "image,split\nä.png,train\n", encoding="latin-1"))


def test_the_draw_gives_70_10_20_percent_of_patients_and_never_changes():
    drawn = {f"p{i}": draw_split(f"p{i}", 0) for i in range(2000)}
    shares = {split: n / 2000 for split, n in Counter(drawn.values()).items()}
    assert shares == pytest.approx({"train": 0.7, "val": 0.1, "test": 0.2}, abs=0.03)
    # Fixed values: a new version of the program must not move a patient from test to train.
    assert [i for i in range(40) if drawn[f"p{i}"] == "val"] == [7, 8, 22, 30, 36]
    assert [i for i in range(20) if drawn[f"p{i}"] == "test"] == [4, 16, 19]
    assert any(draw_split(p, 1) != split for p, split in drawn.items())
