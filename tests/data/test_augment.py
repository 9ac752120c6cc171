"""Augmentation of a batch: the target follows the image, and its classes keep their values."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data import create_dataset
from data.augment import SETS, Augment
from util.errors import UserError

CPU = torch.device("cpu")
MOVING = ["paper003", "paper004", "strong"]


def squares(n: int = 8) -> dict:
    """Bright squares on black, and their masks: the image is its own mask."""
    target = torch.full((n, 3, 64, 64), -1.0)
    target[:, :, 20:44, 16:40] = 1.0
    return {"A": target * 0.8, "B": target, "A_paths": ["x"] * n}


def label_pictures(seed: int, n: int = 2, size: int = 32) -> torch.Tensor:
    """[n, 3, size, size]: blocks in twelve random colours."""
    random = torch.Generator().manual_seed(seed)
    colours = torch.rand(12, 3, generator=random) * 2 - 1
    blocks = torch.randint(12, (n, size // 4, size // 4), generator=random)
    return colours[blocks.repeat_interleave(4, 1).repeat_interleave(4, 2)].permute(0, 3, 1, 2)


@pytest.mark.parametrize("name", ["none", "flip"])
def test_augment_none_and_flip_return_the_batch_unchanged(name):
    """The loader has flipped the images already."""
    batch = squares()
    assert Augment(name, CPU)(batch) is batch


@pytest.mark.parametrize("name", MOVING)
def test_the_target_moves_with_the_image(name):
    torch.manual_seed(0)
    batch = Augment(name, CPU)(squares())
    image, target = batch["A"].mean(1), batch["B"][:, 0] > 0
    for one, mask in zip(image, target, strict=True):  # the image, thresholded halfway, is the mask except for its rim
        bright = one > (one.max() + one.min()) / 2
        assert (bright != mask).float().mean() < 0.02
    assert len({mask.sum().item() for mask in target}) > 4  # each image has a pose of its own
    assert batch["A_paths"] == ["x"] * 8


@given(st.sampled_from(MOVING), st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_image_and_target_that_are_equal_stay_equal_and_keep_their_colours(name, seed):
    torch.manual_seed(seed)
    labels = label_pictures(seed)
    batch = Augment(name, CPU, labels="AB")({"A": labels, "B": labels})
    assert torch.equal(batch["A"], batch["B"])
    assert not torch.equal(batch["A"], labels)
    for one, before in zip(batch["B"], labels, strict=True):
        assert set(map(tuple, one.flatten(1).T.tolist())) <= set(map(tuple, before.flatten(1).T.tolist()))


@given(st.integers(0, 10**6))
@settings(max_examples=30, deadline=None)
def test_a_picture_and_its_mask_are_not_shifted_by_half_a_pixel(seed):
    """If a pixel of the bilinear picture has a pure colour, all pixels it is mixed from have it. The mask's nearest
    pixel is one of these."""
    torch.manual_seed(seed)
    mask = (label_pictures(seed)[:, :1] > 0) * 2.0 - 1
    batch = Augment("paper003", CPU)({"A": mask, "B": mask})
    pure = batch["A"].abs() > 1 - 1e-6
    assert pure.float().mean() > 0.3
    assert torch.equal(batch["A"][pure].sign(), batch["B"][pure])


@pytest.mark.parametrize("name", MOVING)
def test_augmented_values_stay_in_range_and_targets_stay_classes(name):
    torch.manual_seed(1)
    batch = Augment(name, CPU)(squares())
    assert set(batch["B"].unique().tolist()) == {-1.0, 1.0}
    assert batch["A"].min() >= -1
    assert batch["A"].max() <= 1


def test_a_target_that_is_a_photo_is_moved_bilinearly():
    torch.manual_seed(0)
    ramp = torch.linspace(-1, 1, 64).expand(4, 3, 64, 64)
    smooth, stepped = (Augment("strong", CPU, labels)({"A": ramp, "B": ramp})["B"] for labels in ("", "B"))
    assert len(stepped.unique()) == 64
    assert len(smooth.unique()) > 640


def test_label_pictures_that_are_the_input_keep_their_colours():
    """With --direction BtoA, the target is a photo, and its exposure does not change."""
    torch.manual_seed(0)
    labels, photo = label_pictures(0), torch.full((2, 3, 32, 32), 0.3)
    batch = Augment("strong", CPU, labels="A")({"A": labels, "B": photo})
    assert set(batch["A"].unique().tolist()) <= set(labels.unique().tolist())
    assert torch.allclose(batch["B"], photo)


@pytest.mark.parametrize(("changes", "sides"), [({}, "B"), ({"direction": "BtoA"}, "A")])
def test_a_data_set_knows_which_side_shows_classes(lungs, flags, changes, sides):
    assert create_dataset(flags(dataroot=str(lungs), **changes), "train", train=True).dataset.labels == sides


def test_a_side_shows_labels_only_with_classes(tmp_path, flags, save, lungs):
    for side, folder in zip("AB", ("images", "masks"), strict=True):
        (lungs / folder).rename(tmp_path / f"train{side}")
    opt = flags(dataroot=str(tmp_path), dataset_mode="unaligned")
    assert create_dataset(opt, "train", train=True).dataset.labels == ""
    opt.classes = "lungs"
    assert create_dataset(opt, "train", train=True).dataset.labels == "B"


@pytest.mark.parametrize("name", MOVING)
def test_draws_come_from_the_global_generator(name):
    augment, seen = Augment(name, CPU), []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        seen.append(augment(squares())["A"])
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_images_and_targets_of_two_sizes_are_refused():
    """Data without pairs can have them."""
    batch = squares(1) | {"B": torch.zeros(1, 3, 64, 32), "A_paths": ["a.png"], "B_paths": ["b.png"]}
    with pytest.raises(UserError, match="a.png and b.png are loaded at different sizes; .* resize_and_crop"):
        Augment("strong", CPU)(batch)


@pytest.mark.parametrize("name", SETS)
def test_augmented_grey_stays_grey(name):
    batch = Augment(name, CPU)(squares())
    assert torch.equal(batch["A"][:, 0], batch["A"][:, 2])
