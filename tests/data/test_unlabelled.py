"""--unlabelled: images without masks that take part in training."""

import shutil

import numpy as np
import pytest
import torch

from data import create_dataset, inputs_of
from data.augment import Augment
from data.masks import MasksDataset
from util.errors import UserError
from util.run.outlook import data_in_words


def unlabelled(dataset) -> set[str]:
    return {sample.image.stem for sample in dataset.unlabelled}


@pytest.fixture
def listed(lungs):
    """p0 to p5 train, p6 and p7 are val, p8 and p9 are test; even ones come from hospital x, odd ones from y."""
    splits = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    lines = [f"images/p{i}.png,masks/p{i}.png,{split},{'xy'[i % 2]}" for i, split in enumerate(splits)]
    (lungs / "splits.csv").write_text("\n".join(["image,mask,split,source", *lines]) + "\n")
    return lungs


def test_rest_is_every_image_of_the_phase_that_trains_without_a_mask(listed, flags):
    few = MasksDataset(flags(dataroot=listed, unlabelled="rest", train_images=2), "train", train=True)
    assert len(few) == 2
    assert unlabelled(few) == {f"p{i}" for i in range(6)} - {*few.ids}
    assert {path.stem for path in few.files} == {f"p{i}" for i in range(6)}
    one = MasksDataset(flags(dataroot=listed, unlabelled="rest", source="x"), "train", train=True)
    assert ({*one.ids}, unlabelled(one)) == ({"p0", "p2", "p4"}, {"p1", "p3", "p5"})
    assert not MasksDataset(flags(dataroot=listed, unlabelled="rest"), "val", train=False).unlabelled


def test_rest_lets_images_have_no_mask(lungs, flags):
    for i in range(9):
        (lungs / "masks" / f"p{i}.png").unlink()
    names = "\n".join(f"images/p{i}.png,train" for i in range(10))
    (lungs / "splits.csv").write_text(f"image,split\n{names}\n")
    dataset = MasksDataset(flags(dataroot=lungs, unlabelled="rest"), "train", train=True)
    assert (dataset.ids, len(unlabelled(dataset))) == (["p9"], 9)


def test_with_rest_images_that_are_scored_still_need_masks(listed, flags):
    (listed / "splits.csv").write_text((listed / "splits.csv").read_text().replace("masks/", "").replace("mask,", "x,"))
    (listed / "masks" / "p9.png").unlink()
    with pytest.raises(UserError, match=r"p9.png: no mask of this name"):
        MasksDataset(flags(dataroot=listed, unlabelled="rest"), "test", train=False)


def test_rest_is_what_max_dataset_size_leaves_too(listed, flags):
    few = MasksDataset(
        flags(dataroot=listed, unlabelled="rest", train_images=4, max_dataset_size=3), "train", train=True
    )
    assert (len(few), len(unlabelled(few))) == (3, 3)


def test_masks_in_the_folder_are_no_x_rays(listed, flags, save):
    folder = listed.parent / "other"
    for name in ("a.png", "a_mask.png", "CXR/b.png", "ManualMask/leftMask/b.png", "c_mask.png"):
        save(folder / name, np.full((20, 20), len(name), np.uint8))
    dataset = MasksDataset(flags(dataroot=listed, unlabelled=str(folder)), "train", train=True)
    assert unlabelled(dataset) == {"a", "b", "c_mask"}, "c_mask has no c beside it"
    assert "2 files left out as masks" in dataset.notes[0]
    for name in ("no_masks", "without-mask", "NoMask"):
        (folder / "CXR").rename(folder / name)
        assert len(unlabelled(MasksDataset(flags(dataroot=listed, unlabelled=str(folder / name)), "train", train=True)))
        (folder / name).rename(folder / "CXR")
    with pytest.raises(UserError, match="a folder of masks by its name"):
        MasksDataset(flags(dataroot=listed, unlabelled=str(listed / "masks")), "train", train=True)


def test_a_folder_with_phases_gives_its_training_images(listed, flags, save):
    for name in ("train/n0", "train/n1", "test/n2"):
        save(listed.parent / "other" / "images" / f"{name}.png", np.full((20, 20), ord(name[-1]), np.uint8))
    dataset = MasksDataset(flags(dataroot=listed, unlabelled=str(listed.parent / "other")), "train", train=True)
    assert unlabelled(dataset) == {"n0", "n1"}


