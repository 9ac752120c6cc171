"""Phantoms: the pictures, the data set, and the command that writes them as files."""

import argparse
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from scipy import ndimage

from data.aligned import AlignedDataset
from data.classes import FACADES
from data.masks import MasksDataset
from data.phantom.__main__ import write_chests
from data.phantom.chests import chest, pneumothorax
from data.phantom.dataset import PhantomDataset
from data.phantom.facades import facade
from options.train import parse
from util.errors import UserError

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def chests() -> list[tuple[np.ndarray, np.ndarray]]:
    return [chest(i) for i in range(40)]


@pytest.fixture(scope="module")
def facades() -> list[tuple[np.ndarray, np.ndarray]]:
    return [facade(i) for i in range(40)]


def options(**flags) -> argparse.Namespace:
    """The flags that a data set reads, at small sizes."""
    values = dict(
        dataroot="",
        phantom="chests",
        phantom_count=10,
        classes=None,
        direction="AtoB",
        input_nc=3,
        output_nc=3,
        preprocess="resize_and_crop",
        load_size=72,
        crop_size=64,
        no_flip=False,
        max_dataset_size=float("inf"),
        cache_gb=1.0,
        num_threads=2,
        skip_bad_files=False,
        serial_batches=False,
        unpaired=False,
        fold=-1,
        seed=0,
        source="",
        split_seed=0,
        patient_regex="",
        intensity="none",
        clahe=False,
        balance=None,
        patch=0,
        unlabelled="",
    )
    return argparse.Namespace(**(values | flags))


def dice(a: np.ndarray, b: np.ndarray) -> float:
    return 2 * (a & b).sum() / (a.sum() + b.sum())


def otsu(image: np.ndarray) -> int:
    """The threshold that best divides the grey values into two groups (Otsu 1979)."""
    count = np.bincount(image.ravel(), minlength=256)
    below, mass = count.cumsum(), (count * np.arange(256)).cumsum()
    inner = slice(0, np.flatnonzero(count)[-1])
    w, m = below[inner] / below[-1], mass[inner] / below[-1]
    between = (m - w * mass[-1] / below[-1]) ** 2 / np.maximum(w * (1 - w), 1e-12)
    return int(between.argmax())


@pytest.mark.parametrize("draw", [chest, pneumothorax, facade])
def test_a_phantom_is_a_function_of_seed_and_index(draw):
    image, labels = draw(5, seed=1, size=96)
    again, labels_again = draw(5, seed=1, size=96)
    assert (image == again).all()
    assert (labels == labels_again).all()
    for other in (draw(6, seed=1, size=96), draw(5, seed=2, size=96)):
        assert (image != other[0]).mean() > 0.5
        assert (labels != other[1]).any()


@pytest.mark.parametrize("draw", [chest, facade])
@pytest.mark.parametrize("size", [64, 200, 512])
def test_a_phantom_is_the_same_picture_at_every_size(draw, size):
    image, labels = draw(7)
    other, other_labels = draw(7, size=size)
    assert other.shape[:2] == other_labels.shape == (size, size)
    small, other_small = (
        np.asarray(Image.fromarray(a).convert("L").resize((32, 32), Image.Resampling.BOX), float)
        for a in (image, other)
    )
    assert np.abs(small - other_small).mean() < 4
    nearest = Image.fromarray(other_labels).resize((256, 256), Image.Resampling.NEAREST)
    # At 64 pixels, the edges of a front are shifted by up to two pixels of 256.
    assert (np.asarray(nearest) == labels).mean() > (0.97 if draw is chest else 0.85)


