"""The comparison of speeds: its orders, its figures, and its one-line errors."""

import subprocess
import sys

import pytest

from benchmarks.against_upstream.cases import check_losses, in_turns, only_older, write_pairs
from benchmarks.against_upstream.process import Pace, Process
from benchmarks.runs import ROOT
from util.errors import UserError

TINY = "--model pix2pix --netG unet_64 --ngf 4 --ndf 4 --load_size 64 --crop_size 64 --batch_size 1"


@pytest.fixture
def start(tmp_path):
    """Starts one of our own trainings on two drawn pairs."""
    write_pairs(tmp_path / "data" / "train", 2, 64)
    started = []

    def begin(flags: str = "") -> Process:
        common = f"{TINY} --dataset_mode aligned --dataroot {tmp_path / 'data'} --name run --num_threads 0 --gpu_ids -1"
        log = tmp_path / f"{len(started)}.log"
        started.append(Process("ours", ROOT, f"{common} {flags}".split(), log, threads=1))
        return started[-1]

    yield begin
    for process in started:
        process.end()


def test_speed_ups_are_ratios_of_medians():
    slow, fast = Pace([2.0, 4.0, 9.0], [2.0, 2.0, 2.0], 300), Pace([1.0, 2.0, 3.0], [1.0, 1.0, 1.0], 1200)
    assert fast.words(slow) == ["2,000", "2.00 (2.00)", "1,200"]


def test_two_trainings_take_turns_and_have_the_same_losses_from_the_same_weights(start, tmp_path):
    sides = {"upstream": start("--seed 1"), "ours": start("--seed 2")}
    assert check_losses(sides["ours"], sides["upstream"], tmp_path, 64, batch_size=1) == 0
    paces = in_turns(sides, rounds=2, order="steps 3")
    assert [len(pace.seconds) for pace in paces.values()] == [6, 6]
    assert all(0 < seconds < 60 for pace in paces.values() for seconds in pace.seconds)
    assert all(pace.memory > 50 for pace in paces.values())


def test_other_losses_are_an_error(start, tmp_path):
    with pytest.raises(UserError, match="the losses differ"):
        check_losses(start("--lambda_L1 50"), start(), tmp_path, 64, batch_size=1)


def test_a_training_that_fails_says_why(start):
    with pytest.raises(UserError, match="ours ended: .*no_such_flag"):
        start("--no_such_flag").ask("peak")


def test_flags_that_upstream_lost_are_given_only_to_older_checkouts(tmp_path):
    (tmp_path / "options").mkdir()
    options = tmp_path / "options" / "base_options.py"
    options.write_text("parser.add_argument('--gpu_ids')")
    assert only_older(tmp_path) == ("--gpu_ids -1", "--display_id 0")
    options.write_text("")
    assert only_older(tmp_path) == ("", "")


def test_a_folder_that_is_no_checkout_is_refused():
    command = [sys.executable, "-m", "benchmarks.against_upstream", "--upstream", "docs"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "not a checkout of pytorch-CycleGAN-and-pix2pix" in done.stderr
