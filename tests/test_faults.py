"""Faults of the machine: one clear line, the last save whole, and a resume that ends like an undisturbed run."""

import errno
import os
import re
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import data.cache
from data.read import images
from models.pix2pix import Pix2PixModel
from tests import kills
from tests.helpers import ROOT, python, words
from tests.test_kills import OFTEN, TINY, unix
from util.errors import UserError
from util.faults import one_line
from util.run.checkpoint import load_tensors
from util.run.together import save_together

FAULTS = ("ENOSPC", "EDQUOT", "EIO", "EROFS", "EMFILE")


def fail_from(monkeypatch, step: int, number: int) -> None:
    """Let every write onto the disk (open for writing, fsync, new folder) fail from number `step` on."""
    taken = [0]

    def failing(do, counts):
        def act(*args, **more):
            taken[0] += counts(args, more)
            if counts(args, more) and taken[0] >= step:
                raise OSError(number, os.strerror(number), args[0] if isinstance(args[0], str | Path) else None)
            return do(*args, **more)

        return act

    def writes(args, more):
        mode = more.get("mode", args[1] if len(args) > 1 else "r")
        return ".pth" in str(args[0]) and any(letter in mode for letter in "wax+")

    monkeypatch.setattr("io.open", failing(open, writes))
    monkeypatch.setattr("os.fsync", failing(os.fsync, lambda args, more: True))
    monkeypatch.setattr("os.mkdir", failing(os.mkdir, lambda args, more: True))


def test_a_disk_that_fails_in_the_second_epoch_costs_no_more_than_that_epoch(run, monkeypatch, tmp_path):
    run(*TINY, *OFTEN, name="whole")
    for name in FAULTS:
        number, steps = getattr(errno, name), []

        def step_and_fail(self, batch, number=number, steps=steps, real=Pix2PixModel.train_step):
            steps.append(1)
            if len(steps) == 3:
                fail_from(monkeypatch, 3, number)
            return real(self, batch)

        monkeypatch.setattr(Pix2PixModel, "train_step", step_and_fail)
        with pytest.raises(UserError, match=rf"not written: {os.strerror(number)}; .*unchanged") as error:
            run(*TINY, *OFTEN, name=name)
        assert str(tmp_path / name) in str(error.value)
        monkeypatch.undo()
        run("--continue_train", name=name)
        kills.check(tmp_path / name, kills.result(tmp_path / "whole"), name)


def test_a_deleted_folder_ends_the_training_and_is_not_made_again(run, monkeypatch, tmp_path):
    real_step = Pix2PixModel.train_step

    def step_and_delete(self, batch):
        shutil.rmtree(tmp_path / "run", ignore_errors=True)
        return real_step(self, batch)

    monkeypatch.setattr(Pix2PixModel, "train_step", step_and_delete)
    with pytest.raises(UserError, match="run: was deleted or moved during the training"):
        run(*TINY, "--print_freq", "1000")
    assert not list(tmp_path.rglob("*.pth"))


@pytest.mark.parametrize("number", [errno.EIO, errno.EMFILE])
def test_an_image_that_cannot_be_read_now_is_not_skipped_as_damaged(tmp_path, monkeypatch, number):
    def failing(*args):
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(images, "decode", failing)
    cache = data.cache.Cache(images.read_image, 1, 1, skip_bad=True)
    with pytest.raises(OSError, match=r"x.png") as error:
        cache.fill([tmp_path / "x.png"], "reading")
    assert one_line(error.value).startswith(f"{tmp_path / 'x.png'}: {os.strerror(number)}; ")


@pytest.mark.parametrize(
    "error",
    [
        MemoryError(),
        RuntimeError("[enforce fail at alloc_cpu.cpp:124] DefaultCPUAllocator: can't allocate memory: you tried"),
        RuntimeError("could not create a primitive"),
        RuntimeError("std::bad_alloc"),
        ImportError("libtorch_cpu.so: failed to map segment from shared object"),
    ],
)
def test_lack_of_memory_is_said_as_such(error):
    assert one_line(error).startswith("out of memory: take a smaller")
    assert not one_line(RuntimeError("mat1 and mat2 shapes cannot be multiplied"))


WORKERS = words("--n_epochs 999 --print_freq 2 --num_threads 2 --cache_gb 0 --name run")


def training(tmp_path: Path, *flags: str) -> subprocess.Popen:
    """A training in processes of its own, which has begun its second epoch."""
    command = [sys.executable, "train.py", "--checkpoints_dir", str(tmp_path), *TINY, *WORKERS, *flags]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    started = subprocess.Popen(command, cwd=ROOT, start_new_session=True, text=True, **pipes)
    assert started.stdout
    assert any(line.startswith("(epoch: 2") for line in started.stdout)
    return started


