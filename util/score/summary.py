"""From scores of single images to the numbers one reports: means, intervals, and whether they can be true at all."""

from collections.abc import Callable, Iterator, Mapping, Sequence

import numpy as np

DRAWS = 2000
CHUNK = 100  # draws at a time: bounds memory at CHUNK x patients, whatever the size of the test set


def summarize(
    values: Mapping[str, np.ndarray],
    pooled: np.ndarray,
    pool: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    patients: Sequence[str],
    seed: int = 0,
) -> dict:
    """Mean over images (macro) and score of the pooled counts (micro), each with a 95 % interval.

    `values` maps a score's name to its value for every image [N], NaN where undefined: such images are left out of
    that mean and counted under `undefined`. `pooled` [N, ...] holds pixel counts that add up over images, and `pool`
    turns sums of them [..., ...] into scores. Intervals are percentiles of a bootstrap that draws patients with
    replacement, since two images of one patient are not independent.
    """
    names = list(values)
    table = np.stack([np.asarray(values[name], dtype=np.float64) for name in names], axis=1)
    owner, count = owners(patients)
    defined = ~np.isnan(table)
    sums, numbers = _by_owner(np.where(defined, table, 0), owner, count), _by_owner(defined, owner, count)
    pixels = _by_owner(pooled.reshape(len(pooled), -1), owner, count)

    macro_draws, micro_draws = [], []
    for weights in draw_patients(count, seed):
        macro_draws.append(_ratio(weights @ sums, weights @ numbers))
        micro_draws.append((weights @ pixels).reshape(CHUNK, *pooled.shape[1:]))
    macro_draws = dict(zip(names, np.concatenate(macro_draws).T, strict=True))
    micro_draws = _scalars(pool(np.concatenate(micro_draws)), 1)
    micro = _scalars(pool(pooled.sum(0)), 0)
    return {
        "images": len(table),
        "patients": count,
        "macro": {name: _plain(m) for name, m in zip(names, _ratio(sums.sum(0), numbers.sum(0)), strict=True)},
        "micro": {name: _plain(m) for name, m in micro.items()},
        "interval": {
            "macro": {name: interval(draws) for name, draws in macro_draws.items()},
            "micro": {name: interval(draws) for name, draws in micro_draws.items()},
        },
        "undefined": {name: int(n) for name, n in zip(names, (~defined).sum(0), strict=True) if n},
    }


def owners(patients: Sequence[str]) -> tuple[np.ndarray, int]:
    """The number of each image's patient, 0.., and how many there are."""
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    return owner, len(names)


