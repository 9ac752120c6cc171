"""A training that was killed goes on to the result of one that was not; saves and set-asides are whole."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from models.pix2pix import Pix2PixModel
from tests.helpers import ROOT, python, words
from util.errors import UserError
from util.locks import only_one
from util.run.aside import put_back, set_aside
from util.run.log import LossLog, read_losses
from util.run.together import check_files, finish_save, save_together

TINY = words(
    "--netG unet_64 --ngf 4 --ndf 4 --load_size 70 --crop_size 64 --gpu_ids -1 --display_id 0 --no_html "
    "--num_threads 0 --dataset_mode phantom --phantom_count 4 --batch_size 2 --n_epochs 2 --n_epochs_decay 0"
)
OFTEN = words("--save_latest_freq 3 --save_epoch_freq 2 --print_freq 2")
unix = pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot copy a process")


class Killed(BaseException):
    """Stands for the end of the process."""


def kill_at(monkeypatch, step: int) -> None:
    """Raise Killed before step number `step` on the disk, and at every later one: a dead process cleans nothing up."""
    taken = [0]

    def dying(do):
        def act(*args, **more):
            taken[0] += 1
            if taken[0] > step:
                raise Killed
            return do(*args, **more)

        return act

    for name in ("replace", "rename", "unlink", "rmdir", "mkdir"):
        monkeypatch.setattr(os, name, dying(getattr(os, name)))


def contents(folder: Path) -> dict[str, bytes]:
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_save_that_is_killed_at_any_step_is_wholly_old_or_wholly_new(tmp_path, monkeypatch):
    seen = set()
    for step in range(30):
        folder = tmp_path / str(step)
        for number in (1, 2):
            with monkeypatch.context() as patch:
                try:
                    if number == 2:
                        kill_at(patch, step)
                    save_together(
                        {folder / "a.pth": number, folder / "b.pth": number}, {folder / "c.pth": {"n": number}}
                    )
                except Killed:
                    pass
        finish_save(folder)
        state = torch.load(folder / "c.pth", weights_only=True)
        numbers = {torch.load(folder / "a.pth"), torch.load(folder / "b.pth"), state["n"]}
        assert len(numbers) == 1, step
        check_files(folder / "c.pth", state)
        assert sorted(contents(folder)) == ["a.pth", "b.pth", "c.pth"]
        seen |= numbers
    assert seen == {1, 2}


def test_a_file_of_another_save_is_named(tmp_path):
    save_together({tmp_path / "a.pth": 1, tmp_path / "b.pth": 1}, {tmp_path / "c.pth": {}})
    state = torch.load(tmp_path / "c.pth", weights_only=True)
    save_together({tmp_path / "b.pth": 2})
    with pytest.raises(UserError, match=r"b.pth: was saved at another time than c.pth.*delete c.pth"):
        check_files(tmp_path / "c.pth", state)
    (tmp_path / "a.pth").unlink()
    with pytest.raises(UserError, match=r"a.pth: is missing beside c.pth"):
        check_files(tmp_path / "c.pth", state)


def test_networks_of_another_save_than_the_train_state_are_refused(run, tmp_path):
    folder = run(*TINY, *OFTEN)
    good = (folder / "latest_net_G.pth").read_bytes()
    other = torch.load(folder / "latest_net_G.pth", weights_only=True)
    torch.save({key: value + 1 for key, value in other.items()}, folder / "latest_net_G.pth")
    with pytest.raises(UserError, match=r"latest_net_G.pth: was saved at another time than latest_train_state.pth"):
        run("--continue_train", "--n_epochs", "3")
    (folder / "latest_net_G.pth").write_bytes(good)
    (folder / "latest_net_D.pth").unlink()
    with pytest.raises(UserError, match=r"latest_net_D.pth: is missing beside latest_train_state.pth"):
        run("--continue_train", "--n_epochs", "3")


NAMES = ("latest_net_G.pth", "best_net_G.pth", "metrics.csv", "loss_log.txt", "web/images/1.png", "latest.onnx")
OLD = {name: name.encode() for name in NAMES}


@pytest.mark.parametrize("then", ["new run", "continue"])
def test_setting_an_old_run_aside_loses_nothing_wherever_it_is_killed(tmp_path, monkeypatch, then):
    finished = False
    for step in range(14):
        folder = tmp_path / str(step)
        (folder / "web" / "images").mkdir(parents=True)
        for name, text in (OLD | {"options.json": b"{}"}).items():
            (folder / name).write_bytes(text)
        finished = True
        with monkeypatch.context() as patch:
            try:
                kill_at(patch, step)
                set_aside(folder)
            except Killed:
                finished = False
        if then == "new run" or finished:
            set_aside(folder)
            assert contents(folder / "before") == OLD | {"options.json": b"{}"}, step
        else:
            put_back(folder)
            assert contents(folder) == OLD | {"options.json": b"{}"}, step
    assert finished


def test_every_old_run_is_kept(run, tmp_path):
    for epochs in ("1", "2", "1"):
        folder = run(*TINY, "--n_epochs", epochs, "--overwrite")
    recorded = [json.loads((folder / name / "options.json").read_text())["n_epochs"] for name in ("before", "before_2")]
    assert recorded == [1, 2]
    assert len((folder / "before_2" / "metrics.csv").read_text().splitlines()) == 3
    run("--continue_train", "--n_epochs", "3", name="run/before_2")


def test_a_torn_last_line_of_the_log_does_not_spoil_the_next_one(tmp_path):
    path = tmp_path / "loss_log.txt"
    path.write_text("(epoch: 1, iters: 2, time: 0.1, data: 0.0) G: 0.5 \n(epoch: 1, iters: 4, ti")
    LossLog(tmp_path, epochs=1)
    assert [row["iters"] for row in read_losses(path)] == [2]
    assert path.read_text().splitlines()[1].startswith("======")


def test_a_second_training_of_the_same_name_is_refused_before_it_touches_anything(run, tmp_path):
    folder = run(*TINY)
    before = contents(folder)
    with only_one(folder, ""):
        for flags in ([*TINY, "--overwrite"], ["--continue_train", "--n_epochs", "3"]):
            with pytest.raises(UserError, match=r"run: another training writes there now; .* another --name"):
                run(*flags)
    assert contents(folder) == before
    run("--continue_train", "--n_epochs", "3")


@unix
def test_a_process_that_died_holds_no_lock(tmp_path):
    reading, writing = os.pipe()
    if not (child := os.fork()):
        with only_one(tmp_path, "refused"):
            os.write(writing, b"x")
            signal.pause()
    os.read(reading, 1)
    with pytest.raises(UserError, match="refused"), only_one(tmp_path, "refused"):
        pass
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    with only_one(tmp_path, "refused"):
        pass


@pytest.mark.parametrize("name", ["SIGHUP", "SIGUSR1"])
def test_a_closed_terminal_and_slurms_warning_save_and_leave(run, monkeypatch, tmp_path, name):
    if not (number := getattr(signal, name, None)):
        pytest.skip("this system has no such signal")
    real_step, steps = Pix2PixModel.train_step, []

    def step_and_signal(self, batch):
        steps.append(1)
        if len(steps) == 3:
            os.kill(os.getpid(), number)
            os.kill(os.getpid(), number)  # a terminal often sends two
            os.kill(os.getpid(), signal.SIGTERM)  # and Slurm this one, at the time limit
        return real_step(self, batch)

    run(*TINY, name="whole")
    monkeypatch.setattr(Pix2PixModel, "train_step", step_and_signal)
    run(*TINY, name="parts", code=128 + number)
    monkeypatch.undo()
    assert len(steps) == 3
    run("--continue_train", name="parts")
    whole, parts = (torch.load(tmp_path / name / "latest_net_G.pth") for name in ("whole", "parts"))
    assert all(torch.equal(whole[key], parts[key]) for key in whole)
    assert (tmp_path / "whole" / "metrics.csv").read_text() == (tmp_path / "parts" / "metrics.csv").read_text()


@unix
@pytest.mark.slow
@pytest.mark.skipif(not hasattr(signal, "sigwaitinfo"), reason="workers cannot tell who sent SIGTERM")
@pytest.mark.parametrize("name", ["SIGUSR1", "SIGHUP", "SIGTERM"])
def test_a_signal_to_all_processes_of_a_training_saves_it_too(tmp_path, name):
    """A closed terminal, Slurm's warning and scancel reach the workers that read images as well."""
    flags = [*TINY, *words("--n_epochs 999 --print_freq 2 --num_threads 2 --cache_gb 0 --name run")]
    command = [sys.executable, "train.py", "--checkpoints_dir", str(tmp_path), *flags]
    with subprocess.Popen(command, cwd=ROOT, start_new_session=True, stdout=subprocess.PIPE, text=True) as training:
        assert training.stdout
        assert any(line.startswith("(epoch: 2") for line in training.stdout)
        os.killpg(training.pid, getattr(signal, name))
        assert "stopped and saved; to go on" in training.stdout.read()
    assert training.returncode == 128 + getattr(signal, name)


@unix
@pytest.mark.slow
@pytest.mark.parametrize(
    ("how", "flags"),
    [
        ("every", "--ema 0.9"),
        ("every", "--model cycle_gan --netG resnet_6blocks --load_size 36 --crop_size 32 --pool_size 3"),
        ("every", "--model supervised"),
        ("every", "--pretrained donor --adapt masks"),
        ("random:50", "--ema 0.9"),
    ],
)
def test_a_run_that_is_killed_anywhere_ends_like_one_that_is_not(run, tmp_path, how, flags):
    """Killed before every rename, deletion and new folder, or at 50 random instants: weights, optimizers, random state,
    metrics.csv and loss_log.txt are the same to the bit."""
    if "donor" in flags:
        run(*TINY, name="donor")
    done = python("-m", "tests.kills", how, tmp_path, *TINY, *OFTEN, *words(flags))
    assert done.returncode == 0, done.stdout[-1000:] + done.stderr[-3000:]
    assert int(done.stdout.splitlines()[-1].split()[0]) >= 50
