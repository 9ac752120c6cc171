"""Promises of `python -m data.prepare` that hold for every set, tested with Montgomery's layout."""

import json
import shutil
from collections import Counter

import numpy as np
import pytest

from data.masks import MasksDataset
from data.prepare import convert
from data.prepare.montgomery import Montgomery
from tests.data.prepare.helpers import facts_of, pixels, rows_of, splits_of, states
from util.errors import UserError


def test_a_second_run_touches_nothing(montgomery, tmp_path, prepare):
    dst = tmp_path / "out"
    prepare("montgomery", montgomery, dst, "--size", 16)
    before = states(dst)
    assert len(before) == 2 * 8 + 3
    prepare("montgomery", montgomery, dst, "--size", 16)
    assert states(dst) == before


def test_an_interrupted_run_is_continued(montgomery, tmp_path, prepare, monkeypatch):
    dst = tmp_path / "out"
    read = Montgomery.read

    def stop_at_the_fifth(self, item):
        if item.id == "MCUCXR_0104_1":
            raise KeyboardInterrupt
        return read(self, item)

    monkeypatch.setattr(Montgomery, "read", stop_at_the_fifth)
    with pytest.raises(KeyboardInterrupt):
        prepare("montgomery", montgomery, dst)
    before = states(dst)
    assert not (dst / "splits.csv").exists()
    assert not (dst / "dataset.json").exists()
    assert dst / "images" / "MCUCXR_0001_0.png" in before

    monkeypatch.setattr(Montgomery, "read", read)
    prepare("montgomery", montgomery, dst)
    assert before.items() <= states(dst).items()
    assert len(rows_of(dst)) == len(list((dst / "masks").iterdir())) == 8


def test_other_pixel_flags_need_another_folder(montgomery, tmp_path, prepare):
    dst = tmp_path / "out"
    prepare("montgomery", montgomery, dst, "--size", 16)
    with pytest.raises(UserError, match="holds lungs --size 16; this run wants lungs --clahe --size 16: name another"):
        prepare("montgomery", montgomery, dst, "--size", 16, "--clahe")


def test_another_split_rewrites_only_the_lists(montgomery, tmp_path, prepare):
    dst = tmp_path / "out"
    prepare("montgomery", montgomery, dst)
    before = states(dst)
    prepare("montgomery", montgomery, dst, "--split_seed", 3)
    changed = {path.name for path, when in states(dst).items() if before[path] != when}
    assert changed == {"splits.csv", "dataset.json"}
    assert facts_of(dst)["split"] == "drawn by patient and label with seed 3"


def test_a_folder_with_other_files_is_not_changed(montgomery, tmp_path, prepare):
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "thesis.txt").write_text("years of work")
    with pytest.raises(UserError, match="out: not empty, and not begun by data.prepare"):
        prepare("montgomery", montgomery, tmp_path / "out")
    assert [p.name for p in (tmp_path / "out").iterdir()] == ["thesis.txt"]
    (tmp_path / "out" / "dataset.json").write_text("[1, 2, 3]")
    with pytest.raises(UserError, match="out: not empty, and not begun by data.prepare"):
        prepare("montgomery", montgomery, tmp_path / "out")


@pytest.mark.parametrize(
    ("src", "dst", "more", "message"),
    [
        ("gone", "out", (), "gone: no such folder"),
        ("archive.zip", "out", (), "archive.zip: a file, not a folder; unpack"),
        ("archive", "archive/out", (), "SRC and DST lie in one another"),
        ("archive", ".", (), "SRC and DST lie in one another"),
        ("archive", "archive.zip", (), "archive.zip: a file, not a folder"),
        ("archive", "out", ("--size", 3), "--size 3: want 16 to 8192 pixels"),
        ("archive", "out", ("--folds", 1), "--folds 1: want at least 2"),
        ("archive", "out", ("--folds", 8), "--folds 8: train and val have 7 patients; want at least one a fold"),
        ("archive", "out", ("--split_file", "mine.csv"), "--split_file mine.csv: no such file"),
        ("archive", "out", ("--split_file", "mine.csv", "--split_seed", 1), "leave one out"),
    ],
)
def test_impossible_arguments_are_a_one_line_error_and_write_nothing(
    montgomery, tmp_path, prepare, src, dst, more, message
):
    (tmp_path / "archive.zip").write_bytes(b"PK")
    with pytest.raises(UserError, match=message):
        prepare("montgomery", tmp_path / src, tmp_path / dst, *more)
    assert not (tmp_path / "out").exists()


