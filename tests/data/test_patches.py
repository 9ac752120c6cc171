"""Training on patches: small views of large images, at the same place in image and mask."""

import numpy as np
import pytest

from data import create_dataset
from data.read.images import read_image
from data.transforms import to_network


@pytest.fixture
def spots(tmp_path, save):
    """Six images of 60 x 50 pixels that are their own masks: two have a spot of two pixels, two a bar, two nothing."""
    for i in range(6):
        mask = np.zeros((60, 50), np.uint8)
        if i < 2:
            mask[50 - i, 3:5] = 255
        elif i < 4:
            mask[10 : 20 + i] = 255
        save(tmp_path / "images" / f"p{i}.png", mask)
        save(tmp_path / "masks" / f"p{i}.png", mask)
    return tmp_path


def options(flags, spots, **changes):
    return flags(**{"dataroot": str(spots), "preprocess": "none", "patch": 16, "input_nc": 1, "output_nc": 1} | changes)


@pytest.mark.parametrize("cache_gb", [1.0, 0.0])
def test_image_and_mask_show_the_same_patch(flags, spots, cache_gb):
    loader = create_dataset(options(flags, spots, batch_size=6, cache_gb=cache_gb, num_threads=1), "all", train=True)
    for epoch in range(1, 6):
        loader.set_position(epoch)
        (batch,) = loader
        assert batch["A"].shape == (6, 1, 16, 16)
        assert np.array_equal(batch["A"], batch["B"])


def test_patches_show_small_findings_in_half_of_the_draws(flags, spots):
    """A patch from a random place would show the spot of two pixels only once in 14 times."""
    loader = create_dataset(options(flags, spots), "all", train=True)
    shown = np.zeros(6)
    for epoch in range(1, 101):
        for index in range(6):
            shown[index] += (loader.dataset[index, epoch]["B"] > 0).any()
    assert (shown[:2] >= 45).all()
    assert (shown[:2] <= 65).all()
    assert not shown[4:].any()


def test_a_patch_depends_on_seed_epoch_and_index_alone(flags, spots):
    one, other = (create_dataset(options(flags, spots, cache_gb=gb), "all", train=True).dataset for gb in (1.0, 0.0))
    assert np.array_equal(one[2, 7]["A"], other[2, 7]["A"])
    assert any(not np.array_equal(one[2, 7]["A"], one[2, epoch]["A"]) for epoch in range(8, 12))


def test_evaluation_reads_whole_images_not_patches(flags, spots):
    item = create_dataset(options(flags, spots), "all", train=False).dataset[2]
    assert np.array_equal(item["A"], to_network(read_image(spots / "images" / "p2.png"), 1))


def test_unpaired_images_and_masks_are_cut_into_patches(flags, spots):
    opt = options(flags, spots, unpaired=True, batch_size=6)
    (batch,) = create_dataset(opt, "all", train=True)
    assert batch["A"].shape == batch["B"].shape
