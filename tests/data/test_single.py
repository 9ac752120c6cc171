"""--dataset_mode single: images without targets."""

import numpy as np
import pytest

from data.single import SingleDataset
from util.errors import UserError


def test_every_image_in_or_below_the_folder_is_read(tmp_path, flags, save):
    save(tmp_path / "x.png", np.zeros((10, 20), np.uint8))
    save(tmp_path / "sub" / "x.jpg", np.zeros((30, 20, 3), np.uint8))
    dataset = SingleDataset(flags(dataroot=tmp_path), "test", train=False)
    assert dataset.ids == ["sub_x", "x"]
    assert not dataset.has_targets
    item = dataset[1]
    assert "B" not in item
    assert item["A"].shape == (3, 32, 32)
    assert item["size"].tolist() == [10, 20]


def test_masks_beside_the_images_are_left_out(tmp_path, flags, save):
    for name in ("a.png", "a_mask.png", "masks/a.png", "b_mask.png"):
        save(tmp_path / name, np.zeros((8, 8), np.uint8))
    opt = flags(dataroot=tmp_path, dataset_mode="single")
    dataset = SingleDataset(opt, "test", train=False)
    assert [path.name for path in dataset.files] == ["a.png", "b_mask.png"]
    assert "2 files left out as masks" in dataset.notes[0]
    opt.dataroot = tmp_path / "masks"
    assert len(SingleDataset(opt, "test", train=False)) == 1, "a network may draw X-rays from masks"


def test_without_preprocessing_images_keep_their_size(tmp_path, flags, save):
    image = np.arange(17 * 21, dtype=np.uint16).reshape(17, 21)
    save(tmp_path / "x.png", image)
    dataset = SingleDataset(flags(dataroot=tmp_path, preprocess="none", input_nc=1), "test", train=False)
    assert np.allclose(dataset[0]["A"][0] * 32767.5 + 32767.5, image, atol=0.01)
    assert dataset.image(0).shape == (17, 21, 3)
    assert dataset.image(0).max() == 1


def test_an_empty_folder_is_an_error_and_training_is_refused(tmp_path, flags):
    with pytest.raises(UserError, match="no images in this folder"):
        SingleDataset(flags(dataroot=tmp_path), "test", train=False)
    with pytest.raises(UserError, match="no targets to train on"):
        SingleDataset(flags(dataroot=tmp_path), "train", train=True)


def test_the_images_are_the_input_in_every_recorded_direction(tmp_path, flags, save):
    save(tmp_path / "x.png", np.full((20, 20), 255, np.uint8))
    item = SingleDataset(flags(dataroot=tmp_path, direction="BtoA", input_nc=1), "test", train=False)[0]
    assert item["A"].shape == (1, 32, 32)
    assert item["A"].min() == 1


def test_a_run_from_labels_to_photos_has_no_classes(tmp_path, flags, save):
    """Otherwise test.py would write masks of photos. With --direction AtoB the classes stay."""
    save(tmp_path / "x.png", np.zeros((20, 20, 3), np.uint8))
    classes = [
        SingleDataset(flags(dataroot=tmp_path, direction=way, classes="facades"), "test", train=False).classes
        for way in ("AtoB", "BtoA")
    ]
    assert len(classes[0]) == 12
    assert classes[1] is None