def test_chests_have_two_lungs_of_a_plausible_size(chests):
    for image, mask in chests:
        assert image.dtype == mask.dtype == np.uint8
        assert set(np.unique(mask)) == {0, 1}
        # In the train split of Montgomery and Shenzhen, the 1st and 99th percentiles are .11 and .40.
        assert 0.1 < mask.mean() < 0.42
        parts = np.bincount(ndimage.label(mask)[0].ravel())[1:]
        assert (parts > 10).sum() == 2  # a tip may be cut off, one or two pixels large
    # Left to right: a lung, the mediastinum, a lung.
    for _, mask in chests[:10]:
        columns = np.flatnonzero(mask.any(axis=0))
        middle = round(columns.mean())
        assert mask[:, middle].sum() < mask[:, columns[len(columns) // 4]].sum()


def test_lungs_are_darker_than_the_mediastinum(chests):
    for image, mask in chests:
        rows = np.flatnonzero(mask.any(axis=1))
        between = np.zeros_like(mask, bool)
        for row in rows[len(rows) // 3 : -len(rows) // 4]:
            columns = np.flatnonzero(mask[row])
            between[row, columns[0] : columns[-1]] = True
        between &= mask == 0
        assert image[mask == 1].mean() < image[between].mean() - 15


def test_about_half_of_the_chests_have_a_pneumothorax(chests):
    found = [pneumothorax(i) for i in range(40)]
    assert 12 <= sum(air.any() for _, air in found) <= 28
    for (image, air), (before, lungs) in zip(found, chests, strict=True):
        if not air.any():
            assert (image == before).all()
            continue
        assert 0.001 < air.mean() < 0.05
        assert not (air & ~lungs).any()
        assert ndimage.label(air, np.ones((3, 3)))[1] == 1, "on one side"
        inside = air.astype(bool)
        assert image[inside].mean() < before[inside].mean(), "darker than the lung that was there"
        assert np.abs(image.astype(int) - before)[~inside & (lungs == 0)].mean() < 3


def test_chests_vary_in_exposure(chests):
    lungs = [image[mask == 1].mean() for image, mask in chests]
    assert np.ptp(lungs) > 60


def test_no_threshold_alone_finds_the_lungs(chests):
    """The air around the patient is as dark as the lungs, so a network has to learn their shape."""
    scores = [dice(image <= otsu(image), mask == 1) for image, mask in chests]
    assert np.mean(scores) < 0.6
    best = [max(dice(image <= t, mask == 1) for t in range(10, 250, 10)) for image, mask in chests]
    assert np.mean(best) < 0.7


def test_facades_show_every_class_and_most_in_plausible_shares(facades):
    labels = np.stack([labels for _, labels in facades])
    assert labels.max() < len(FACADES)
    share = dict(zip(FACADES, np.bincount(labels.ravel(), minlength=12) / labels.size, strict=True))
    assert min(share.values()) > 0.0005
    assert 0.2 < share["facade"] < 0.5
    assert 0.15 < share["background"] < 0.45
    assert 0.05 < share["window"] < 0.25
    for always in ("background", "facade", "window", "door"):
        assert (labels == list(FACADES).index(always)).any(axis=(1, 2)).all()


def test_photo_and_labels_of_a_facade_agree(facades):
    """Windows are darker than the wall around them, in nearly every photo."""
    darker = [photo[labels == 2].mean() < photo[labels == 1].mean() for photo, labels in facades]
    assert np.mean(darker) > 0.8


def test_many_facades_can_be_drawn():
    """Rare combinations of floors, bays and parts must not fail."""
    for index in range(100, 220):
        photo, labels = facade(index, size=32)
        assert photo.shape == (32, 32, 3)
        assert labels.max() < 12


def test_phases_share_no_image_and_keep_theirs_when_the_count_changes():
    phases = {phase: PhantomDataset(options(), phase, train=phase == "train") for phase in ("train", "val", "test")}
    assert [len(d) for d in phases.values()] == [10, 8, 8]
    ids = [name for d in phases.values() for name in d.ids]
    assert len(set(ids)) == 26
    more = PhantomDataset(options(phantom_count=60), "test", train=False)
    assert len(more) == 12
    assert more.ids[:8] == phases["test"].ids
    assert PhantomDataset(options(), "all", train=False).ids == ids


def test_items_need_no_dataroot_and_show_the_drawn_lungs():
    dataset = PhantomDataset(options(input_nc=1, output_nc=1), "val", train=False)
    item = dataset[3]
    image, mask = chest(1_000_003, size=64)
    assert np.allclose(item["A"][0], image / 127.5 - 1, atol=1e-6)
    assert (item["B"][0].numpy() == np.where(mask == 1, 1, -1)).all()
    assert (dataset.truth(3) == mask).all()
    assert dataset.classes.names == ("background", "lung")
    assert dataset.image(3).shape == (64, 64, 3)


def test_training_views_are_crops_of_a_larger_drawing():
    item = PhantomDataset(options(), "train", train=True)[(0, 1)]
    assert item["A"].shape == item["B"].shape == (3, 64, 64)
    assert item["size"].tolist() == [72, 72]


def test_facades_come_in_class_colours():
    dataset = PhantomDataset(options(phantom="facades"), "test", train=False)
    assert dataset.classes.names == tuple(FACADES)
    colours = ((dataset[0]["B"] + 1) * 127.5).round().reshape(3, -1).T.unique(dim=0).int().tolist()
    assert {tuple(c) for c in colours} <= set(FACADES.values())
    assert len(colours) > 4


@pytest.mark.parametrize(
    ("flags", "phase", "message"),
    [
        ({"phantom_count": 0}, "train", "--phantom_count 0"),
        ({"phantom_count": 2_000_000}, "train", "--phantom_count 2000000"),
        ({"classes": "facades"}, "train", "--classes facades"),
        ({}, "holdout", "--phase holdout"),
    ],
)
def test_wrong_phantom_flags_are_refused_in_one_line(flags, phase, message):
    with pytest.raises(UserError, match=message) as error:
        PhantomDataset(options(**flags), phase, train=phase == "train")
    assert "\n" not in str(error.value)


def command(*arguments: str | Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "data.phantom", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )


def test_written_chests_load_as_masks(tmp_path):
    write_chests(tmp_path, 4, size=64)
    dataset = MasksDataset(options(dataroot=str(tmp_path)), "test", train=False)
    assert len(dataset) == 8
    image, mask = chest(2_000_002, size=64)
    assert (dataset.image(2)[..., 0] == image).all()
    assert (dataset.truth(2) == mask).all()


def test_written_pneumothoraces_load_as_masks_some_of_them_empty(tmp_path):
    write_chests(tmp_path, 10, 64, "pneumothorax")
    data = MasksDataset(options(dataroot=str(tmp_path), dataset_mode="masks"), "val", False)
    empty = [not data.truth(i).any() for i in range(len(data))]
    assert 0 < sum(empty) < len(empty) == 8


def test_written_facades_load_as_aligned(tmp_path):
    done = command(tmp_path / "x", "--phantom", "facades", "--phantom_count", 2, "--size", 64)
    assert (done.returncode, done.stderr) == (0, "")
    dataset = AlignedDataset(options(dataroot=str(tmp_path / "x"), classes="facades"), "train", train=False)
    assert len(dataset) == 2
    photo, labels = facade(1, size=64)
    assert (dataset.image(1) == photo).all()
    assert (dataset.truth(1) == labels).all()


def test_the_command_never_writes_over_files(tmp_path):
    (tmp_path / "mine.txt").write_text("precious")
    done = command(tmp_path, "--phantom_count", 1)
    assert done.returncode == 2
    assert done.stderr.startswith(f"error: {tmp_path}: ")
    assert done.stderr.count("\n") == 1
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


@pytest.mark.parametrize("flags", ["--classes lungs_dark --phantom chests", "--phantom chests --classes lungs_dark"])
def test_classes_that_phantoms_do_not_show_are_refused_in_whichever_order_they_are_typed(flags):
    opt = parse(["--dataset_mode", "phantom", *flags.split()])
    with pytest.raises(UserError, match="--classes lungs_dark: phantom chests show lungs; take --classes lungs"):
        PhantomDataset(opt, "train", train=True)


def test_the_last_phantom_that_is_typed_brings_its_classes():
    assert parse(["--dataset_mode", "phantom", "--phantom", "facades", "--phantom", "chests"]).classes == "lungs"
