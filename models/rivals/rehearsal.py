"""Rehearsal (--replay): stored examples of old tasks take part in the training of a new one."""

from torch import Tensor

from models.losses import total
from util.contracts import Batch, Trainable


def train_step(model: Trainable, batch: Batch) -> dict[str, Tensor]:
    """An update on a batch; before it, one on the stored examples of each old task that come with it, if any do.

    Each task has a step of its own, because batch norm would mix the statistics of all. Returns the losses of the new
    task, and those of the generator on stored examples, means over the old tasks, which begin with `old_`. The model's
    pictures are those of the new task.
    """
    steps = [model.train_step(old) for old in batch.get("old", [])]
    names = [name for name in (steps[0] if steps else ()) if name.startswith("G_")]
    old = {f"old_{name}": total(losses[name] for losses in steps) / len(steps) for name in names}
    return model.train_step(batch) | old
