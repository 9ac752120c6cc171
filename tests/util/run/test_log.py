"""loss_log.txt in the format that scripts written for pytorch-CycleGAN-and-pix2pix read, and metrics.csv."""

import re

import pytest
import torch

from util.errors import UserError
from util.run.log import TRAIN, VAL, LossLog, due, read_losses, read_metrics, train_and_val

# A line that upstream's visdom-era version wrote.
UPSTREAM = "(epoch: 1, iters: 5, time: 1.394, data: 0.011) G_GAN: 0.914 G_L1: 41.061 D_real: 0.914 D_fake: 0.780 "


def train(log, epochs, images=4, batch=2, first=1):
    """Stand-in for train.py's loop: G_L1 is the number of the step within the epoch."""
    printed = []
    for epoch in epochs:
        for i, count in enumerate(log.batches(epoch, [batch] * (images // batch), images)):
            printed.append(log.step({"G_L1": torch.tensor(float(i + first)), "D_real": torch.tensor(0.5)}, count))
        log.end_epoch(epoch, {"val_dice": epoch / 10})
    return printed


def shape(line):
    """A line with its numbers blanked out."""
    return re.sub(r"\d+\.\d{3}", "#.###", re.sub(r"(?<=: )\d+(?=,)", "#", line))


def test_line_has_upstreams_format(tmp_path):
    log = LossLog(tmp_path, epochs=1, print_freq=5)
    for count in log.batches(1, [5], images=5):
        log.step({"G_GAN": 0.914, "G_L1": 41.061, "D_real": 0.914, "D_fake": 0.780}, count)
    header, line = (tmp_path / "loss_log.txt").read_text().splitlines()
    assert header.startswith("================ Training Loss (")
    assert header.endswith(") ================")
    assert shape(line) == shape(UPSTREAM)
    assert line.endswith(UPSTREAM[UPSTREAM.index(")") :])


def test_prints_when_the_frequency_was_passed_not_only_when_it_divides(tmp_path):
    log = LossLog(tmp_path, epochs=2, print_freq=3)
    printed = train(log, [1, 2])  # totals 2, 4, 6, 8: 3 is passed at 4, 6 is reached at 6
    assert [p is not None for p in printed] == [False, True, True, False]
    assert printed[1] == {"G_L1": 2.0, "D_real": 0.5}
    assert [(row["epoch"], row["iters"]) for row in read_losses(tmp_path / "loss_log.txt")] == [(1, 4), (2, 2)]


@pytest.mark.parametrize(
    ("iters", "count", "freq", "expected"),
    [(100, 1, 100, True), (101, 1, 100, False), (112, 16, 100, True), (128, 16, 100, False), (8, 8, 0, False)],
)
def test_due(iters, count, freq, expected):
    assert due(iters, count, freq) is expected


def test_a_step_that_prints_nothing_reads_no_loss(tmp_path):
    class OnDevice(torch.Tensor):
        """Fails where a value would be fetched from the device."""

        def __float__(self):
            raise AssertionError("fetched")

    log = LossLog(tmp_path, epochs=1, print_freq=100)
    for count in log.batches(1, [1, 1], images=2):
        assert log.step({"G": torch.ones(()).as_subclass(OnDevice)}, count) is None


def test_metrics_hold_the_mean_over_the_epochs_images(tmp_path):
    log = LossLog(tmp_path, epochs=1, print_freq=100)
    for count, value in log.batches(1, [(3, 1.0), (1, 5.0)], images=4):
        log.step({"G": torch.tensor(value)}, count)
    assert log.end_epoch(1) == {"G": 2.0}  # (3 * 1 + 1 * 5) / 4
    assert (tmp_path / "metrics.csv").read_text() == "epoch,iters,G\n1,4,2\n"


def test_resumed_run_appends_and_replaces_what_it_trains_again(tmp_path):
    train(LossLog(tmp_path, epochs=4, print_freq=2), [1, 2, 3])  # killed in epoch 4, last saved after epoch 2
    train(LossLog(tmp_path, epochs=4, print_freq=2, iters=8), [3, 4], first=11)

    text = (tmp_path / "loss_log.txt").read_text()
    assert text.count("Training Loss") == 2
    assert text.count("(epoch: 3, iters: 2,") == 2
    rows = read_losses(tmp_path / "loss_log.txt")
    assert [(r["epoch"], r["iters"], r["G_L1"]) for r in rows] == [
        (1, 2, 1),
        (1, 4, 2),
        (2, 2, 1),
        (2, 4, 2),
        (3, 2, 11),
        (3, 4, 12),
        (4, 2, 11),
        (4, 4, 12),
    ]

    metrics = read_metrics(tmp_path / "metrics.csv")
    assert [(r["epoch"], r["iters"]) for r in metrics] == [(1, 4), (2, 8), (3, 12), (4, 16)]
    assert [r["G_L1"] for r in metrics] == [1.5, 1.5, 11.5, 11.5]
    assert {path.name for path in tmp_path.iterdir()} == {"loss_log.txt", "metrics.csv"}


def test_new_score_becomes_a_column_and_older_rows_stay(tmp_path):
    log = LossLog(tmp_path, epochs=2)
    log.end_epoch(1)
    log.end_epoch(2, {"val_dice": 0.5})
    assert read_metrics(tmp_path / "metrics.csv") == [
        {"epoch": 1, "iters": 0},
        {"epoch": 2, "iters": 0, "val_dice": 0.5},
    ]


def test_reads_upstreams_newer_format_and_odd_numbers(tmp_path):
    log = tmp_path / "loss_log.txt"
    log.write_text("[Rank 0] (epoch: 2, iters: 1, time: 7.144, data: 0.098) , G_GAN: 1.126, G_L1: nan\n\n" + UPSTREAM)
    (row,) = read_losses(log)  # epoch 1 after epoch 2: it was trained again
    assert row["G_L1"] == 41.061
    assert row["time"] == 1.394
    log.write_text("(epoch: 2, iters: 1, time: 7.144, data: 0.098) , D: -1.5, G_GAN: 1e-05, G_L1: nan\n")
    (row,) = read_losses(log)
    assert row["D"] == -1.5
    assert row["G_GAN"] == 1e-5
    assert row["G_L1"] != row["G_L1"]
    assert read_losses(tmp_path / "none.txt") == []
    assert read_metrics(tmp_path / "none.csv") == []


@pytest.mark.parametrize(
    "text",
    [
        "epoch,iters\n1,2\nx,4\n",
        "epoch,iters\n1,2,3\n",
        "iters\n2\n",
        "epoch,iters\n1,\n",
        f"epoch,iters\n1,{10**400}\n",
        "\xff",
    ],
)
def test_a_damaged_table_is_named_before_training_begins(tmp_path, text):
    (tmp_path / "metrics.csv").write_bytes(text.encode("latin-1"))
    with pytest.raises(UserError, match="metrics.csv: damaged in row [12] .*move the file away"):
        LossLog(tmp_path, epochs=2)


def test_damaged_lines_of_the_log_are_skipped_soon(tmp_path):
    log = tmp_path / "loss_log.txt"
    damaged = [
        b"(epoch: 1, iters: x)",
        b"(epoch: 1e400, iters: 2)",
        b"(epoch: 2)",
        b"\xff",
        b"(epoch:" + b"x" * 300_000,
    ]
    log.write_bytes(b"\n".join([*damaged, b"(epoch: 2, iters: 1, time: 7.144, data: 0.098) D: 1.5"]))
    assert [row["D"] for row in read_losses(log)] == [1.5]


def test_bar_shows_losses_and_time_left(tmp_path, capsys):
    train(LossLog(tmp_path, epochs=2, print_freq=2, bar=True), [1])
    captured = capsys.readouterr()
    assert "epoch 1/2" in captured.err
    assert "G_L1 2.000" in captured.err
    assert re.search(r"all in \d+:\d\d:\d\d", captured.err)
    assert "(epoch:" not in captured.out  # the bar says it already
    assert "End of epoch 1 / 2" in captured.out
    assert "val_dice: 0.1000" in captured.out


def test_other_processes_of_a_run_are_silent(tmp_path, capfd, monkeypatch):
    monkeypatch.chdir(tmp_path)
    printed = train(LossLog(None, epochs=1, print_freq=2, bar=True), [1])
    assert [values["G_L1"] for values in printed] == [1.0, 2.0]
    assert capfd.readouterr() == ("", "")
    assert not list(tmp_path.iterdir())


def test_a_score_or_loss_of_both_sides_is_one_panel():
    columns = ["epoch", "iters", "G_GAN", "G_L1", "train_dice", "val_dice", "val_iou", "val_recall", "val_G_L1"]
    assert train_and_val(columns) == {
        "G_L1 loss": {TRAIN: "G_L1", VAL: "val_G_L1"},
        "Dice": {TRAIN: "train_dice", VAL: "val_dice"},
        "IoU": {VAL: "val_iou"},
    }


def test_runs_without_masks_have_none():
    assert train_and_val(["epoch", "G_A", "cycle_A", "val_miou"]) == {}
