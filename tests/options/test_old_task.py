"""The tasks that a donor has learnt, by what its runs recorded."""

import argparse
from pathlib import Path

import pytest

from models.rivals import FILE
from options.complete.old_task import OldTask, old_tasks, to_measure
from options.train import TRAIN
from util.errors import UserError
from util.files import write_json

FACADES = {"dataset_mode": "phantom", "phantom": "facades", "classes": "facades"}


def record(checkpoints: Path, name: str, adapt: str = "finetune", pretrained: str = "", **options):
    """A run that has recorded nothing but its options; with --adapt ewc also what it keeps of its old tasks."""
    (checkpoints / name).mkdir(parents=True)
    write_json(checkpoints / name / "options.json", {"adapt": adapt, "pretrained": pretrained, **options})
    if adapt == "ewc":
        (checkpoints / name / FILE).touch()


def new_run(checkpoints: Path, pretrained: str, **flags) -> argparse.Namespace:
    flags |= {"pretrained": pretrained, "checkpoints_dir": str(checkpoints)}
    return argparse.Namespace(**TRAIN.default_values("pix2pix", "phantom") | flags)


def names(tasks: list[OldTask]) -> list[str]:
    return [task.name for task in tasks]


@pytest.fixture
def runs(tmp_path) -> Path:
    """lungs, which fine-tuned donor, and left, which fine-tuned lungs."""
    record(tmp_path, "donor", **FACADES, load_size=999)
    record(tmp_path, "lungs", pretrained="donor", dataset_mode="masks", dataroot="X", train_images=7)
    record(tmp_path, "left", pretrained="lungs", dataset_mode="aligned", dataroot="Y", direction="BtoA")
    return tmp_path


def test_a_sequence_is_followed_back_to_the_first_donor(runs):
    opt = new_run(runs, "left", load_size=80)
    tasks = old_tasks(opt)
    assert names(tasks) == ["donor", "lungs", "left"]
    donor, lungs, left = (task.options(opt) for task in tasks)
    assert (donor.dataset_mode, donor.phantom, donor.load_size) == ("phantom", "facades", 80)
    assert (lungs.dataset_mode, lungs.dataroot, lungs.train_images, lungs.direction) == ("masks", "X", 7, "AtoB")
    assert (left.dataset_mode, left.dataroot, left.direction) == ("aligned", "Y", "BtoA")


def test_each_task_has_the_images_that_its_run_was_limited_to_and_is_mirrored_only_if_its_run_was(tmp_path):
    record(tmp_path, "donor", **FACADES, no_flip=False, max_dataset_size=50)
    record(tmp_path, "sides", pretrained="donor", dataset_mode="masks", dataroot="X", no_flip=True)
    opt = new_run(tmp_path, "sides", max_dataset_size=3)
    donor, sides = (task.options(opt) for task in old_tasks(opt))
    assert (donor.no_flip, donor.max_dataset_size) == (False, 50)
    assert (sides.no_flip, sides.max_dataset_size) == (True, float("inf"))


def test_flags_of_the_old_task_name_the_images_of_the_first_donor(runs):
    opt = new_run(runs, "left", old_data="F", old_mode="aligned")
    assert [task.options(opt).dataroot for task in old_tasks(opt)] == ["F", "X", "Y"]


def test_the_folder_that_the_donor_recorded_keeps_its_split_when_it_is_named_again(tmp_path):
    """Another draw of the splits would rehearse images that test the donor."""
    record(tmp_path, "donor", dataset_mode="masks", dataroot="F", split_seed=3, source="montgomery")
    (again,) = old_tasks(new_run(tmp_path, "donor", old_data="F/../F"))
    assert (again.options(new_run(tmp_path, "donor")).split_seed, again.recorded["source"]) == (3, "montgomery")
    (other,) = old_tasks(new_run(tmp_path, "donor", old_data="G", old_mode="masks"))
    assert other.options(new_run(tmp_path, "donor")).split_seed == 0


def test_what_an_earlier_run_was_told_about_the_first_donor_need_not_be_told_again(tmp_path):
    record(tmp_path, "lungs", pretrained="downloaded", old_data="F", old_mode="aligned", dataset_mode="masks")
    record(tmp_path, "left", pretrained="lungs", dataset_mode="masks", dataroot="Y")
    opt = new_run(tmp_path, "left")
    assert names(old_tasks(opt)) == ["downloaded", "lungs", "left"]
    assert old_tasks(opt)[0].options(opt).dataroot == "F"


def test_a_donor_that_records_no_images_must_be_told_by_flags(tmp_path):
    record(tmp_path, "lungs", pretrained="downloaded", dataset_mode="masks", dataroot="X")
    opt = new_run(tmp_path, "lungs")
    with pytest.raises(UserError, match="--pretrained lungs: downloaded does not record which images .*--old_data"):
        old_tasks(opt)[0].options(opt)


@pytest.mark.parametrize("adapt", ["scratch", "masks"])
def test_a_run_that_knows_its_own_task_alone_is_the_first(runs, adapt):
    """A control had no donor. Plain weights of a task that was learnt beside a frozen donor know nothing of that donor,
    and lie in a folder of their own or in that of the run."""
    record(runs, "alone", adapt, pretrained="left", dataset_mode="masks")
    record(runs, "after", pretrained="alone", dataset_mode="masks")
    assert names(old_tasks(new_run(runs, "after"))) == ["alone", "after"]


def test_ewc_measures_only_the_tasks_that_no_earlier_run_has_measured(runs):
    tasks = old_tasks(new_run(runs, "left"))
    assert to_measure(tasks) == tasks
    record(runs, "held", "ewc", pretrained="left", dataset_mode="masks")
    record(runs, "more", "lwf", pretrained="held", dataset_mode="masks")
    tasks = old_tasks(new_run(runs, "more"))
    assert names(tasks) == ["donor", "lungs", "left", "held", "more"]
    measured = to_measure(tasks)
    assert names(measured) == ["held", "more"], "the run held has measured the tasks before its own"
    assert measured[0].kept == runs / "held" / FILE
    (runs / "held" / FILE).unlink()
    assert len(to_measure(old_tasks(new_run(runs, "more")))) == 5


def test_runs_in_another_folder_are_looked_for_beside_each_other(runs, tmp_path):
    assert names(old_tasks(new_run(tmp_path / "elsewhere", str(runs / "left"))))[:2] == ["donor", "lungs"]
    opt = new_run(tmp_path / "elsewhere", str(runs / "left" / "best_net_G.pth"))
    (runs / "left" / "best_net_G.pth").touch()
    assert old_tasks(opt)[0].options(opt).phantom == "facades"


def test_a_run_that_was_trained_again_does_not_lead_in_circles(runs):
    write_json(runs / "donor" / "options.json", {"adapt": "finetune", "pretrained": "left", **FACADES})
    with pytest.raises(UserError, match="--pretrained left: the run left was trained again since donor started from"):
        old_tasks(new_run(runs, "left"))
