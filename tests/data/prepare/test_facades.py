"""`python -m data.prepare facades`, on a small copy of the archives' layout."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.classes import Classes
from data.masks import MasksDataset
from data.prepare.facades import Facades
from tests.data.prepare.helpers import facts_of, pixels, rows_of
from util.errors import UserError

JET = [
    0,
    0,
    0,
    0,
    0,
    170,
    0,
    0,
    255,
    0,
    85,
    255,
    0,
    170,
    255,
    0,
    255,
    255,
    85,
    255,
    170,
    170,
    255,
    85,
    255,
    255,
    0,
    255,
    170,
    0,
    255,
    85,
    0,
    255,
    0,
    0,
    170,
    0,
    0,
]
"""The palette of CMP's PNG files: label 0 black, 1 to 12 MATLAB's jet(12)."""
NAMES = [
    "background",
    "facade",
    "window",
    "door",
    "cornice",
    "sill",
    "balcony",
    "blind",
    "deco",
    "molding",
    "pillar",
    "shop",
]
FACADES = Classes.load("facades")


def save_labels(path: Path, labels: np.ndarray) -> None:
    picture = Image.fromarray(labels, mode="P")
    picture.putpalette(JET)
    picture.save(path)


@pytest.fixture
def facades(tmp_path) -> Path:
    """Twelve fronts of 26 x 30 pixels in base, eight in extended; column 2k and 2k + 1 hold label k, row 0 label 0."""
    root = tmp_path / "cmp"
    labels = np.repeat(np.arange(13, dtype=np.uint8), 2)[None].repeat(30, axis=0)
    labels[0] = 0
    labels[1:, :2] = 1
    random = np.random.default_rng(0)
    for part, letter, count in (("base", "b", 12), ("extended", "x", 8)):
        (root / part).mkdir(parents=True)
        for i in range(1, count + 1):
            path = root / part / f"cmp_{letter}{i:04d}.png"
            save_labels(path, labels)
            Image.fromarray(random.integers(0, 256, (30, 26, 3), np.uint8)).save(path.with_suffix(".jpg"))
            path.with_suffix(".xml").write_text("<object>\n<points><x>0.1</x></points>\n<labelname>window</labelname>")
    lines = [f"{number} {name}\t{order}" for order, (number, name) in enumerate(enumerate(NAMES, 1))]
    (root / "label_names.txt").write_text("\n".join(lines) + "\n")
    return root


def test_labels_become_the_colours_of_the_classes(facades, tmp_path, prepare, flags):
    dst = tmp_path / "out"
    prepare("facades", facades, dst)
    mask = pixels(dst / "masks" / "cmp_b0003.png")
    assert mask.shape == (30, 26, 3)
    for label, name in enumerate(NAMES, 1):
        assert (mask[1:, 2 * label] == FACADES.colours[FACADES.names.index(name)]).all()
    assert (mask[0] == FACADES.colours[0]).all(), "label 0 is nobody's: background"
    photo = np.array(Image.open(facades / "base" / "cmp_b0003.jpg"))
    assert (pixels(dst / "images" / "cmp_b0003.png") == photo).all()

    dataset = MasksDataset(flags(dataroot=dst, classes="facades"), "all", train=False)
    assert len(dataset) == 20
    assert dataset.truth(0)[5].tolist() == [0, 0, *np.repeat(np.arange(12), 2)]


def test_base_and_extended_are_sources_and_both_are_split(facades, tmp_path, prepare):
    dst = tmp_path / "out"
    prepare("facades", facades, dst)
    rows = rows_of(dst)
    assert rows["cmp_x0002"] | {"split": ""} == {
        "image": "images/cmp_x0002.png",
        "mask": "masks/cmp_x0002.png",
        "source": "extended",
        "split": "",
        "patient": "facades-x0002",
        "label": "extended",
        "spacing": "",
    }
    for part, train in (("base", 8), ("extended", 5)):
        splits = [row["split"] for row in rows.values() if row["source"] == part]
        assert splits.count("train") == train
        assert set(splits) == {"train", "val", "test"}
    facts = facts_of(dst)
    assert facts["images"] == facts["patients"] == 20
    assert facts["split"] == "drawn by patient and label with seed 0"
    assert facts["left_out"] == facts["odd"] == {}


def test_a_prepared_folder_passes_the_check(facades, tmp_path, prepare, capsys):
    prepare("facades", facades, tmp_path / "out", "--size", 16)
    capsys.readouterr()
    assert prepare("masks", tmp_path / "out", "--classes", "facades") == 0
    said = capsys.readouterr().out
    assert "8-bit colour (20)" in said
    assert "--classes facades\n" in said
    assert "no mask holds" not in said


def test_one_archive_alone_will_do(facades, tmp_path, prepare):
    prepare("facades", facades / "base", tmp_path / "both")
    assert len(rows_of(tmp_path / "both")) == 20
    (facades / "extended").rename(tmp_path / "elsewhere")
    prepare("facades", facades, tmp_path / "one")
    assert len(rows_of(tmp_path / "one")) == 12


def test_files_that_cannot_be_used_are_listed(facades, tmp_path, prepare):
    base = facades / "base"
    (base / "cmp_b0001.png").unlink()
    (base / "cmp_b0002.jpg").unlink()
    (base / "cmp_b0003.png").write_bytes((base / "cmp_b0003.png").read_bytes()[:-40])
    save_labels(base / "cmp_b0004.png", np.full((30, 26), 13, np.uint8))
    Image.open(base / "cmp_b0005.png").convert("RGB").save(base / "cmp_b0005.png")
    save_labels(base / "cmp_b0006.png", np.ones((20, 26), np.uint8))
    prepare("facades", facades, tmp_path / "out")
    left_out = facts_of(tmp_path / "out")["left_out"]
    assert left_out["no label picture"] == ["cmp_b0001.jpg"]
    assert left_out["a label picture without its photo"] == ["cmp_b0002"]
    damaged = dict(line.split(": ", 1) for line in left_out["damaged"])
    assert damaged.pop("base/cmp_b0003.png").startswith("the image is damaged: ")
    assert damaged == {
        "base/cmp_b0004.png": "labels up to 13; CMP's originals hold the labels 0 to 12",
        "base/cmp_b0005.png": "colours in place of labels; CMP's originals hold the labels 0 to 12",
        "base/cmp_b0006.png": "26 x 20 pixels, but its image cmp_b0006.jpg has 26 x 30",
    }
    assert len(rows_of(tmp_path / "out")) == 14


def test_another_order_of_labels_is_refused(facades, tmp_path, prepare):
    names = facades / "label_names.txt"
    names.write_text(names.read_text().replace("3 window", "3 door"))
    with pytest.raises(UserError, match="label_names.txt: label 3 is 'door' there, but 'window' here"):
        prepare("facades", facades, tmp_path / "out")


def test_pix2pixs_copy_of_the_facades_is_refused(tmp_path, save, prepare):
    save(tmp_path / "facades" / "train" / "1.jpg", np.zeros((8, 16, 3), np.uint8))
    with pytest.raises(UserError, match=r"not the CMP facades: .*found 0\).*--dataset_mode aligned reads it"):
        prepare("facades", tmp_path / "facades", tmp_path / "out")


def test_clahe_is_for_grey_images(facades, tmp_path, prepare):
    with pytest.raises(UserError, match="--clahe: for grey images"):
        prepare("facades", facades, tmp_path / "out", "--clahe")


def test_the_classes_have_cmps_order():
    assert list(Facades.classes.names) == NAMES