def test_a_damaged_file_is_left_out_and_named(montgomery, tmp_path, prepare, capsys):
    dst = tmp_path / "out"
    whole = (montgomery / "CXR_png" / "MCUCXR_0104_1.png").read_bytes()
    (montgomery / "CXR_png" / "MCUCXR_0104_1.png").write_bytes(whole[:200])
    mask = montgomery / "ManualMask" / "leftMask" / "MCUCXR_0001_0.png"
    mask.write_text("<html>")
    prepare("montgomery", montgomery, dst, "--split_seed", 0)
    damaged = facts_of(dst)["left_out"]["damaged"]
    assert [line.split(":")[0] for line in damaged] == [
        "ManualMask/leftMask/MCUCXR_0001_0.png",
        "CXR_png/MCUCXR_0104_1.png",
    ]
    assert "left out: 2 (damaged)\n  ManualMask/leftMask/MCUCXR_0001_0.png: not an image" in capsys.readouterr().out
    assert len(rows_of(dst)) == 6
    assert not (dst / "images" / "MCUCXR_0001_0.png").exists()

    places = splits_of(dst)
    (montgomery / "CXR_png" / "MCUCXR_0104_1.png").write_bytes(whole)
    prepare("montgomery", montgomery, dst, "--split_seed", 0)
    assert places.items() < splits_of(dst).items()  # once repaired, it moves no other patient
    assert len(rows_of(dst)) == 7


def test_nothing_but_damaged_files_is_an_error(montgomery, tmp_path, prepare):
    for path in (montgomery / "CXR_png").glob("*.png"):
        path.write_bytes(b"")
    with pytest.raises(UserError, match="none of 8 images can be used; the first: .*0001_0.png: the file is empty"):
        prepare("montgomery", montgomery, tmp_path / "out")


def test_a_disk_that_cannot_be_written_is_an_error_not_a_damaged_image(montgomery, tmp_path, prepare):
    dst = tmp_path / "out"
    prepare("montgomery", montgomery, dst)
    shutil.rmtree(dst / "images")
    (dst / "images").write_text("in the way")
    with pytest.raises(UserError, match="not written"):
        prepare("montgomery", montgomery, dst)


def test_new_patients_move_no_other_patient(montgomery, tmp_path, prepare):
    dst, later = tmp_path / "out", tmp_path / "later"
    later.mkdir()
    names = [f"MCUCXR_0{number}.png" for number in ("002_0", "104_1", "162_1")]
    for name in names:
        (montgomery / "CXR_png" / name).rename(later / name)
    prepare("montgomery", montgomery, dst, "--split_seed", 1, "--folds", 2)
    before = rows_of(dst)
    for name in names:
        (later / name).rename(montgomery / "CXR_png" / name)
    prepare("montgomery", montgomery, dst, "--split_seed", 1, "--folds", 2)
    after = rows_of(dst)
    assert before.items() < after.items()
    assert len(after) == 8


def test_a_users_own_split_file_is_followed(montgomery, tmp_path, prepare, capsys):
    mine = tmp_path / "mine.csv"
    names = [path.name for path in (montgomery / "CXR_png").glob("*.png")]
    lines = [f"x/{name},{'test' if '_1.' in name else 'train'}" for name in names]
    mine.write_text("\n".join(["image,split", *lines, "other_0,val"]) + "\n")
    prepare("montgomery", montgomery, tmp_path / "out", "--split_file", mine)
    assert {name[-1]: split for name, split in splits_of(tmp_path / "out").items()} == {"0": "train", "1": "test"}
    assert "odd: 1 (listed in mine.csv, but not in this set)\n  other_0" in capsys.readouterr().out


