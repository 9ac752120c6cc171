"""What a training run says about its losses: the progress bar, loss_log.txt and metrics.csv.

loss_log.txt keeps the line format of pytorch-CycleGAN-and-pix2pix (its visdom era), so that scripts written for it
go on working.
"""

import csv
import re
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
from tqdm import tqdm

from util.files import replacing

Batch = TypeVar("Batch")
TRAIN, VAL = "train (as trained: augmented, running)", "val"
SCORES = {"dice": "Dice", "iou": "IoU"}


def due(iters: int, count: int, freq: int) -> bool:
    """Whether the last `count` images took the total `iters` to or past a multiple of `freq`.

    `iters % freq == 0` would skip most multiples when the batch size does not divide the frequency.
    """
    return freq > 0 and iters // freq > (iters - count) // freq


class LossLog:
    """Progress bar, `loss_log.txt` and `metrics.csv` of one training run.

        log = LossLog(run_dir, epochs=200, print_freq=100)
        for epoch in range(1, 201):
            for batch in log.batches(epoch, loader, images=len(loader.dataset)):
                printed = log.step(model.train_step(batch), len(batch["A"]))
            log.end_epoch(epoch, {"val_dice": 0.93})

    Loss tensors stay on their device until a line is due: nothing else here waits for the device.

    Args:
        run_dir: folder of the run, `checkpoints/<name>`; both files are appended to when they exist. None writes and
            shows nothing: for the other processes of a run on many GPUs.
        epochs: number of the last epoch, for the time left.
        print_freq: a line every so many images.
        iters: images that were trained on before this start (resume).
        bar: False never draws the bar; None draws it where stderr is a terminal.
    """

    def __init__(
        self, run_dir: Path | None, epochs: int, print_freq: int = 100, iters: int = 0, bar: bool | None = None
    ):
        self.iters = iters
        self._epochs, self._print_freq = epochs, print_freq
        self._run_dir = run_dir and Path(run_dir)
        self._bar_off = True if run_dir is None else None if bar is None else not bar
        self._bar: tqdm | None = None
        self._started = self._epoch_started = time.monotonic()
        self._started_at: float | None = None  # position in epochs where this start began, e.g. 3.5
        self._new_epoch(1, 1, 0)
        if self._run_dir is not None:
            self._append(f"================ Training Loss ({time.strftime('%c')}) ================")

    def batches(self, epoch: int, loader: Iterable[Batch], images: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of `loader` under a progress bar of `images` images, `start` of which are already done."""
        self._new_epoch(epoch, images, start)
        if self._started_at is None:
            self._started_at = epoch - 1 + start / self._images
        bar = tqdm(
            total=images,
            initial=start,
            unit="img",
            desc=f"epoch {epoch}/{self._epochs}",
            leave=False,
            dynamic_ncols=True,
            disable=self._bar_off,
        )
        self._bar = bar
        try:
            waiting = time.monotonic()
            for batch in loader:
                self._waited += time.monotonic() - waiting
                yield batch
                waiting = time.monotonic()
        finally:
            bar.close()
            self._bar = None

    def step(self, losses: Mapping[str, torch.Tensor | float], count: int) -> dict[str, float] | None:
        """Note one training step on `count` images; when a line is due write it and return its losses as floats."""
        self.iters += count
        self._seen += count
        self._since_line += count
        for name, value in losses.items():
            self._sums[name] = self._sums.get(name, 0.0) + value * count
        if self._bar is not None:
            self._bar.update(count)
        if not due(self.iters, count, self._print_freq):
            return None
        values = {name: float(value) for name, value in losses.items()}
        if self._run_dir is not None:
            self._write_line(values)
        return values

    def end_epoch(self, epoch: int, scores: Mapping[str, float] | None = None) -> dict[str, float]:
        """Add the epoch's row (mean losses, `scores`) to metrics.csv, say so, and return the mean losses.

        Rows of this epoch or later ones, left by a run that went further than its last save, are replaced.
        """
        scores = scores or {}
        seen = max(self._seen - self._start, 1)
        means = {name: float(total) / seen for name, total in self._sums.items()}
        row = {"epoch": epoch, "iters": self.iters}
        row |= {name: f"{value:.6g}" for name, value in (means | dict(scores)).items()}
        if self._run_dir is None:
            return means
        path = self._run_dir / "metrics.csv"
        rows = [old for old in read_metrics(path) if old["epoch"] < epoch] + [row]
        columns = list(dict.fromkeys(name for r in rows for name in r))
        with replacing(path) as file:
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        seconds = time.monotonic() - self._epoch_started
        said = "".join(f" {name}: {value:.4f}" for name, value in scores.items())
        left = f" left: {self._left()}" if epoch < self._epochs else ""
        tqdm.write(f"End of epoch {epoch} / {self._epochs} \t Time Taken: {seconds:.0f} sec{said}{left}", sys.stdout)
        return means

    def _new_epoch(self, epoch: int, images: int, start: int) -> None:
        self._epoch, self._images, self._start, self._seen = epoch, max(images, 1), start, start
        self._sums: dict[str, torch.Tensor | float] = {}
        self._epoch_started = self._line_time = time.monotonic()
        self._waited, self._since_line = 0.0, 0

    def _write_line(self, losses: Mapping[str, float]) -> None:
        # Means over the images since the last line: a single step's time says little where the device works on its own.
        now = time.monotonic()
        took, waited = (now - self._line_time) / self._since_line, self._waited / self._since_line
        self._line_time, self._since_line, self._waited = now, 0, 0.0
        line = f"(epoch: {self._epoch}, iters: {self._seen}, time: {took:.3f}, data: {waited:.3f}) "
        line += "".join(f"{name}: {value:.3f} " for name, value in losses.items())
        self._append(line)
        if self._bar is None or self._bar.disable:
            print(line, flush=True)
        else:
            shown = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
            self._bar.set_postfix_str(f"{shown}, all in {self._left()}")

    def _left(self) -> timedelta:
        """Time to the end of the last epoch at this start's mean pace, validation and saving included."""
        if self._started_at is None:
            return timedelta(0)
        position = self._epoch - 1 + self._seen / self._images
        done = position - self._started_at
        elapsed = time.monotonic() - self._started
        return timedelta(seconds=round(elapsed / done * max(self._epochs - position, 0)) if done > 0 else 0)

    def _append(self, line: str) -> None:
        with (self._run_dir / "loss_log.txt").open("a", encoding="utf-8") as file:
            file.write(line + "\n")


def read_losses(path: Path) -> list[dict[str, float]]:
    """The lines of a loss_log.txt as dicts: `epoch`, `iters` (images of that epoch so far), `time`, `data`, the losses.

    Reads both formats that pytorch-CycleGAN-and-pix2pix wrote over the years. Where a later start trained the same
    images again, its lines replace the earlier ones. A missing file is an empty list.
    """
    rows: list[dict[str, float]] = []
    if not Path(path).exists():
        return rows
    for line in Path(path).read_text(encoding="utf-8").splitlines():
        if "(epoch:" not in line:
            continue
        pairs = re.findall(r"(\w+): ([-+\w.]+)", line[line.index("(epoch:") :])
        row = {name: float(value) for name, value in pairs}
        while rows and (rows[-1]["epoch"], rows[-1]["iters"]) >= (row["epoch"], row["iters"]):
            rows.pop()
        rows.append(row)
    return rows


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The rows of a metrics.csv as numbers (`epoch`, `iters` ints), empty cells left out; [] without a file."""
    if not Path(path).exists():
        return []
    with Path(path).open(newline="", encoding="utf-8") as file:
        return [
            {name: int(value) if name in ("epoch", "iters") else float(value) for name, value in row.items() if value}
            for row in csv.DictReader(file)
        ]


def train_and_val(columns: Collection[str]) -> dict[str, dict[str, str]]:
    """{title: {name of a line: column}} of the columns of metrics.csv.

    Dice and IoU are `train_dice`, `val_dice`, ...; a training loss `X` is its own column, its validation `val_X`.
    """
    found = {}
    for loss in columns:
        if f"val_{loss}" in columns:
            found[f"{loss} loss"] = {TRAIN: loss, VAL: f"val_{loss}"}
    for name, title in SCORES.items():
        lines = {TRAIN: f"train_{name}", VAL: f"val_{name}"}
        there = {line: column for line, column in lines.items() if column in columns}
        if there:
            found[title] = there
    return found
