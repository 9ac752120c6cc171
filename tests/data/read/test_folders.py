"""The folder that --dataroot names, and the images in it."""

import numpy as np
import pytest

from data.read.folders import NoSuchPhase, existing_folder, images_of
from util.errors import UserError

GREY = np.zeros((4, 4), np.uint8)


def test_dataroot_must_be_an_existing_folder(tmp_path):
    assert existing_folder(str(tmp_path)) == tmp_path
    with pytest.raises(UserError, match="--dataroot is missing"):
        existing_folder("")
    with pytest.raises(UserError, match="gone: no such folder"):
        existing_folder(str(tmp_path / "gone"))
    with pytest.raises(UserError, match="no such folder; `python -m data.download facades` fetches it, or says how"):
        existing_folder(str(tmp_path / "datasets" / "facades"))
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="file: a file, not a folder"):
        existing_folder(str(tmp_path / "file"))


def test_images_come_with_their_ids_in_sorted_order(tmp_path, save):
    paths = [save(tmp_path / "train" / name, GREY) for name in ("b.png", "sub/a.png")]
    assert images_of(tmp_path, "train", "") == [("b", paths[0]), ("a", paths[1])]


def test_a_missing_phase_lists_the_folders_and_the_expected_layout(tmp_path):
    with pytest.raises(NoSuchPhase, match="no folder 'val'; --dataset_mode x wants y; there is no folder at all"):
        images_of(tmp_path, "val", "x wants y")
    for name in ("train", "test", ".hidden"):
        (tmp_path / name).mkdir()
    with pytest.raises(NoSuchPhase, match="no folder 'val'; --dataset_mode x wants y; there is test, train$"):
        images_of(tmp_path, "val", "x wants y")
    with pytest.raises(NoSuchPhase, match="train: no images in this folder or below it"):
        images_of(tmp_path, "train", "x wants y")
