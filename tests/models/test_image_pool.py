"""The pool of earlier fakes."""

import pytest
import torch

from models.image_pool import ImagePool


def numbered(*numbers: int) -> torch.Tensor:
    return torch.tensor(numbers, dtype=torch.float32).view(-1, 1, 1, 1)


def test_a_pool_of_size_0_returns_its_input():
    images = numbered(1, 2)
    assert ImagePool(0).query(images) is images


def test_while_the_pool_fills_up_images_are_returned_unchanged():
    pool = ImagePool(3)
    assert pool.query(numbered(1, 2, 3)).flatten().tolist() == [1, 2, 3]


def test_a_full_pool_returns_an_older_image_half_of_the_time_and_each_only_once():
    pool = ImagePool(50)
    given = [pool.query(numbered(i)).item() for i in range(2000)]
    older = [value for i, value in enumerate(given) if i >= 50 and value != i]
    assert 0.45 < len(older) / 1950 < 0.55
    assert len(set(older)) == len(older), "the pool does not keep an image that it returned"
    assert all(value < i for i, value in enumerate(given) if value != i)


def test_a_loaded_pool_continues_where_it_was_saved(tmp_path):
    pool = ImagePool(5, seed=1)
    for i in range(20):
        pool.query(numbered(i))
    torch.save(pool.state_dict(), tmp_path / "pool.pth")
    again = ImagePool(5, seed=2)
    again.load_state_dict(torch.load(tmp_path / "pool.pth", weights_only=True))
    for i in range(20, 40):
        assert torch.equal(pool.query(numbered(i)), again.query(numbered(i)))


def test_a_loaded_pool_has_its_images_on_the_device_again():
    """The file holds them on the CPU; `meta` stands in for a GPU."""
    pool = ImagePool(1, device="meta")
    pool.load_state_dict({"images": [numbered(1)], "random": ImagePool(1).state_dict()["random"]})
    assert all(pool.query(numbered(i).to("meta")).is_meta for i in range(8))


def test_kept_images_do_not_change_with_the_callers_tensor():
    pool = ImagePool(1)
    image = numbered(1)
    pool.query(image)
    image.zero_()
    assert {pool.query(numbered(2)).item(), pool.query(numbered(2)).item(), pool.query(numbered(2)).item()} <= {1, 2}


def test_images_of_several_sizes_are_never_mixed_in_a_batch_and_resume():
    pool = ImagePool(3)
    for side in (4, 5, 6, 5, 4) * 8:
        batch = torch.rand(2, 3, side, side)
        assert pool.query(batch).shape == batch.shape
    again = ImagePool(3)
    again.load_state_dict(pool.state_dict())
    batch = torch.rand(2, 3, 5, 5)
    assert torch.equal(again.query(batch), pool.query(batch))
    state = pool.state_dict()
    state["images"][0] = torch.rand(1, 1, 4, 4)
    with pytest.raises(ValueError, match="of several kinds"):
        again.load_state_dict(state)
