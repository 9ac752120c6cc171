"""--dataset_mode unaligned, and masks --unpaired: images and targets that are not pairs."""

import numpy as np
import pytest
import torch

from data import create_dataset
from data.masks import MasksDataset
from data.read.folders import NoSuchPhase
from data.unaligned import UnalignedDataset
from tests.tiffs import write_tiff
from util.errors import UserError


@pytest.fixture
def folders(tmp_path, save):
    """Three A with the values 10, 20, 30 (48 x 40) and five B with 100, 110, ... 140 (40 x 48), in train and test."""
    for phase in ("train", "test"):
        for i in range(3):
            save(tmp_path / f"{phase}A" / f"a{i}.png", np.full((48, 40), 10 + 10 * i, np.uint8))
        for i in range(5):
            save(tmp_path / f"{phase}B" / f"b{i}.png", np.full((40, 48), 100 + 10 * i, np.uint8))
    return tmp_path


def values(item: dict) -> tuple[int, int]:
    return tuple(round(127.5 * item[side].mean().item() + 127.5) for side in "AB")


def test_every_epoch_shows_all_of_both_folders_in_new_pairs(folders, flags):
    dataset = UnalignedDataset(flags(dataroot=folders), "train", train=True)
    assert len(dataset) == 5
    epochs = [[values(dataset[i, epoch]) for i in range(5)] for epoch in range(1, 30)]
    for epoch in epochs:
        assert {a for a, _ in epoch} == {10, 20, 30}
        assert sorted(b for _, b in epoch) == [100, 110, 120, 130, 140]
    assert len({pair for epoch in epochs for pair in epoch}) == 15, "sooner or later everyone meets"
    again = UnalignedDataset(flags(dataroot=folders), "train", train=True)
    assert [values(again[i, 7]) for i in range(5)] == epochs[6], "the deal depends on seed and epoch alone"


def test_paths_name_the_two_files_of_a_pair(folders, flags):
    item = UnalignedDataset(flags(dataroot=folders), "train", train=True)[1, 3]
    assert item["A_paths"].endswith("trainA/a1.png")
    assert "trainB/b" in item["B_paths"]


def test_serial_batches_pair_in_order(folders, flags):
    dataset = UnalignedDataset(flags(dataroot=folders, serial_batches=True), "train", train=True)
    assert [values(dataset[i, 1]) for i in range(5)] == [(10, 100), (20, 110), (30, 120), (10, 130), (20, 140)]


def test_direction_b_to_a_swaps_the_folders(folders, flags):
    dataset = UnalignedDataset(flags(dataroot=folders, direction="BtoA", serial_batches=True), "train", train=True)
    assert values(dataset[1, 1]) == (110, 20)
    tested = UnalignedDataset(flags(dataroot=folders, direction="BtoA"), "test", train=False)
    assert tested.ids == [f"b{i}" for i in range(5)]
    assert tested.image(0)[0, 0, 0] == 100


def test_classes_are_those_of_the_target(folders, flags, save):
    """A has photos, B labels. With --direction BtoA, B is the input, and the photos are not read as labels."""
    for i in range(5):
        save(folders / "trainB" / f"b{i}.png", np.full((40, 48), 255 * (i % 2), np.uint8))
    forward = UnalignedDataset(flags(dataroot=folders, classes="lungs"), "train", train=True)
    assert set(forward[0]["B"].unique().tolist()) <= {-1.0, 1.0}
    back = UnalignedDataset(flags(dataroot=folders, classes="lungs", direction="BtoA"), "train", train=True)
    assert values(back[1])[0] == 255
    assert values(back[1])[1] in (10, 20, 30)


def test_testing_reads_a_in_order_and_has_nothing_to_score(folders, flags):
    dataset = UnalignedDataset(flags(dataroot=folders), "test", train=False)
    assert len(dataset) == 3
    assert dataset.ids == ["a0", "a1", "a2"]
    assert not dataset.has_targets
    assert dataset.truth(0) is None
    assert values(dataset[2]) == (30, 120)
    assert dataset[2]["size"].tolist() == [48, 40]


def test_files_with_one_name_in_both_folders_are_different_pictures(tmp_path, flags, save):
    for side, value in (("A", 10), ("B", 200)):
        save(tmp_path / f"train{side}" / "001.png", np.full((48, 48), value, np.uint8))
    assert values(UnalignedDataset(flags(dataroot=tmp_path), "train", train=True)[0, 1]) == (10, 200)


