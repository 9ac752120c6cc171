"""Augmentation on the batch: the target follows the image, its values stay what they are."""

import pytest
import torch

from data.augment import Augment
from util.errors import UserError

CPU = torch.device("cpu")


def squares(n: int = 8) -> dict:
    """Bright squares on black, and their masks: the image is its own mask."""
    target = torch.full((n, 3, 64, 64), -1.0)
    target[:, :, 20:44, 16:40] = 1.0
    return {"A": target * 0.8, "B": target, "A_paths": ["x"] * n}


def test_none_is_the_same_batch():
    batch = squares()
    assert Augment("none", CPU)(batch) is batch


def test_target_follows_the_image():
    torch.manual_seed(0)
    batch = Augment("strong", CPU)(squares())
    image, target = batch["A"].mean(1), batch["B"][:, 0] > 0
    for one, mask in zip(image, target, strict=True):  # thresholding the image halfway gives the mask but for its rim
        found = one > (one.max() + one.min()) / 2
        assert (found != mask).float().mean() < 0.02
    assert len({mask.sum().item() for mask in target}) > 4  # each image has a pose of its own
    assert batch["A_paths"] == ["x"] * 8


def test_values_stay_in_range_and_targets_stay_classes():
    torch.manual_seed(1)
    batch = Augment("strong", CPU)(squares())
    assert set(batch["B"].unique().tolist()) == {-1.0, 1.0}
    assert batch["A"].min() >= -1 and batch["A"].max() <= 1


def test_draws_come_from_the_global_generator():
    augment, seen = Augment("strong", CPU), []
    for seed in (3, 3, 4):
        torch.manual_seed(seed)
        seen.append(augment(squares())["A"])
    assert torch.equal(seen[0], seen[1])
    assert not torch.equal(seen[0], seen[2])


def test_images_and_targets_of_two_sizes_are_refused():
    """As data without pairs can have them."""
    batch = squares(1) | {"B": torch.zeros(1, 3, 64, 32), "A_paths": ["a.png"], "B_paths": ["b.png"]}
    with pytest.raises(UserError, match="a.png and b.png are loaded at different sizes; .* resize_and_crop"):
        Augment("strong", CPU)(batch)


@pytest.mark.parametrize("name", ["none", "strong"])
def test_grey_stays_grey(name):
    batch = Augment(name, CPU)(squares())
    assert torch.equal(batch["A"][:, 0], batch["A"][:, 2])
