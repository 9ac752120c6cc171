"""The cache decodes each sample once, within a budget of memory."""

import gc
import pickle

import pytest

import data.read.images
from data import create_dataset
from data.cache import GB, Cache
from data.masks import MasksDataset
from data.transforms import to_network
from util.errors import UserError


class Item:
    def __init__(self, name: int, size: int = 100, bad: bool = False) -> None:
        self.id, self.nbytes, self.bad = str(name), size, bad


class Reader:
    """Decodes an item to itself and records its calls."""

    def __init__(self) -> None:
        self.calls: list[str] = []

    def __call__(self, item: Item) -> Item:
        self.calls.append(item.id)
        if item.bad:
            raise UserError(f"{item.id}.png: bad")
        return item


@pytest.fixture(autouse=True)
def no_other_caches():
    gc.collect()
    assert Cache.used == 0, "a data set of an earlier test is still held"


def test_samples_in_memory_are_not_decoded_again():
    read, items = Reader(), [Item(i) for i in range(30)]
    cache = Cache(read, 1, threads=3, skip_bad=False)
    assert cache.fill(items, "test") == {}
    assert cache.complete
    assert [cache.get(i) for i in items] == items
    assert sorted(read.calls, key=int) == [i.id for i in items]


def test_the_budget_is_kept_and_the_rest_is_decoded_on_demand():
    read, items = Reader(), [Item(i) for i in range(30)]
    cache = Cache(read, 1050 / GB, threads=1, skip_bad=False)
    cache.fill(items, "test")
    assert not cache.complete
    assert Cache.used == 1000
    assert len(read.calls) < 30, "once the budget is used up nothing more is decoded up front"
    read.calls.clear()
    assert cache.get(items[9]) is items[9]
    assert not read.calls
    assert cache.get(items[10]) is items[10]
    assert read.calls == ["10"]


def test_all_caches_share_the_budget_and_give_it_back():
    first = Cache(Reader(), 1000 / GB, 1, False)
    first.fill([Item(i) for i in range(7)], "test")
    second = Cache(Reader(), 1000 / GB, 1, False)
    second.fill([Item(i) for i in range(7)], "test")
    assert first.complete
    assert not second.complete
    assert Cache.used == 1000
    del first
    gc.collect()
    assert Cache.used == 300


def test_all_bad_files_are_reported_together_and_a_common_fault_is_said_once():
    def faulty(sample: int):
        raise UserError(f"{sample}.png: bad {sample}")

    items = [Item(i, bad=i in (3, 7)) for i in range(10)]
    with pytest.raises(UserError, match=r"2 bad files: 3.png, 7.png: bad \(--skip_bad_files leaves them out"):
        Cache(Reader(), 1, 2, skip_bad=False).fill(items, "test")
    with pytest.raises(UserError, match=r"7 bad files: 0.png: bad 0; .*; 4.png: bad 4 and 2 more \(--skip"):
        Cache(faulty, 1, 2, skip_bad=False).fill(range(7), "test")
    with pytest.raises(UserError, match=r"12 bad files: 0.png, 1.png, .* and 7 more: bad \(--skip"):
        Cache(Reader(), 1, 2, skip_bad=False).fill([Item(i, bad=True) for i in range(12)], "test")


def test_skipping_bad_files_checks_those_beyond_the_budget_too():
    items = [Item(i, bad=i == 25) for i in range(30)]
    assert Cache(Reader(), 1050 / GB, 2, skip_bad=True).fill(items, "test") == {25: "25.png: bad"}


def test_a_copy_for_a_worker_carries_no_pictures():
    cache = Cache(str, 1, 1, False)
    cache._held["x"] = b"p" * 10**6
    assert len(pickle.dumps(cache)) < 1000


def test_an_epoch_after_the_first_decodes_nothing(lungs, flags, monkeypatch):
    """Neither batches nor the ground truth open a file again."""
    opt = flags(dataroot=str(lungs), batch_size=3, crop_size=32)
    loaders = [create_dataset(opt, "all", train=True), create_dataset(opt, "all", train=False)]
    monkeypatch.setattr(data.read.images.Image, "open", lambda *a, **k: pytest.fail("a file was opened"))
    for loader in loaders:
        assert loader.batches.num_workers == 0
        for epoch in range(2):
            loader.set_position(epoch)
            assert sum(len(batch["A"]) for batch in loader) == 10
    assert loaders[1].dataset.truth(3).shape == (48, 40)


def test_images_beyond_the_budget_give_the_same_items(lungs, flags):
    held = MasksDataset(flags(dataroot=str(lungs)), "all", train=True)
    read = MasksDataset(flags(dataroot=str(lungs), cache_gb=0.0), "all", train=True)
    assert held.cached
    assert not read.cached
    for side in "AB":
        assert all((held[i, 5][side] == read[i, 5][side]).all() for i in range(10))
    assert (held.truth(4) == read.truth(4)).all()


def test_grey_is_kept_as_one_channel_of_one_byte(lungs, flags):
    dataset = MasksDataset(flags(dataroot=str(lungs), load_size=32), "all", train=False)
    assert Cache.used == 10 * (32 * 32 * 2 + 48 * 40)  # image, mask, mask at its original size
    assert to_network(dataset._decoded(0).image, 3).shape == (3, 32, 32)


def test_a_mask_that_keeps_its_size_is_kept_once(lungs, flags):
    dataset = MasksDataset(flags(dataroot=str(lungs), preprocess="none"), "all", train=False)
    assert Cache.used == 10 * 48 * 40 * 2
    assert len(dataset) == 10