def test_folds_divide_train_and_val(montgomery, tmp_path, prepare):
    prepare("montgomery", montgomery, tmp_path / "out", "--folds", 2)
    rows = rows_of(tmp_path / "out").values()
    assert {row["fold"] for row in rows if row["split"] == "test"} == {""}
    folds = [[row["label"] for row in rows if row["fold"] == fold] for fold in ("0", "1")]
    assert sum(map(len, folds)) == 7
    assert all(len(set(labels)) == 2 for labels in folds)


@pytest.mark.parametrize("by", ["prepare", "user"])
def test_a_repeated_command_keeps_folds_and_the_users_columns(montgomery, tmp_path, prepare, by):
    dst = tmp_path / "out"
    prepare("montgomery", montgomery, dst, *(["--folds", 3] if by == "prepare" else []))
    lines = (dst / "splits.csv").read_text().splitlines()
    folds = ["fold", *(str(i % 2) for i in range(len(lines)))] if by == "user" else [""] * len(lines)
    lines = [f"{line},{f}," if f else f"{line}," for line, f in zip(lines, folds, strict=False)]
    lines = [line + ("note" if i == 0 else f"note {i}") for i, line in enumerate(lines)]
    (dst / "splits.csv").write_text("\n".join(lines) + "\n")
    before = rows_of(dst)
    prepare("montgomery", montgomery, dst)
    assert rows_of(dst) == before
    assert len({row["fold"] for row in before.values()}) > 1
    assert {row["note"] for row in before.values()} == {f"note {i}" for i in range(1, len(lines))}


def test_size_scales_image_mask_and_spacing(montgomery, tmp_path, prepare, monkeypatch):
    monkeypatch.setattr(Montgomery, "extent", lambda self, item: (24 * 0.5, 20 * 0.5))
    dst = tmp_path / "out"
    prepare("montgomery", montgomery, dst, "--size", 32)
    row = rows_of(dst)["MCUCXR_0001_0"]
    assert row["spacing"] == "0.375 0.3125"
    assert pixels(dst / row["image"]).shape == pixels(dst / row["mask"]).shape == (32, 32)
    assert set(np.unique(pixels(dst / row["mask"]))) == {0, 255}
    assert facts_of(dst)["sizes"] == {"32 x 32": 8}
    assert facts_of(dst)["spacing_mm"] == {"0.375 0.3125": 8}


def deep(value: int = 1000) -> tuple[np.ndarray, np.ndarray]:
    return np.full((16, 16), value, np.uint16), np.ones((16, 16), np.uint8)


def test_16_bits_are_scaled_to_8_or_kept():
    image, mask = convert.prepare(Montgomery(), *deep(257 * 100), convert.Pixels())
    assert image.dtype == np.uint8
    assert (image == 100).all()
    assert (mask == 255).all()
    image, _ = convert.prepare(Montgomery(), *deep(), convert.Pixels(keep_bits=True))
    assert image.dtype == np.uint16
    assert (image == 1000).all()
    colour = np.full((16, 16, 3), 9, np.uint8)
    image, _ = convert.prepare(Montgomery(), colour, deep()[1], convert.Pixels(keep_bits=True))
    assert image.dtype == np.uint8
    assert (image == 9).all()
    assert image.shape == (16, 16)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_clahe_stretches_a_flat_region_but_not_without_limit(dtype):
    top = np.iinfo(dtype).max
    ramp = np.linspace(0.4, 0.5, 256 * 256).reshape(256, 256)
    pixels = convert.Pixels(clahe=True, keep_bits=True)
    out, _ = convert.prepare(Montgomery(), np.round(ramp * top).astype(dtype), np.ones((256, 256), np.uint8), pixels)
    assert out.dtype == dtype
    assert out.shape == (256, 256)
    assert 0.1 < np.ptp(out / top) < 0.9  # kornia's own limit of 40 stretches it to the full range


