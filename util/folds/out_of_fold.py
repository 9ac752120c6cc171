"""Join what the run of each fold made of the images that it has not seen: one set of scores for all images."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from util.contracts import ClassMap
from util.errors import UserError
from util.score.evaluate import Evaluation
from util.score.image import Scored, resize
from util.score.summary import in_words as in_words_of_test
from util.show.pictures import save_png
from util.show.test_pictures import OURS as OF_TEST

OURS = OF_TEST | {"probabilities"}
"""The entries of the folder of results (util.folds). The next scoring replaces them."""


def refuse_repeats(seen: Iterable[str], ids: Iterable[str], run: str) -> None:
    """UserError if an image of this run was scored by an earlier one, which --fold makes possible."""
    if again := sorted({*seen} & {*ids}):
        raise UserError(
            f"--phase out_of_fold: {again[0]} is out of fold for {run} and for a run before it; leave --fold out"
        )


def joined(evaluations: Mapping[int, Evaluation], settings: Sequence[Mapping[str, object]]) -> Evaluation:
    """The scores of all images, sorted by their ids, with the fold of each in its row. evaluations: by fold. settings:
    of each of them. Columns that a fold lacks, because its run recorded less, are left out."""
    parts = list(evaluations.values())
    one_rule = len({str(one.get("threshold")) for one in settings}) == 1  # else a curve over thresholds has no point
    every = [(fold, row) for fold, part in evaluations.items() for row in part.rows]
    shared = [name for name in every[0][1] if all(name in row for _, row in every)]
    rows = [{name: row[name] for name in shared} | {"fold": fold} for fold, row in every]
    order = sorted(range(len(rows)), key=lambda index: str(rows[index]["id"]))
    return Evaluation(
        rows=[rows[index] for index in order],
        pooled=_in_order([part.pooled for part in parts], order),
        histograms=_in_order([part.histograms for part in parts], order) if one_rule else None,
        calibration=_in_order([part.calibration for part in parts], order),
        class_names=parts[0].class_names,
        faults={
            f"{name}, fold {fold}": f"fold {fold}: {text}"
            for fold, part in evaluations.items()
            for name, text in part.faults.items()
        },
    )


def _in_order(parts: Sequence[np.ndarray | None], order: Sequence[int]) -> np.ndarray | None:
    arrays = [part for part in parts if part is not None]
    return np.concatenate(arrays)[list(order)] if len(arrays) == len(parts) else None


def joined_settings(settings: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """The settings of all runs. Those in which they differ become lists."""
    names = dict.fromkeys(name for one in settings for name in one)
    values = {name: list(dict.fromkeys(str(one[name]) for one in settings if name in one)) for name in names}
    first = {name: next(one[name] for one in settings if name in one) for name in names}
    return {name: first[name] if len(each) == 1 else each for name, each in values.items()}


def save_probability(folder: Path, name: str, image: Scored, classes: ClassMap | None) -> None:
    """Write probabilities/<name>.png: the probability of foreground as 8 bits of grey, at the image's original size.
    Two classes only."""
    if classes is None or not classes.binary or image.labels is None:
        return
    height, width = image.labels.shape
    values = resize(classes.foreground(image.fake[None])[None], (height, width))[0, 0].numpy()
    save_png(folder / "probabilities" / f"{name}.png", np.round(values.clip(0, 1) * 255).astype(np.uint8))


def in_words(evaluation: Evaluation, learnt: str = "") -> Iterator[str]:
    """Lines to print: the scores, and the main one with its interval. learnt: which runs have learnt from the images
    that they are scored on, and from how many."""
    summary = evaluation.summary
    yield from in_words_of_test(summary, evaluation.columns, pooled=not evaluation.binary)
    score, kind = evaluation.columns[0], "macro" if evaluation.binary else "micro"
    low, high = summary["interval"][kind][score]
    by = f"but {learnt}: these scores are too good" if learnt else "each scored by the run that has not seen it"
    yield (
        f"out of fold: {'mean' if evaluation.binary else 'pooled'} {score} {summary[kind][score]:.4f} [{low:.4f}, "
        f"{high:.4f}], {summary['images']} images of {summary['patients']} patients, {by} "
        "(in brackets: 95 % interval by bootstrap over patients)"
    )
