"""Which numbers of an epoch are the same thing measured in training and in validation: one panel each."""

from collections.abc import Collection

TRAIN, VAL = "train (as trained: augmented, running)", "val"
SCORES = {"dice": "Dice", "iou": "IoU"}


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