def test_keep_bits_writes_16_bit_files(montgomery, tmp_path, prepare, save):
    path = montgomery / "CXR_png" / "MCUCXR_0001_0.png"
    save(path, np.full((24, 20), 30000, np.uint16))
    prepare("montgomery", montgomery, tmp_path / "out", "--keep_bits")
    kept = pixels(tmp_path / "out" / "images" / path.name)
    assert kept.dtype == np.uint16
    assert (kept == 30000).all()
    assert pixels(tmp_path / "out" / "images" / "MCUCXR_0002_0.png").dtype == np.uint8


def test_several_sets_of_lungs_share_a_folder(montgomery, shenzhen, tmp_path, prepare, flags):
    dst = tmp_path / "lungs"
    prepare("montgomery", montgomery, dst, "--folds", 2)
    prepare("shenzhen", shenzhen, dst)
    before = states(dst)
    prepare("montgomery", montgomery, dst, "--folds", 2)
    assert states(dst) == before
    rows = rows_of(dst).values()
    assert Counter(row["source"] for row in rows) == {"montgomery": 8, "shenzhen": 4}
    assert {row["fold"] for row in rows if row["source"] == "shenzhen"} == {""}
    whole = json.loads((dst / "dataset.json").read_text())
    assert whole["images"] == 12
    assert whole["splits"] == {"test": 3, "train": 6, "val": 3}
    assert list(whole["sets"]) == ["montgomery", "shenzhen"]
    assert whole["sets"]["shenzhen"]["images"] == 4
    assert MasksDataset(flags(dataroot=dst, source="shenzhen"), "test", train=False).sources == ["shenzhen"] * 2
    folds = [
        MasksDataset(flags(dataroot=dst, fold=fold, source="montgomery"), "out_of_fold", False).ids for fold in (0, 1)
    ]
    assert set(folds[0]).isdisjoint(folds[1])
    assert len(folds[0] + folds[1]) == 7


def test_sets_with_other_masks_cannot_share_a_folder(montgomery, tmp_path, prepare, monkeypatch):
    prepare("montgomery", montgomery, tmp_path / "out")
    monkeypatch.setattr(Montgomery, "target", "pneumothorax")
    with pytest.raises(UserError, match="holds lungs without --size, .*; this run wants pneumothorax without"):
        prepare("montgomery", montgomery, tmp_path / "out")


@pytest.mark.parametrize(
    "sets", [[], {"montgomery": 1}, {"montgomery": {}}, {"montgomery": {"settings": {}, "counts": {"train": []}}}]
)
def test_facts_of_another_shape_are_damaged(montgomery, tmp_path, prepare, sets):
    prepare("montgomery", montgomery, tmp_path / "out")
    (tmp_path / "out" / "dataset.json").write_text(json.dumps({"sets": sets}))
    with pytest.raises(UserError, match=r"dataset.json: damaged; delete"):
        prepare("montgomery", montgomery, tmp_path / "out")


@pytest.mark.parametrize("name", ["dataset.json", "splits.csv", ".prepare.json"])
def test_a_damaged_list_is_named(montgomery, tmp_path, prepare, name):
    prepare("montgomery", montgomery, tmp_path / "out", "--split_seed", 1)
    (tmp_path / "out" / name).write_text('{"sets')
    with pytest.raises(UserError, match=rf"{name}: (damaged; delete|no column image)"):
        prepare("montgomery", montgomery, tmp_path / "out", "--split_seed", 1)


def test_a_list_that_a_spreadsheet_saved_with_semicolons_is_read_again(montgomery, tmp_path, prepare):
    dst = tmp_path / "out"
    prepare("montgomery", montgomery, dst)
    before = (dst / "splits.csv").read_text()
    (dst / "splits.csv").write_text(before.replace(",", ";").replace("/", "\\"))
    prepare("montgomery", montgomery, dst)
    assert (dst / "splits.csv").read_text() == before
