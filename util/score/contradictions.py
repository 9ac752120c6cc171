"""Scores of one row, ours or published, that cannot all be true."""

from collections.abc import Callable, Mapping

Scores = Mapping[str, float]


def contradictions(row: Mapping[str, float | None], averaging: str = "unstated", rounding: float = 0.005) -> list[str]:
    """One sentence for every score that the row's other scores rule out; an empty list where all can be true.

    `row` may hold dice, iou, precision, recall, accuracy and `foreground`, the foreground's share of all pixels of the
    ground truth; a score that is missing or None is not checked. Each number may be off by `rounding`. The bounds hold
    for one image, and for means over images because they are linear or concave (Jensen). With `averaging` "micro"
    (pooled pixels) the first two are equalities, and foreground and accuracy bound Dice more closely:

        IoU <= Dice <= 2 IoU / (1 + IoU)        Dice <= 2 P R / (P + R)         P + R - 1 <= IoU <= min(P, R)
        IoU <= accuracy                         foreground - (1 - accuracy) <= Dice <= 2 accuracy / (1 + accuracy)
    """
    values = {name: float(value) for name, value in row.items() if value is not None}
    low = {name: max(value - rounding, 0.0) for name, value in values.items()}
    high = {name: min(value + rounding, 1.0) for name, value in values.items()}
    messages = []
    for score, others, bounds in BOUNDS:
        if {score, *others} <= values.keys():
            least, most = bounds(low, high, averaging == "micro")
            if high[score] < least or low[score] > most:
                why = " and ".join(f"{'IoU' if name == 'iou' else name} {values[name]:.4g}" for name in others)
                messages.append(f"{score} {values[score]:.4g} cannot be: {why} allow {least:.4g} to {most:.4g}")
    return messages


def _dice_by_iou(low: Scores, high: Scores, pooled: bool) -> tuple[float, float]:
    return _harmonic(low["iou"], 1) if pooled else low["iou"], _harmonic(high["iou"], 1)


def _dice_by_precision_and_recall(low: Scores, high: Scores, pooled: bool) -> tuple[float, float]:
    least = _harmonic(low["precision"], low["recall"]) if pooled else low["precision"] + low["recall"] - 1
    return max(least, 0.0), _harmonic(high["precision"], high["recall"])


def _iou_by_precision_and_recall(low: Scores, high: Scores, pooled: bool) -> tuple[float, float]:
    return max(low["precision"] + low["recall"] - 1, 0.0), min(high["precision"], high["recall"])


def _iou_by_accuracy(low: Scores, high: Scores, pooled: bool) -> tuple[float, float]:
    return 0.0, high["accuracy"]


def _dice_by_accuracy(low: Scores, high: Scores, pooled: bool) -> tuple[float, float]:
    return 0.0, _harmonic(high["accuracy"], 1)


def _dice_by_accuracy_and_foreground(low: Scores, high: Scores, pooled: bool) -> tuple[float, float]:
    wrong = 1 - low["accuracy"]
    least = max(low["foreground"] - wrong, 0.0)  # pixels that must be true positives
    if pooled and least:
        least = 2 * least / (2 * least + wrong)
    most = high["foreground"]
    return least, 2 * most / (2 * most + 1 - high["accuracy"]) if pooled and most else 1.0


def _harmonic(a: float, b: float) -> float:
    return 2 * a * b / (a + b) if a + b else 0.0


# A score, the other scores that bound it, and how: their lowest and highest values, pooled or not -> least, most.
BOUNDS: tuple[tuple[str, tuple[str, ...], Callable[[Scores, Scores, bool], tuple[float, float]]], ...] = (
    ("dice", ("iou",), _dice_by_iou),
    ("dice", ("precision", "recall"), _dice_by_precision_and_recall),
    ("iou", ("precision", "recall"), _iou_by_precision_and_recall),
    ("iou", ("accuracy",), _iou_by_accuracy),
    ("dice", ("accuracy",), _dice_by_accuracy),
    ("dice", ("accuracy", "foreground"), _dice_by_accuracy_and_foreground),
)
