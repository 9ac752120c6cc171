"""The log of a training run: progress bar, loss_log.txt and metrics.csv.

loss_log.txt keeps the line format of pytorch-CycleGAN-and-pix2pix (its visdom era), so that scripts written for it
still work.
"""

import csv
import math
import re
import sys
import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from datetime import timedelta
from pathlib import Path
from typing import TypeVar

import torch
from tqdm import tqdm

from util.errors import UserError
from util.faults import why
from util.files import replacing

Batch = TypeVar("Batch")

# The names of the two lines in a panel, and the scores that both training and validation measure.
TRAIN, VAL = "train (as trained: augmented, running)", "val"
SCORES = {"dice": "Dice", "iou": "IoU"}

GAME, WEIGHTED = "losses of the game", "losses against the target, times their lambda"

ACCURACY = "acc_"
"""Begins the names of discriminators' accuracies among a step's losses: acc_D_real, acc_D_A_fake, ..."""


def due(iters: int, count: int, freq: int) -> bool:
    """True if the last `count` images brought the total `iters` to a multiple of `freq`, or past one.

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

    Loss tensors stay on their device until a line is due. Nothing else waits for the device.

    Args:
        run_dir: folder of the run, `checkpoints/<name>`. Existing files are appended to. With None nothing is written
            or shown, as in all processes but the first of a run on several GPUs.
        epochs: number of the last epoch, for the time left.
        print_freq: images between two lines.
        iters: images trained on before this start, if the run is resumed.
        bar: False never draws the bar; None draws it if stderr is a terminal.
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
        self._carried: tuple[int, dict] | None = None
        if self._run_dir is not None:
            cut_torn_line(self._run_dir / "loss_log.txt")
            read_metrics(self._run_dir / "metrics.csv")  # damage is said now, not after an epoch
            self._append(self._run_dir, f"================ Training Loss ({time.strftime('%c')}) ================")

    def batches(self, epoch: int, loader: Iterable[Batch], images: int, start: int = 0) -> Iterator[Batch]:
        """Yield the batches of `loader` under a progress bar of `images` images, of which `start` are done already."""
        self._new_epoch(epoch, images, start)
        if self._carried:
            (self._start, self._sums), self._carried = self._carried, None
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
        """Count a training step on `count` images. If a line is due, write it and return its losses as floats."""
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
            self._write_line(self._run_dir, values)
        return values

    def say(self, line: str) -> None:
        """Print a line above the progress bar."""
        if self._run_dir is not None:
            tqdm.write(line, sys.stdout)

    def state_dict(self) -> dict:
        """The sums of the current epoch so far. Waits for the device."""
        sums = {name: torch.as_tensor(total).cpu() for name, total in self._sums.items()}
        return {"start": self._start, "sums": sums}

    def load_state_dict(self, state: dict) -> None:
        """Let the next epoch, which begins where the run stopped, count on from the sums that were saved.

        ValueError: they are no sums.
        """
        start, sums = state["start"], state["sums"]
        if type(start) is not int or not all(isinstance(name, str) and sums[name].shape == () for name in sums):
            raise ValueError("its sums of losses are none")
        self._carried = start, sums

    def diverged(self) -> list[str]:
        """The losses of this epoch that were not finite in any step so far, by name. Waits for the device."""
        return [name for name, total in self._sums.items() if not math.isfinite(total)]

    def end_epoch(self, epoch: int, scores: Mapping[str, float] | None = None) -> dict[str, float]:
        """Add the epoch's row (mean losses and `scores`) to metrics.csv, print it, and return the mean losses.

        Rows of this epoch and later ones are replaced. A run that was killed after its last save has left them.
        """
        scores = scores or {}
        seen = max(self._seen - self._start, 1)
        means = {name: float(total) / seen for name, total in self._sums.items()}
        self._sums, self._start = {}, 0
        row = {"epoch": epoch, "iters": self.iters}
        row |= {name: f"{value:.6g}" for name, value in (means | dict(scores)).items()}
        if self._run_dir is None:
            return means
        path = self._run_dir / "metrics.csv"
        rows = [old for old in read_metrics(path) if old["epoch"] < epoch] + [row]
        columns = list(dict.fromkeys(name for r in rows for name in r))
        with replacing(path, durable=True) as file:
            writer = csv.DictWriter(file, columns, restval="", lineterminator="\n")
            writer.writeheader()
            writer.writerows(rows)
        seconds = time.monotonic() - self._epoch_started
        shown = "".join(f" {name}: {value:.4f}" for name, value in scores.items())
        left = f" left: {self.left() or timedelta(0)}" if epoch < self._epochs else ""
        tqdm.write(f"End of epoch {epoch} / {self._epochs} \t Time Taken: {seconds:.0f} sec{shown}{left}", sys.stdout)
        return means

    def left(self) -> timedelta | None:
        """Time to the end of the run at the mean pace since this start, with validation and saving; None at first."""
        if self._started_at is None:
            return None
        position = self._epoch - 1 + self._seen / self._images
        done = position - self._started_at
        elapsed = time.monotonic() - self._started
        return timedelta(seconds=round(elapsed / done * max(self._epochs - position, 0))) if done > 0 else None

    def _new_epoch(self, epoch: int, images: int, start: int) -> None:
        self._epoch, self._images, self._start, self._seen = epoch, max(images, 1), start, start
        self._sums: dict[str, torch.Tensor | float] = {}
        self._epoch_started = self._line_time = time.monotonic()
        self._waited, self._since_line = 0.0, 0

    def _write_line(self, run_dir: Path, losses: Mapping[str, float]) -> None:
        # Means since the last line: a GPU works on its own, so the time of a single step says little.
        now = time.monotonic()
        took, waited = (now - self._line_time) / self._since_line, self._waited / self._since_line
        self._line_time, self._since_line, self._waited = now, 0, 0.0
        line = f"(epoch: {self._epoch}, iters: {self._seen}, time: {took:.3f}, data: {waited:.3f}) "
        line += "".join(f"{name}: {value:.3f} " for name, value in losses.items())
        self._append(run_dir, line)
        if self._bar is None or self._bar.disable:
            print(line, flush=True)
        else:
            shown = " ".join(f"{name} {value:.3f}" for name, value in losses.items())
            self._bar.set_postfix_str(f"{shown}, all in {self.left() or timedelta(0)}")

    @staticmethod
    def _append(run_dir: Path, line: str) -> None:
        path = run_dir / "loss_log.txt"
        try:
            with path.open("a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise UserError(f"{path}: not written: {why(error)}; the files of the last save are unchanged") from error


def cut_torn_line(path: Path) -> None:
    """Cut an unfinished last line off, which a killed process or a full disk left."""
    if not path.is_file():
        return
    with path.open("rb+") as file:
        whole = file.read().rfind(b"\n") + 1
        file.truncate(whole)


def read_losses(path: Path) -> list[dict[str, float]]:
    """The lines of a loss_log.txt as dicts: `epoch`, `iters` (images of that epoch so far), `time`, `data`, losses.

    Reads both formats that pytorch-CycleGAN-and-pix2pix has used. If a later start trained the same images again, its
    lines replace the earlier ones. Without a file the list is empty. Lines that hold no numbers are skipped.
    """
    rows: list[dict[str, float]] = []
    if not Path(path).exists():
        return rows
    for line in Path(path).read_text(encoding="utf-8", errors="replace").splitlines():
        try:
            pairs = re.findall(r"\b(\w+): ([-+\w.]+)", line[line.index("(epoch:") :])
            row = {name: float(value) for name, value in pairs}
            if not all(0 <= row[name] < 2**53 for name in ("epoch", "iters")):
                continue
        except (ValueError, KeyError):
            continue
        while rows and (rows[-1]["epoch"], rows[-1]["iters"]) >= (row["epoch"], row["iters"]):
            rows.pop()
        rows.append(row)
    return rows


def read_metrics(path: Path) -> list[dict[str, float]]:
    """The rows of a metrics.csv as numbers, `epoch` and `iters` as ints, without empty cells; [] without a file.

    UserError: it is damaged.
    """
    if not Path(path).exists():
        return []
    rows: list[dict[str, float]] = []
    try:
        with Path(path).open(newline="", encoding="utf-8") as file:
            for row in csv.DictReader(file):
                cells = {name: value for name, value in row.items() if value}
                counts = {name: int(cells.pop(name)) for name in ("epoch", "iters")}
                if not all(0 <= count < 2**53 for count in counts.values()):
                    raise ValueError("no such epoch")
                rows.append({**counts, **{name: float(value) for name, value in cells.items()}})
    except (ValueError, KeyError, TypeError, csv.Error) as error:
        raise UserError(
            f"{path}: damaged in row {len(rows) + 1} ({error}); correct it, or move the file away"
        ) from error
    return rows


def split_accuracies(values: Mapping[str, float]) -> tuple[dict[str, float], dict[str, float]]:
    """A step's losses, and the accuracies of discriminators that were among them."""
    losses, accuracies = {}, {}
    for name, value in values.items():
        (accuracies if name.startswith(ACCURACY) else losses)[name] = value
    return losses, accuracies


