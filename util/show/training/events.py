"""TensorBoard's event files of a training run, <run>/tensorboard. Only --tensorboard imports this package."""

from collections.abc import Mapping
from pathlib import Path

from torch.optim import Optimizer

from util.run.log import ACCURACY, split_accuracies
from util.show.training.cases import Case

FOLDER = "tensorboard"
SHOWN = 20
"""About so many times a training shows its validation cases: pictures make event files large."""


class Events:
    """Writes scalars and pictures over the number of images trained on.

        events = Events(run_dir, start=0)
        events.losses(100, {"G_L1": 30.0})
        events.epoch(400, {"G_L1": 25.0, "val_dice": 0.9}, {"G": 0.0002})
        events.close()

    start: images trained on before. TensorBoard hides what an earlier start has written beyond, because it is trained
    again.
    """

    def __init__(self, run_dir: Path, start: int) -> None:
        from torch.utils.tensorboard.writer import SummaryWriter

        self._writer = SummaryWriter(str(run_dir / FOLDER), purge_step=start + 1)

    def losses(self, images: int, losses: Mapping[str, float]) -> None:
        """Add the losses of a step. Accuracies of one image say little: only their means over epochs are added."""
        self._add(images, {f"loss/{name}": value for name, value in split_accuracies(losses)[0].items()})

    def epoch(self, images: int, row: Mapping[str, float], rates: Mapping[str, float]) -> None:
        """Add an epoch's row of metrics.csv, and its learning rates by optimizer."""
        values = {_tag(name): value for name, value in row.items()}
        self._add(images, values | {f"lr/{name}": rate for name, rate in rates.items()})

    def cases(self, images: int, cases: list[Case]) -> None:
        """Add the masks of the validation cases."""
        for i, case in enumerate(cases, start=1):
            self._writer.add_image(f"cases/{i}_{case.id}", case.mask, images, dataformats="HWC")
        self._writer.flush()

    def close(self) -> None:
        """Write the rest and close the file."""
        self._writer.close()

    def _add(self, images: int, values: Mapping[str, float]) -> None:
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, images)
        self._writer.flush()  # a killed process loses nothing


def _tag(column: str) -> str:
    """A column of metrics.csv as a tag: validation and training of the same quantity are in two groups."""
    if column.startswith(ACCURACY):
        return f"discriminator/{column}"
    group = "val" if column.startswith("val_") else "train"
    return f"{group}/{column.removeprefix(f'{group}_')}"


def learning_rates(optimizers: Mapping[str, Optimizer]) -> dict[str, float]:
    """The rates of the optimizers by their names; an encoder with a rate of its own is the second group."""
    return {
        name + (f"_{i}" if i else ""): group["lr"]
        for name, optimizer in optimizers.items()
        for i, group in enumerate(optimizer.param_groups)
    }
