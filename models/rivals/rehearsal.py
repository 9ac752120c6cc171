"""Rehearsal (--replay): stored examples of an old task take part in the training of a new one."""

from torch import Tensor

from util.contracts import Batch, Trainable


def train_step(model: Trainable, batch: Batch) -> dict[str, Tensor]:
    """An update on a batch; before it, one on the stored examples that come with it, if any do.

    Each kind has a step of its own, because batch norm would mix the statistics of both. Returns the losses of both:
    those of the generator on stored examples begin with `old_`. The model's pictures are those of the new task.
    """
    old: dict[str, Tensor] = {}
    if "old" in batch:
        losses = model.train_step(batch["old"])
        old = {f"old_{name}": loss for name, loss in losses.items() if name.startswith("G_")}
    return model.train_step(batch) | old