@unix
@pytest.mark.slow
def test_a_worker_that_is_killed_ends_the_training_in_one_line(tmp_path):
    with training(tmp_path) as started:
        listed = subprocess.run(["/bin/ps", "-A", "-o", "pid=,ppid="], capture_output=True, text=True, check=True)
        workers = [pid for pid, parent in map(str.split, listed.stdout.splitlines()) if int(parent) == started.pid]
        os.kill(int(workers[0]), signal.SIGKILL)
        _, errors = started.communicate(timeout=60)
    assert started.returncode == 2
    # Another worker may complain after that, whose connection to the main process ended.
    assert re.match(r"error: a process that reads images was killed.*--num_threads.*\n", errors)
    done = python("train.py", "--checkpoints_dir", tmp_path, *words("--name run --continue_train --n_epochs 1"))
    assert done.returncode == 0, done.stderr


TORCHRUN = words("-m torch.distributed.run --standalone --nproc_per_node 2")
# Runs train.py, and in process 1 a command at the third step.
DISTURBED = """
import os, signal, sys
import train
from models.pix2pix import Pix2PixModel
from models.supervised import SupervisedModel
from util.errors import UserError, run_script

steps, disturbance = [], sys.argv.pop(1)
for kind in (Pix2PixModel, SupervisedModel):
    def step(self, batch, real=kind.train_step):
        steps.append(1)
        if len(steps) == 5 and os.environ["RANK"] == "1":
            exec(disturbance)
        return real(self, batch)
    kind.train_step = step
run_script(train.main)
"""
TWO = [*TINY, *words("--phantom_count 5 --batch_size 1 --n_epochs 3 --print_freq 2 --ema 0.9")]


def disturbed(tmp_path: Path, disturbance: str, *flags: str) -> subprocess.CompletedProcess:
    """A training of two processes, in the second of which `disturbance` runs in the second epoch."""
    (tmp_path / "disturbed.py").write_text(DISTURBED)
    return python(*TORCHRUN, tmp_path / "disturbed.py", disturbance, *TWO, "--checkpoints_dir", tmp_path, *flags)


@unix
@pytest.mark.slow
@pytest.mark.parametrize("end", ["os.kill(os.getpid(), signal.SIGKILL)", "raise UserError('no luck')"])
def test_a_process_that_dies_ends_the_others_with_a_line(tmp_path, end):
    done = disturbed(tmp_path, end, "--name", "run", "--save_latest_freq", "2")
    assert done.returncode == 1
    ours = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    gone = r"error: process 0: another process of this training ended or cannot be reached \(.*continue_train"
    assert any(re.match(gone, line) for line in ours) or "closing signal SIGTERM" in done.stderr
    assert "util/distributed.py" not in done.stderr  # no traceback of ours
    assert torch.load(tmp_path / "run" / "latest_train_state.pth")["progress"]["iters"] == 8


@unix
@pytest.mark.slow
@pytest.mark.parametrize("flags", ["--model pix2pix --netD spectral --gan_mode hinge", "--model supervised"])
def test_two_processes_that_are_interrupted_and_resumed_equal_undisturbed_ones(tmp_path, flags):
    """To the bit, also in an epoch of 5 images, which two processes cannot divide."""
    done = python(*TORCHRUN, "train.py", *TWO, *words(flags), "--checkpoints_dir", tmp_path, "--name", "whole")
    assert done.returncode == 0, done.stderr[-2000:]
    done = disturbed(tmp_path, "os.kill(os.getpid(), signal.SIGTERM)", *words(flags), "--name", "parts")
    assert "stopped and saved" in done.stdout, done.stderr[-2000:]
    done = python(*TORCHRUN, "train.py", "--checkpoints_dir", tmp_path, "--name", "parts", "--continue_train")
    assert done.returncode == 0, done.stderr[-2000:]
    kills.check(tmp_path / "parts", kills.result(tmp_path / "whole"), "never")


def test_memory_that_runs_out_in_a_save_leaves_the_files_of_the_last_one(tmp_path, monkeypatch):
    """torch loses the MemoryError and raises another one."""

    def fails(contents, file):
        raise RuntimeError("[enforce fail at inline_container.cc:672] . unexpected pos 32163392 vs 32163288")

    save_together({tmp_path / "a.pth": 1, tmp_path / "b.pth": 1})
    monkeypatch.setattr(torch, "save", fails)
    with pytest.raises(MemoryError):
        save_together({tmp_path / "a.pth": 2, tmp_path / "b.pth": 2})
    assert [torch.load(tmp_path / name) for name in ("a.pth", "b.pth")] == [1, 1]
    assert sorted(os.listdir(tmp_path)) == ["a.pth", "b.pth"]


def test_a_checkpoint_that_cannot_be_read_now_is_not_called_damaged(tmp_path, monkeypatch):
    def failing(*args, **more):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    torch.save({"a": torch.zeros(1)}, tmp_path / "x.pth")
    monkeypatch.setattr(torch, "load", failing)
    with pytest.raises(OSError, match=r"x\.pth") as error:
        load_tensors(tmp_path / "x.pth")
    assert one_line(error.value).startswith(f"{tmp_path / 'x.pth'}: {os.strerror(errno.EIO)}; the disk")
