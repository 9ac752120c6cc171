"""One name for the runs of all folds, and their training one after the other."""

import os
import signal
import subprocess
import sys
import time

import pytest

from tests.helpers import ROOT, read_json
from util.errors import UserError
from util.folds.record import Record, members, name_of, read_record, refuse_folds
from util.folds.training import train_folds
from util.run.aside import holds_run, set_aside


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "lungs").mkdir()
    return tmp_path / "lungs"


def record(folder, trained=()):
    new = Record.of([0, 1, 2], {f"images/{i}.png": str(i % 3) for i in range(6)})
    new.trained = [*trained]
    new.write(folder)
    return new


def test_a_name_stands_for_the_runs_of_all_folds_once_they_are_trained(folder):
    root = folder.parent
    assert members(root, "lungs") == ["lungs"], "a single run"
    record(folder, trained=[0, 2])
    with pytest.raises(
        UserError, match="lungs: 1 of the 3 folds .* --name lungs --checkpoints_dir .* --continue_train"
    ):
        members(root, "lungs")
    record(folder, trained=[0, 1, 2])
    runs = members(root, "lungs")
    assert runs == ["lungs/fold_0", "lungs/fold_1", "lungs/fold_2"]
    assert name_of(root, runs) == "lungs"
    assert name_of(root, runs[:2]) == "lungs_fold_0+lungs_fold_1"
    assert name_of(root, runs[:1]) == "lungs/fold_0"
    with pytest.raises(UserError, match="--within lungs: a cross-validation of 3 runs.*lungs/fold_0"):
        refuse_folds(root, "lungs", "--within lungs")


@pytest.mark.parametrize("text", ["{", "[]", '{"folds": [], "images": ""}', '{"folds": ["0"], "images": ""}'])
def test_a_damaged_record_is_named(folder, text):
    (folder / "folds.json").write_text(text)
    with pytest.raises(UserError, match="folds.json: damaged"):
        read_record(folder)
    runs = ["lungs/fold_0", "lungs/fold_1"]
    assert name_of(folder.parent, runs) == "lungs_fold_0+lungs_fold_1", "as the message says, they can be named"


PROGRAM = """
import pathlib, sys
run = pathlib.Path(sys.argv[1]); run.mkdir(exist_ok=True)
with (run.parent / "calls.txt").open("a") as file: print(run.name, *sys.argv[2:], file=file)
(run / "latest_net_G.pth").touch()
sys.exit(3 if (run.parent / f"fail_{run.name}").exists() else 0)
"""


def test_folds_are_trained_in_turn_and_a_failure_ends_it_until_the_next_start(folder):
    def command(fold):
        return ["-c", PROGRAM, str(folder / f"fold_{fold}")]

    (folder / "fail_fold_1").touch()
    assert train_folds(folder, record(folder), command) == 3
    assert read_json(folder / "folds.json")["trained"] == [0]
    (folder / "fail_fold_1").unlink()
    again = read_record(folder)
    assert again is not None
    assert train_folds(folder, again, command) == 0
    assert again.trained == [0, 1, 2]
    calls = (folder / "calls.txt").read_text().splitlines()
    assert calls == ["fold_0", "fold_1", "fold_1 --continue_train", "fold_2"]


PATIENT = """
import signal, sys, time, pathlib
def end(number, frame): pathlib.Path(sys.argv[1]).write_text(str(number)); time.sleep(0.5); sys.exit(128 + number)
for number in (signal.SIGINT, signal.SIGTERM): signal.signal(number, end)
print("ready", flush=True); time.sleep(60)
"""
WAITING = """
import signal, sys
from util.errors import run_script
from util.folds.training import run_process
signal.signal(signal.SIGINT, signal.default_int_handler)
run_script(lambda: run_process(["-c", sys.argv[1], sys.argv[2]]))
"""


@pytest.mark.skipif(os.name == "nt", reason="signals of Unix")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_goes_on_to_the_run_which_saves_before_all_ends(tmp_path, number):
    words = [sys.executable, "-c", WAITING, PATIENT, str(tmp_path / "note")]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        process.send_signal(number)
        started = time.monotonic()
        assert process.wait(30) == 128 + number
    assert time.monotonic() - started > 0.4, "it waited"
    assert (tmp_path / "note").read_text() == str(int(number))


def test_a_new_run_of_the_name_moves_the_runs_of_all_folds_aside(folder):
    record(folder, trained=[0])
    assert not holds_run(folder), "no fold has come to its first epoch"
    set_aside(folder)
    assert not (folder / "folds.json").exists()
    record(folder, trained=[0])
    (folder / "fold_0").mkdir()
    (folder / "fold_0" / "latest_net_G.pth").touch()
    assert holds_run(folder)
    set_aside(folder)
    assert {path.name for path in (folder / "before").iterdir()} == {"fold_0", "folds.json"}
    assert not holds_run(folder)