def in_groups(losses: Collection[str]) -> dict[str, list[str]]:
    """The names of losses that share an axis: those of the game between generators and discriminators, which stay
    around 1 and may be negative, and those against the target, which --lambda_L1 and the like multiply."""
    game = [name for name in losses if name.startswith("D_") or name in ("G_GAN", "G_A", "G_B")]
    return {GAME: game, WEIGHTED: [name for name in losses if name not in game]}


def validation_columns(scores: Mapping[str, float]) -> dict[str, float]:
    """Validation's scores and losses under the names of their columns in metrics.csv."""
    return {f"val_{name}": value for name, value in scores.items()}


def validation_scores(row: Mapping[str, float]) -> dict[str, float]:
    """The validation scores in a row of metrics.csv; validation losses are not among them."""
    return {name: value for name, value in row.items() if name.startswith("val_") and name[4:] not in row}


def train_and_val(columns: Collection[str]) -> dict[str, dict[str, str]]:
    """The columns of metrics.csv that show the same quantity in training and validation: {title: {line: column}}.

    Dice and IoU are in `train_dice`, `val_dice`, ...; a training loss X is in column X, its validation in `val_X`.
    """
    pairs = {}
    for loss in columns:
        if f"val_{loss}" in columns:
            pairs[f"{loss} loss"] = {TRAIN: loss, VAL: f"val_{loss}"}
    for name, title in SCORES.items():
        lines = {TRAIN: f"train_{name}", VAL: f"val_{name}"}
        if measured := {line: column for line, column in lines.items() if column in columns}:
            pairs[title] = measured
    return pairs
