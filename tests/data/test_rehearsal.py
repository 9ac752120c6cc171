"""Stored examples of old tasks beside the batches of a new one (--replay)."""

import argparse

import pytest

from data import create_dataset, create_rehearsal
from options.train import TRAIN
from util.errors import UserError

FACADES = {"phantom": "facades", "classes": "facades", "phantom_count": 9}


def options(mode: str = "phantom", **changes) -> argparse.Namespace:
    small = {"load_size": 18, "crop_size": 16, "phantom_count": 5, "num_threads": 0, "batch_size": 2}
    return argparse.Namespace(**TRAIN.default_values("pix2pix", mode) | small | changes)


def rehearsal(replay: str, *, further=None, **changes):
    """further: other old tasks, after the facades."""
    new = options(replay=replay, **changes)
    old = {"donor": options(**FACADES, **changes)} | (further or {})
    return create_rehearsal(new, create_dataset(new, "train", train=True), old)


def shown(batches, epoch: int, start: int = 0) -> list[list[list[str]]]:
    """The images of each batch: those of the new task, and those of each old one."""
    batches.set_position(epoch, start)
    return [[one["A_paths"] for one in (batch, *batch["old"])] for batch in batches]


def test_each_batch_brings_as_many_stored_examples():
    batches = rehearsal("3")
    assert (batches.images, len(batches.stored["donor"])) == (5, 3)
    for new, old in shown(batches, 1):
        assert len(new) == len(old)
        assert all(name.startswith("chests") for name in new)
        assert all(name.startswith("facades") for name in old)


def test_of_several_old_tasks_each_brings_as_many_in_a_batch_of_its_own_and_so_comes_equally_often():
    further = {"findings": options(phantom="pneumothorax", phantom_count=7)}
    batches = rehearsal("3", further=further)
    assert {name: len(task) for name, task in batches.stored.items()} == {"donor": 3, "findings": 3}
    whole = shown(batches, 1)
    for new, facades, findings in whole:
        assert len(new) == len(facades) == len(findings)
        assert all(name.startswith("facades") for name in facades)
        assert all(name.startswith("pneumothorax") for name in findings)
    assert shown(rehearsal("3", further=further), 1, start=2) == whole[1:]
    assert len(batches.files) == 5 + 3 + 3


def test_all_examples_come_equally_often_over_the_epochs():
    batches = rehearsal("all")
    names = [name for epoch in range(9) for _, old in shown(batches, epoch) for name in old]
    assert {names.count(name) for name in names} == {5}
    assert len({*names}) == 9


def test_the_draw_depends_on_the_seed_alone_and_more_examples_hold_the_fewer():
    few, more, other = (rehearsal(*which).stored["donor"].ids for which in (("2",), ("4",), ("all",)))
    assert few == rehearsal("2").stored["donor"].ids
    assert {*few} < {*more} < {*other}
    assert few != rehearsal("2", seed=1).stored["donor"].ids


def test_examples_are_of_as_many_patients_as_possible(lungs):
    names = [f"p{i}" for i in range(10)]
    lines = [f"images/{name}.png,train,{'frequent' if i < 7 else name}" for i, name in enumerate(names)]
    (lungs / "splits.csv").write_text("\n".join(["image,split,patient", *lines]) + "\n")
    for seed in range(5):
        task = {"lungs": options("masks", dataroot=str(lungs), seed=seed)}
        stored = rehearsal("4", further=task).stored["lungs"]
        assert {*stored.patients} == {"frequent", "p7", "p8", "p9"}


def test_examples_are_of_the_images_that_the_old_run_was_limited_to():
    whole = rehearsal("all").stored["donor"].ids
    limited = {"limited": options(**FACADES, max_dataset_size=4)}
    assert rehearsal("all", further=limited).stored["limited"].ids == whole[:4]
    assert {*rehearsal("3", further=limited).stored["limited"].ids} < {*whole[:4]}


def test_an_interrupted_epoch_goes_on_with_the_same_examples():
    assert shown(rehearsal("3"), 2, start=2) == shown(rehearsal("3"), 2)[1:]


def test_an_example_that_comes_twice_in_an_epoch_is_seen_in_another_view():
    batches = rehearsal("1", load_size=32)
    batches.set_position(1)
    views = [image for batch in batches for old in batch.get("old", []) for image in old["A"]]
    assert any(not view.equal(views[0]) for view in views[1:])


def test_the_burden_counts_image_and_labels_at_the_loaded_size():
    assert rehearsal("3").stored["donor"].nbytes == 3 * 18 * 18 * (3 + 1)
    assert rehearsal("3", cache_gb=0).stored["donor"].nbytes == 3 * 18 * 18 * (3 + 1), "nothing is in memory"


def test_more_examples_than_there_are_is_a_mistake():
    with pytest.raises(UserError, match="--replay 10: the old task donor has 9 training images; take --replay all"):
        rehearsal("10")


def test_twelve_classes_do_not_fit_into_one_channel():
    with pytest.raises(UserError, match="old task donor .*--output_nc 1: one channel can show two classes, not 12"):
        rehearsal("3", output_nc=1)


def test_changes_of_grey_values_must_suit_all_tasks():
    new = options(replay="3", augment="strong")
    old = {"donor": options(**FACADES, direction="BtoA", augment="strong")}
    with pytest.raises(UserError, match="--augment strong: the classes of the old task donor and of the new one are"):
        create_rehearsal(new, create_dataset(new, "train", train=True), old)