def test_views_of_a_and_b_are_drawn_independently(tmp_path, flags, save):
    """A and B hold the same picture, but get different crops and flips."""
    picture = np.arange(48 * 48, dtype=np.uint16).reshape(48, 48) % 251
    for side in "AB":
        save(tmp_path / f"train{side}" / "x.png", picture.astype(np.uint8))
    dataset = UnalignedDataset(flags(dataroot=tmp_path, preprocess="crop"), "train", train=True)
    same = [torch.equal(dataset[0, epoch]["A"], dataset[0, epoch]["B"]) for epoch in range(1, 11)]
    assert not any(same)


def test_a_batch_cannot_hold_targets_of_several_sizes(folders, flags, save):
    save(folders / "trainB" / "b9.png", np.zeros((64, 64), np.uint8))
    loader = create_dataset(
        flags(dataroot=folders, dataset_mode="unaligned", preprocess="none", batch_size=3, cache_gb=1),
        "train",
        train=True,
    )

    def some_epochs():
        for epoch in range(5):
            loader.set_position(epoch)
            list(loader)

    with pytest.raises(UserError, match="one batch cannot hold .*--batch_size 1"):
        some_epochs()


def test_missing_folders_are_named(folders, flags):
    with pytest.raises(NoSuchPhase, match="no folder 'valA'; .* <phase>A and <phase>B; there is testA, testB, trainA"):
        UnalignedDataset(flags(dataroot=folders), "val", train=False)
    for path in (folders / "trainB").iterdir():
        path.unlink()
    with pytest.raises(NoSuchPhase, match="trainB: no images in this folder"):
        UnalignedDataset(flags(dataroot=folders), "train", train=True)


def test_unpaired_masks_come_from_other_patients(lungs, flags):
    """Each patient has two images. In no epoch does a patient give both an image and a mask."""
    opt = flags(dataroot=lungs, unpaired=True, patient_regex="p([0-4]|[5-9])", split_seed=1)
    dataset = MasksDataset(opt, "all", train=True)
    assert len(dataset) == 5
    assert not any(sample.targets for sample in dataset.samples)
    met = [(item["A_paths"], item["B_paths"]) for epoch in range(20) for item in (dataset[i, epoch] for i in range(5))]
    images, masks = ({path.rsplit("/", 1)[1] for path in side} for side in zip(*met, strict=True))
    assert len(images) == len(masks) == 5
    assert not images & masks
    assert len(set(met)) > 15, "an image meets many masks"


def test_unpaired_needs_two_patients(lungs, flags):
    with pytest.raises(UserError, match="only one"):
        MasksDataset(flags(dataroot=lungs, unpaired=True, patient_regex="(p)"), "all", train=True)


def test_unpaired_changes_training_data_and_not_validation(lungs, flags):
    dataset = MasksDataset(flags(dataroot=lungs, unpaired=True), "all", train=False)
    assert len(dataset) == 10
    assert dataset.has_targets
    assert all(dataset[i]["A_paths"].replace("images", "masks") == dataset[i]["B_paths"] for i in range(10))


def test_unpaired_real_lungs_are_never_paired_with_their_own_mask(real_data, flags):
    dataset = MasksDataset(flags(dataroot=real_data / "lungs", unpaired=True), "train", train=True)
    assert len(dataset) == 246
    images = {sample.patient for sample in dataset.samples}
    assert not images & {sample.patient for sample in dataset._lenders}
    assert len(images) == 246


def test_real_horses_and_zebras_are_read(real_data, flags):
    dataset = UnalignedDataset(flags(dataroot=real_data / "horse2zebra"), "train", train=True)
    assert len(dataset) == 60
    assert dataset[0, 1]["A"].shape == (3, 32, 32)


def test_pages_of_a_label_file_are_its_parts_here_too(folders, flags):
    left, right = np.zeros((40, 48), np.uint8), np.zeros((40, 48), np.uint8)
    left[5:9, 5:9] = right[5:9, 30:34] = 255
    for path in (folders / "trainB").iterdir():
        path.unlink()
    write_tiff(folders / "trainB" / "b.tif", left, right)
    options = flags(dataroot=folders, classes="lungs", load_size=48, crop_size=48, preprocess="none", no_flip=True)
    target = UnalignedDataset(options, "train", train=True)[0, 1]["B"]
    assert (target > 0).sum() == 3 * 32
