"""Commands that messages print to be copied: a shell reads odd names and paths back as they are."""

import argparse
import re
import shlex

import pytest

import options.train
from data.read.splits import Row, fold_numbers
from options.complete.all_folds import begin, planned
from util.commands import named, where
from util.errors import UserError
from util.folds.record import Record, members
from util.score.threshold import kept_threshold

ODD = "odd run ü"


def in_message(message: str, program: str) -> list[str]:
    """The words of the command in a message, from the program on, as a shell reads them."""
    found = re.search(rf"python ({re.escape(program)}[^;()]*)", message)
    assert found, message
    return shlex.split(found[1])


@pytest.fixture
def odd(tmp_path):
    folder = tmp_path / "all runs"
    (folder / ODD).mkdir(parents=True)
    return folder


def test_only_another_folder_of_runs_is_named_and_odd_words_are_quoted():
    assert named("lungs", "checkpoints") == named("lungs", "./checkpoints/") == "--name lungs"
    assert named(ODD, "all runs") == "--name 'odd run ü' --checkpoints_dir 'all runs'"
    assert where("./checkpoints") == ""


def test_commands_that_go_on_or_test_a_run_find_it(odd):
    opt = argparse.Namespace(name=ODD, checkpoints_dir=str(odd))
    run = ["--name", ODD, "--checkpoints_dir", str(odd)]
    assert in_message(options.train.resume_command(opt), "train.py") == ["train.py", *run, "--continue_train"]
    assert in_message(options.train.test_command(opt, True), "test.py") == ["test.py", *run, "--epoch", "best"]


def test_commands_about_a_cross_validation_find_it(odd):
    run = ["--name", ODD, "--checkpoints_dir", str(odd)]
    record = Record.of([0, 1], {"a.png": "0", "b.png": "1"})
    record.write(odd / ODD)
    with pytest.raises(UserError) as error:
        members(odd, ODD)
    assert in_message(str(error.value), "train.py") == ["train.py", *run, "--continue_train"]

    record.trained = [0, 1]
    record.write(odd / ODD)
    for fold in record.folds:
        (odd / ODD / f"fold_{fold}").mkdir()
        (odd / ODD / f"fold_{fold}" / "latest_net_G.pth").touch()
    with pytest.raises(UserError) as error:
        begin(options.train.parse([*run, "--dataset_mode", "phantom"]), record)
    assert in_message(str(error.value), "test.py")[:7] == ["test.py", *run, "--phase", "out_of_fold"]


def test_commands_that_divide_a_folder_find_it(tmp_path):
    root = tmp_path / "my lungs"
    (root / "images").mkdir(parents=True)
    prepare = ["-m", "data.prepare", "masks", str(root), "--folds", "5", "writes"]
    with pytest.raises(UserError) as error:
        planned(argparse.Namespace(dataroot=str(root), source=""))
    assert in_message(str(error.value), "-m data.prepare")[:7] == prepare
    with pytest.raises(UserError) as error:
        fold_numbers([Row(root / "a.png")], root / "splits.csv")
    assert in_message(str(error.value), "-m data.prepare")[:7] == prepare[:6] + ["writes"]


def test_the_command_that_chooses_a_threshold_names_its_run(tmp_path):
    with pytest.raises(UserError) as error:
        kept_threshold(tmp_path, {"weights": "", "how": {"epoch": "best"}}, named(ODD, tmp_path), "data")
    run = ["--name", ODD, "--checkpoints_dir", str(tmp_path)]
    assert in_message(str(error.value), "test.py")[:5] == ["test.py", *run]
