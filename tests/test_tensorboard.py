"""train.py --tensorboard: what TensorBoard reads of a run."""

import subprocess
import sys
from collections import Counter

import pytest

from options import train as train_options
from tests.helpers import ROOT, words
from util.errors import UserError
from util.run.log import read_losses, read_metrics
from util.show.training.events import Events

FLAGS = words(
    "--model pix2pix --dataset_mode phantom --phantom_count 6 --netG unet_64 --ngf 4 --ndf 4 --load_size 72 "
    "--crop_size 64 --gpu_ids -1 --num_threads 0 --display_id 0 --no_html --print_freq 3 --n_epochs_decay 1"
)


@pytest.fixture
def read():
    """Reads a run's events as TensorBoard does: read(folder) returns its accumulator."""
    accumulator = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")

    def call(folder):
        read = accumulator.EventAccumulator(str(folder / "tensorboard"))
        read.Reload()
        return read

    return call


def scalars(read, tag):
    return {event.step: event.value for event in read.Scalars(tag)}


def test_a_resumed_run_appends_its_events_without_duplicates(run, read):
    folder = run(*FLAGS, "--n_epochs", "1", "--tensorboard")
    run("--continue_train", "--n_epochs", "2")
    events, tags = read(folder), read(folder).Tags()["scalars"]
    for tag in tags:
        assert max(Counter(event.step for event in events.Scalars(tag)).values()) == 1, tag
    rows = read_metrics(folder / "metrics.csv")
    for tag, column in (("val/dice", "val_dice"), ("train/dice", "train_dice"), ("val/G_L1", "val_G_L1")):
        assert scalars(events, tag) == pytest.approx({6 * row["epoch"]: row[column] for row in rows}, rel=1e-4)
    assert list(scalars(events, "discriminator/acc_D_real")) == [6, 12, 18]
    losses = {6 * (row["epoch"] - 1) + row["iters"]: row["G_L1"] for row in read_losses(folder / "loss_log.txt")}
    assert scalars(events, "loss/G_L1") == pytest.approx(losses, rel=1e-3)
    assert not any("loss/acc" in tag for tag in tags), "of one image they say little"
    assert list(scalars(events, "lr/G").values()) == pytest.approx([0.0002, 0.0001, 0.0001], rel=0.01)
    assert len([tag for tag in read(folder).Tags()["images"] if tag.startswith("cases/")]) == 6


def test_what_a_killed_start_wrote_beyond_the_last_save_is_replaced(tmp_path, read):
    for start, value in ((0, 1.0), (200, 2.0)):
        events = Events(tmp_path, start)
        for images in range(start + 100, 500, 100):
            events.losses(images, {"G_L1": value})
        events.close()
    assert scalars(read(tmp_path), "loss/G_L1") == {100: 1.0, 200: 1.0, 300: 2.0, 400: 2.0}


def test_a_missing_package_is_said_before_anything_is_read(monkeypatch):
    monkeypatch.setattr(train_options, "find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"--tensorboard: it needs the extra tensorboard: pip install"):
        train_options.parse([*FLAGS, "--n_epochs", "1", "--tensorboard"])


def test_without_the_flag_nothing_of_tensorboard_is_imported():
    code = "import util.show.report, sys; print([name for name in sys.modules if 'tensorboard' in name])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