def draw_patients(count: int, seed: int = 0) -> Iterator[np.ndarray]:
    """`DRAWS` draws of `count` patients with replacement, `CHUNK` at a time: how often each came, [CHUNK, count]."""
    rng = np.random.default_rng(seed)
    for _ in range(DRAWS // CHUNK):
        yield rng.multinomial(count, np.full(count, 1 / count), size=CHUNK).astype(np.float64)


def paired_difference(
    values: Sequence[float], reference: Sequence[float], patients: Sequence[str], seed: int = 0
) -> dict[str, float | int | list[float]]:
    """How far the scores of one network are above those of another on the same images [N].

    mean: of the differences over images; interval: 95 %, percentiles of a bootstrap that draws patients with
    replacement; p: Wilcoxon's signed-rank test of the patients' mean differences, two-sided, 1 where none differs;
    better, worse: on how many images.
    """
    from scipy.stats import wilcoxon  # takes a second to import, and few runs are compared

    difference = np.asarray(values, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    owner, count = owners(patients)
    sums, numbers = (_by_owner(column[:, None], owner, count)[:, 0] for column in (difference, np.ones(len(owner))))
    weights = np.concatenate([*draw_patients(count, seed)])
    of_patients = sums / numbers
    return {
        "mean": float(difference.mean()),
        "interval": interval((weights @ sums) / (weights @ numbers)),
        "p": float(wilcoxon(of_patients).pvalue) if of_patients.any() else 1.0,
        "better": int((difference > 0).sum()),
        "worse": int((difference < 0).sum()),
    }


def _by_owner(rows: np.ndarray, owner: np.ndarray, count: int) -> np.ndarray:
    sums = np.zeros((count, rows.shape[1]))
    np.add.at(sums, owner, rows)
    return sums


def _ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0)


def _scalars(scores: Mapping[str, np.ndarray], dims: int) -> dict[str, np.ndarray]:
    """Only the scores that are one number, not one per class."""
    return {name: np.asarray(value) for name, value in scores.items() if np.ndim(value) == dims}


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def interval(draws: np.ndarray) -> list[float] | None:
    """The 95 % in the middle of draws, NaN left out; None if nothing else is there."""
    draws = draws[~np.isnan(draws)]
    return [float(x) for x in np.percentile(draws, [2.5, 97.5])] if len(draws) else None


def parts(summary: Mapping) -> dict[str, Mapping]:
    """What is told apart: all images, and each source where there are several."""
    return {"all": summary} | summary.get("by_source", {})


def in_words(summary: Mapping, columns: Sequence[str], pooled: bool) -> Iterator[str]:
    """Lines for people: the scores named by `columns` of each part, and detection where there is any. pooled: of one
    count over all images; else means over images."""
    kind, average = ("micro", "pooled") if pooled else ("macro", "mean")
    for part, numbers in parts(summary).items():
        found = numbers["macro"] | numbers[kind]  # the void rate is a mean over images in any case
        shown = "  ".join(f"{name} {found[name]:.4f}" for name in columns if found[name] is not None)
        yield f"{part}, {average} of {numbers['images']}: {shown}"
        if found := numbers.get("detection"):
            yield (
                f"{part}, {found['positives']} with and {found['negatives']} without a finding: Dice of positives "
                f"only {found['dice_positives']:.4f}, of all images {found['dice_all']:.4f}; "
                + "  ".join(f"{name} {found[name]:.4f}" for name in ("sensitivity", "specificity", "auc"))
            )


def contradictions(row: Mapping[str, float | None], averaging: str = "unstated", rounding: float = 0.005) -> list[str]:
    """Say which scores of one row, ours or published, cannot all be true; an empty list where they can.

    `row` may hold dice, iou, precision, recall, accuracy and `foreground` (the share of pixels that the truth calls
    foreground); what is missing or None is not checked. Each number may be off by `rounding`. The bounds hold for
    one image, and for means over images because they are linear or concave (Jensen); with `averaging` "micro" (pooled
    pixels) the first two are equalities and foreground and accuracy bound Dice more closely:

        IoU <= Dice <= 2 IoU / (1 + IoU)        Dice <= 2 P R / (P + R)         P + R - 1 <= IoU <= min(P, R)
        IoU <= accuracy                         foreground - (1 - accuracy) <= Dice <= 2 accuracy / (1 + accuracy)
    """
    row = {name: value for name, value in row.items() if value is not None}
    low = {name: max(float(value) - rounding, 0.0) for name, value in row.items()}
    high = {name: min(float(value) + rounding, 1.0) for name, value in row.items()}
    exact = averaging == "micro"
    found: list[str] = []

    def check(score: str, least: float, most: float, why: str) -> None:
        if high[score] < least or low[score] > most:
            found.append(f"{score} {row[score]:.4g} cannot be: {why} allow {least:.4g} to {most:.4g}")

    def harmonic(a: float, b: float) -> float:
        return 2 * a * b / (a + b) if a + b else 0.0

    if {"dice", "iou"} <= row.keys():
        least = harmonic(low["iou"], 1) if exact else low["iou"]
        check("dice", least, harmonic(high["iou"], 1), f"IoU {row['iou']:.4g}")
    if {"precision", "recall"} <= row.keys():
        why = f"precision {row['precision']:.4g} and recall {row['recall']:.4g}"
        if "dice" in row:
            least = harmonic(low["precision"], low["recall"]) if exact else low["precision"] + low["recall"] - 1
            check("dice", max(least, 0.0), harmonic(high["precision"], high["recall"]), why)
        if "iou" in row:
            least = max(low["precision"] + low["recall"] - 1, 0.0)
            check("iou", least, min(high["precision"], high["recall"]), why)
    if "accuracy" in row:
        why = f"accuracy {row['accuracy']:.4g}"
        if "iou" in row:
            check("iou", 0.0, high["accuracy"], why)
        if "dice" in row:
            check("dice", 0.0, harmonic(high["accuracy"], 1), why)
            if "foreground" in row:
                why += f" and foreground {row['foreground']:.4g}"
                wrong = 1 - low["accuracy"]
                sure = max(low["foreground"] - wrong, 0.0)  # pixels that must be true positives
                least = 2 * sure / (2 * sure + wrong) if exact and sure else sure
                most = high["foreground"]
                check("dice", least, 2 * most / (2 * most + 1 - high["accuracy"]) if exact and most else 1.0, why)
    return found
