"""Stored examples of an old task beside the batches of a new one (--replay)."""

import argparse

import pytest

from data import create_dataset, create_rehearsal
from options.train import TRAIN
from util.errors import UserError


def options(**changes) -> argparse.Namespace:
    small = {"load_size": 18, "crop_size": 16, "phantom_count": 5, "num_threads": 0, "batch_size": 2}
    return argparse.Namespace(**TRAIN.default_values("pix2pix", "phantom") | small | changes)


def rehearsal(replay: str, **changes):
    new = options(replay=replay, **changes)
    old = options(phantom="facades", classes="facades", phantom_count=9, **changes)
    return create_rehearsal(new, create_dataset(new, "train", train=True), old)


def shown(batches, epoch: int, start: int = 0) -> list[tuple[list[str], list[str]]]:
    batches.set_position(epoch, start)
    return [(batch["A_paths"], batch["old"]["A_paths"]) for batch in batches]


def test_each_batch_brings_as_many_stored_examples():
    batches = rehearsal("3")
    assert (batches.images, len(batches.stored)) == (5, 3)
    for new, old in shown(batches, 1):
        assert len(new) == len(old)
        assert all(name.startswith("chests") for name in new)
        assert all(name.startswith("facades") for name in old)


def test_all_examples_come_equally_often_over_the_epochs():
    batches = rehearsal("all")
    names = [name for epoch in range(9) for _, old in shown(batches, epoch) for name in old]
    assert {names.count(name) for name in names} == {5}
    assert len({*names}) == 9


def test_the_draw_depends_on_the_seed_alone_and_more_examples_hold_the_fewer():
    few, more, other = (rehearsal(*which).stored.ids for which in (("2",), ("4",), ("all",)))
    assert few == rehearsal("2").stored.ids
    assert {*few} < {*more} < {*other}
    assert few != rehearsal("2", seed=1).stored.ids


def test_an_interrupted_epoch_goes_on_with_the_same_examples():
    assert shown(rehearsal("3"), 2, start=2) == shown(rehearsal("3"), 2)[1:]


def test_an_example_that_comes_twice_in_an_epoch_is_seen_in_another_view():
    batches = rehearsal("1", load_size=32)
    batches.set_position(1)
    views = [image for batch in batches for image in batch.get("old", {})["A"]]
    assert any(not view.equal(views[0]) for view in views[1:])


def test_the_burden_counts_image_and_labels_at_the_loaded_size():
    assert rehearsal("3").stored.nbytes == 3 * 18 * 18 * (3 + 1)


def test_more_examples_than_there_are_is_a_mistake():
    with pytest.raises(UserError, match="--replay 10: the old task has 9 training images; take --replay all"):
        rehearsal("10")


def test_twelve_classes_do_not_fit_into_one_channel():
    with pytest.raises(UserError, match="old task .*--output_nc 1: one channel can show two classes, not 12"):
        rehearsal("3", output_nc=1)


def test_changes_of_grey_values_must_suit_both_tasks():
    new = options(replay="3", augment="strong")
    old = options(phantom="facades", classes="facades", direction="BtoA", augment="strong")
    with pytest.raises(UserError, match="--augment strong: the classes of the old and of the new task are not"):
        create_rehearsal(new, create_dataset(new, "train", train=True), old)
