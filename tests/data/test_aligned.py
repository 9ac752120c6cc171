"""--dataset_mode aligned: A and B side by side in one file."""

import numpy as np
import pytest

from data.aligned import AlignedDataset
from data.classes import Classes
from data.masks import MasksDataset
from data.read.folders import NoSuchPhase
from util.contracts import VOID
from util.errors import UserError

FACADES = Classes.load("facades")


@pytest.fixture
def pairs(tmp_path, save):
    """Two PNG files: a photo of noise, and 12 stripes in the facades' colours."""
    random = np.random.default_rng(0)
    labels = np.arange(12, dtype=np.uint8).repeat(4)[None].repeat(48, axis=0)
    for name in ("b", "a"):
        photo = random.integers(0, 256, (48, 48, 3), np.uint8)
        save(tmp_path / "train" / f"{name}.png", np.hstack([photo, FACADES.encode(labels)]))
    return tmp_path


def test_without_classes_b_is_a_picture(pairs, flags):
    dataset = AlignedDataset(flags(dataroot=pairs), "train", train=False)
    item = dataset[0]
    assert dataset.ids == ["a", "b"]
    assert dataset.has_targets
    assert dataset.classes is None
    assert dataset.truth(0) is None
    assert item["A"].shape == item["B"].shape == (3, 32, 32)
    assert item["size"].tolist() == [48, 48]
    assert item["A_paths"] == item["B_paths"]
    assert item["A_paths"].endswith("a.png")
    assert len(item["B"].unique()) > 20, "bicubic mixes the colours"


def test_with_classes_b_is_decoded(pairs, flags):
    dataset = AlignedDataset(flags(dataroot=pairs, classes="facades"), "train", train=False)
    assert np.array_equal(dataset.truth(0)[0], np.arange(12).repeat(4))
    shown = (dataset[0]["B"].permute(1, 2, 0) * 127.5 + 127.5).round().byte().numpy()
    assert {tuple(c) for c in shown.reshape(-1, 3).tolist()} <= {tuple(c) for c in FACADES.colours.tolist()}


def test_direction_b_to_a_swaps_the_halves(pairs, flags):
    one = AlignedDataset(flags(dataroot=pairs), "train", train=False)
    two = AlignedDataset(flags(dataroot=pairs, direction="BtoA"), "train", train=False)
    assert (one[0]["A"] == two[0]["B"]).all()
    assert (one[0]["B"] == two[0]["A"]).all()
    assert (two.image(0)[0, 0] == FACADES.colours[0]).all()


def test_both_halves_get_the_same_crop_and_flip(tmp_path, flags, save):
    photo = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    save(tmp_path / "train" / "x.png", np.hstack([photo, photo]))
    dataset = AlignedDataset(flags(dataroot=tmp_path), "train", train=True)
    views = [dataset[0, epoch] for epoch in range(8)]
    assert all((view["A"] == view["B"]).all() for view in views)
    assert len({view["A"].numpy().tobytes() for view in views}) > 4
    assert (views[3]["A"] == dataset[0, 3]["A"]).all()


def test_input_and_output_may_be_grey(pairs, flags):
    item = AlignedDataset(flags(dataroot=pairs, input_nc=1, output_nc=1), "train", train=False)[0]
    assert item["A"].shape == item["B"].shape == (1, 32, 32)


def test_folders_of_images_and_masks_in_a_phase_are_not_cut_in_half(tmp_path, flags, save):
    for folder in ("images", "masks"):
        save(tmp_path / "train" / folder / "a.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(UserError, match="move train/images to images/train, train/masks to masks/train"):
        AlignedDataset(flags(dataroot=tmp_path, dataset_mode="aligned"), "train", train=True)
    with pytest.raises(UserError, match="no folder images/ in it; move train/images to images/train"):
        MasksDataset(flags(dataroot=tmp_path), "train", train=True)


def test_an_odd_width_and_a_missing_phase_are_refused(pairs, flags, save):
    with pytest.raises(NoSuchPhase, match="no folder 'val'; --dataset_mode aligned wants .*; there is train"):
        AlignedDataset(flags(dataroot=pairs), "val", train=False)
    (pairs / "test").mkdir()
    with pytest.raises(NoSuchPhase, match="test: no images in this folder"):
        AlignedDataset(flags(dataroot=pairs), "test", train=False)
    assert len(AlignedDataset(flags(dataroot=pairs), "all", train=False)) == 2
    save(pairs / "train" / "odd.png", np.zeros((8, 9), np.uint8))
    with pytest.raises(UserError, match="odd.png: 9 pixels wide; A and B side by side have an even width"):
        AlignedDataset(flags(dataroot=pairs), "train", train=False)


def test_real_facades_have_the_twelve_classes_and_void(real_data, flags):
    opt = flags(dataroot=str(real_data / "facades"), classes="facades", max_dataset_size=5)
    dataset = AlignedDataset(opt, "test", train=False)
    found = set(np.unique([dataset.truth(i) for i in range(5)]).tolist())
    assert {0, 1, 2, VOID} <= found <= {*range(12), VOID}


def test_black_drawn_on_a_transparent_right_half_is_refused(tmp_path, flags, save):
    opacity = np.zeros((32, 64, 1), np.uint8)
    opacity[:, :32] = opacity[8:16, 40:48] = 255
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:, :32] = 90
    save(tmp_path / "train" / "x.png", np.concatenate([pixels, opacity], axis=2))
    with pytest.raises(UserError, match="x.png: black and transparent pixels only"):
        AlignedDataset(flags(dataroot=tmp_path, classes="lungs"), "train", train=True)