def test_a_folder_of_damaged_files_is_named(listed, flags):
    (listed.parent / "bad").mkdir()
    (listed.parent / "bad" / "x.png").write_bytes(b"")
    opt = flags(dataroot=listed, unlabelled=str(listed.parent / "bad"), skip_bad_files=True)
    with pytest.raises(UserError, match=r"--unlabelled .*bad: no readable image is left; .*x.png"):
        MasksDataset(opt, "train", train=True)


def test_a_task_is_described_by_them_too(listed, flags):
    opt = flags(dataroot=listed, unlabelled="rest", train_images=2)
    assert len([*inputs_of(opt)]) == 6


def test_images_of_a_folder_that_validate_or_test_are_left_out(listed, flags, save):
    for i in range(3):
        save(listed.parent / "other" / "deep" / f"n{i}.png", np.zeros((20, 20), np.uint8))
    folder = MasksDataset(flags(dataroot=listed, unlabelled=str(listed.parent / "other")), "train", train=True)
    assert unlabelled(folder) == {"n0", "n1", "n2"}
    assert len(folder) == 6
    shutil.copytree(listed / "images", listed.parent / "copies")
    for own in (listed / "images", listed.parent / "copies"):
        few = flags(dataroot=listed, unlabelled=str(own), train_images=4)
        assert len(unlabelled(MasksDataset(few, "train", train=True))) == 2


def test_of_another_data_set_only_its_training_images_count(lungs, listed, flags, save):
    """Its own test images can then be used for a test of the run."""
    far = listed.parent / "far"
    for name in ("a", "b"):
        save(far / "images" / f"{name}.png", np.zeros((20, 20), np.uint8))
        save(far / "masks" / f"{name}.png", np.zeros((20, 20), np.uint8))
    assert unlabelled(MasksDataset(flags(dataroot=lungs, unlabelled=str(far)), "train", train=True)) == {"a", "b"}
    (far / "splits.csv").write_text("image,split\nimages/a.png,train\nimages/b.png,test\n")
    assert unlabelled(MasksDataset(flags(dataroot=lungs, unlabelled=str(far)), "train", train=True)) == {"a"}


def test_each_item_brings_another_image_and_every_epoch_an_order_of_its_own(listed, flags):
    options = flags(dataroot=listed, unlabelled="rest", train_images=2, batch_size=2, augment="none")
    loader = create_dataset(options, "train", train=True)
    assert "2 images of 2 patients to train on (and 4 without masks)" in data_in_words(loader.dataset, None)
    seen = []
    for epoch in range(1, 9):
        loader.set_position(epoch)
        (batch,) = loader
        assert batch["U"].shape == batch["A"].shape
        assert len({*batch["U_paths"]}) == 2
        seen.append(batch)
    assert len({path for batch in seen for path in batch["U_paths"]}) == 4
    loader.set_position(3)
    (again,) = loader
    assert torch.equal(again["U"], seen[2]["U"])


def test_grey_values_of_the_changed_images_differ_and_their_pose_does_not():
    torch.manual_seed(0)
    ramp = torch.linspace(-0.9, 0.9, 32).expand(2, 3, 32, 32).contiguous()
    batch = {"A": ramp, "B": torch.ones(2, 1, 32, 32), "U": ramp}
    for name in ("none", "strong"):
        out = Augment(name, torch.device("cpu"))(batch)
        assert torch.equal(out["U"], ramp) == (name == "none")
        assert not torch.allclose(out["U_changed"], out["U"], atol=0.02)
        steps, changed = out["U"].diff(dim=-1), out["U_changed"].diff(dim=-1)
        kept = changed.abs() > 1e-6  # elsewhere the change has clipped black or white
        assert torch.equal(steps.sign()[kept], changed.sign()[kept])


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"unlabelled": "nowhere"}, "--unlabelled nowhere: no such folder; give a folder of images, or `rest`"),
        ({"unlabelled": "rest"}, "holds no image that trains without a mask"),
        ({"unlabelled": "rest", "unpaired": True}, "not with --unpaired"),
        ({"unlabelled": "rest", "direction": "BtoA"}, "not with --direction BtoA"),
    ],
)
def test_mistakes_are_named(listed, flags, changes, message):
    with pytest.raises(UserError, match=message):
        MasksDataset(flags(dataroot=listed, **changes), "train", train=True)
