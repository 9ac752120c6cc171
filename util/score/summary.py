"""From scores of single images to the numbers that a paper reports: means with intervals, and differences."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import cast

import numpy as np

DRAWS = 2000
CHUNK = 100  # draws at a time: all at once would need DRAWS x patients x scores numbers in memory


def summarize(
    values: Mapping[str, np.ndarray],
    pooled: np.ndarray,
    pool: Callable[[np.ndarray], Mapping[str, np.ndarray]],
    patients: Sequence[str],
    seed: int = 0,
) -> dict:
    """Mean over images (macro) and score of the pooled counts (micro), each with a 95 % interval.

    `values` maps a score's name to its value for every image [N]. Images whose value is NaN (undefined) are left out of
    that mean and counted under `undefined`. `pooled` [N, ...] holds pixel counts that add up over images; `pool` turns
    sums of them [..., ...] into scores. Intervals are percentiles of a bootstrap that draws patients with replacement,
    since two images of one patient are not independent.
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
        "micro": {name: _plain(float(m)) for name, m in micro.items()},
        "interval": {
            "macro": {name: interval(draws) for name, draws in macro_draws.items()},
            "micro": {name: interval(draws) for name, draws in micro_draws.items()},
        },
        "undefined": {name: int(n) for name, n in zip(names, (~defined).sum(0), strict=True) if n},
    }


def owners(patients: Sequence[str]) -> tuple[np.ndarray, int]:
    """Each image's patient as a number from 0 on [N], and the number of patients."""
    names, owner = np.unique(np.asarray(patients), return_inverse=True)
    return owner, len(names)


def draw_patients(count: int, seed: int = 0) -> Iterator[np.ndarray]:
    """`DRAWS` draws of `count` patients with replacement: how often each was drawn, [CHUNK, count] at a time."""
    rng = np.random.default_rng(seed)
    for _ in range(DRAWS // CHUNK):
        yield rng.multinomial(count, np.full(count, 1 / count), size=CHUNK).astype(np.float64)


def paired_difference(
    values: Sequence[float], reference: Sequence[float], patients: Sequence[str], seed: int = 0
) -> dict[str, float | int | list[float] | None]:
    """How far one network's scores are above another's on the same images [N].

    mean: of the differences over images; interval: 95 %, percentiles of a bootstrap that draws patients with
    replacement; p: Wilcoxon's signed-rank test of the patients' mean differences, two-sided, 1 where none differs;
    better, worse: number of images.
    """
    from scipy.stats import wilcoxon  # a second to import

    difference = np.asarray(values, dtype=np.float64) - np.asarray(reference, dtype=np.float64)
    owner, count = owners(patients)
    sums, numbers = (_by_owner(column[:, None], owner, count)[:, 0] for column in (difference, np.ones(len(owner))))
    weights = np.concatenate([*draw_patients(count, seed)])
    of_patients = sums / numbers
    return {
        "mean": float(difference.mean()),
        "interval": interval((weights @ sums) / (weights @ numbers)),
        "p": float(cast("tuple[float, float]", wilcoxon(of_patients))[1]) if of_patients.any() else 1.0,
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
    """Only the scores that are one number, not one for each class."""
    return {name: np.asarray(value) for name, value in scores.items() if np.ndim(value) == dims}


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)


def interval(draws: np.ndarray) -> list[float] | None:
    """The middle 95 % of the draws that are not NaN; None if all are."""
    draws = draws[~np.isnan(draws)]
    return [float(x) for x in np.percentile(draws, [2.5, 97.5])] if len(draws) else None


def parts(summary: Mapping) -> dict[str, Mapping]:
    """The summary of all images, and of each source where there are several, by name."""
    return {"all": summary} | summary.get("by_source", {})


WHY_UNDEFINED = {
    "precision": "an empty mask",
    "recall": "an empty ground truth",
    "specificity": "no background in the ground truth",
}


def undefined_in_words(summary: Mapping, titles: Mapping[str, str] | None = None) -> Iterator[str]:
    """A sentence for each score that some images do not have, and one about what Dice is where masks are empty.

    titles: of the scores, by name; by default their names.
    """
    for name, number in summary["undefined"].items():
        why = WHY_UNDEFINED.get(name, "an empty mask or ground truth")
        title = (titles or {}).get(name, name)
        yield f"{title} is undefined for {number} of {summary['images']} images ({why}); its mean leaves them out."
    if empty := summary.get("empty", {}).get("ground truth"):
        yield (
            f"{empty} of {summary['images']} images have an empty ground truth: Dice and IoU are 1 where the mask is "
            "empty too, else 0."
        )


def in_words(summary: Mapping, columns: Sequence[str], pooled: bool) -> Iterator[str]:
    """Lines to print: the scores named by `columns` of each part, detection where it is defined, and remarks.

    pooled: show scores of the pooled counts, not means over images.
    """
    kind, average = ("micro", "pooled") if pooled else ("macro", "mean")
    for part, numbers in parts(summary).items():
        scores = numbers["macro"] | numbers[kind]  # the void rate is always a mean over images
        shown = "  ".join(f"{name} {scores[name]:.4f}" for name in columns if scores[name] is not None)
        yield f"{part}, {average} of {numbers['images']}: {shown}"
        if detected := numbers.get("detection"):
            yield (
                f"{part}, {detected['positives']} with and {detected['negatives']} without a finding: "
                f"Dice of positives only {detected['dice_positives']:.4f}, of all images {detected['dice_all']:.4f}; "
                + "  ".join(f"{name} {detected[name]:.4f}" for name in ("sensitivity", "specificity", "auc"))
            )
    if not pooled:
        yield from undefined_in_words(summary)
    for fault in summary.get("faults", []):
        yield f"check the pictures: {fault}"
