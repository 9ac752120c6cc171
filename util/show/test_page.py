"""index.html of a test: the scores with their intervals, their spread, and every image, the worst first."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from dominate import tags
from dominate.util import text

from util.contracts import ClassMap
from util.score import uncertainty
from util.score.evaluate import SURFACE, Evaluation
from util.score.metrics import threshold_curve
from util.score.summary import parts, undefined_in_words
from util.score.trust import expected
from util.score.trust.plausible import COLUMN
from util.show.gallery import Card, Picture, gallery
from util.show.pages import MOST_IMAGES, TITLES, class_key, colour_key, page, score_table, write_page
from util.show.pictures import BOTH, OPEN, PREDICTION, TRUTH
from util.show.trust import show_calibration, show_trust

ABOUT_TINTS = (
    "fake_B is the generator's output before the threshold. Tints in it are no classes: a generator that first drew in "
    "colour keeps traces of that, and the mask depends only on how near each pixel is to the foreground's colour."
)


def write_test_page(
    folder: Path,
    title: str,
    evaluation: Evaluation,
    settings: Mapping[str, Any],
    winsize: int = 256,
    links: Mapping[str, str] | None = None,
    classes: ClassMap | None = None,
) -> None:
    """Write index.html and its figures beside the pictures that are already in `folder`.

    settings: the options that the scores depend on, by name. winsize: width of a picture on the page in pixels. links:
    text to URL of files and pages about this test; those in `folder` are added. classes: of the ground truth.
    """
    files = {name: name for name in ("metrics.csv", "metrics.json", "dicomseg/") if (folder / name).exists()}
    doc = page(title, links=files | dict(links or {}))
    with doc.main:
        with tags.p(cls="note"):
            text(" · ".join(f"{name}: {_listed(value)}" for name, value in settings.items()))
        if evaluation.scored:
            _scores(folder, evaluation, settings)
        else:
            tags.p(f"{len(evaluation.rows)} images without ground truth, so there are no scores.")
        show_trust(evaluation.rows, evaluation.summary)
        mask = f"mask, threshold {settings['threshold']}" if "threshold" in settings else "mask"
        _images(folder, evaluation, winsize, mask, classes)
    write_page(folder / "index.html", doc)


def _listed(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _scores(folder: Path, evaluation: Evaluation, settings: Mapping[str, Any]) -> None:
    from util.show import plots

    summary, main = evaluation.summary, TITLES[evaluation.columns[0]]
    for message in summary.get("faults", []):
        tags.p(f"Check these pictures: {message}.", cls="warning")
    for message in summary.get("contradictions", []):
        tags.p(f"These scores contradict each other: {message}", cls="warning")
    tags.h2("Scores")
    _table(evaluation)
    tags.p(
        "Mean: average over images. Pooled: computed from the pixels of all images together. In brackets: 95 % "
        "intervals by bootstrap over patients. Masks are compared at the original size of the ground truth. ",
        tags.a("metrics.csv", href="metrics.csv"),
        " has the scores of every image, ",
        tags.a("metrics.json", href="metrics.json"),
        " has this table.",
        cls="note",
    )
    for sentence in undefined_in_words(summary, TITLES):
        tags.p(sentence, cls="note")
    if any("detection" in part for part in parts(summary).values()):
        tags.h2("With and without a finding")
        _detection_table(summary)
    if "uncertainty" in summary:
        tags.h2("Uncertainty")
        tags.p(uncertainty.in_words(summary["uncertainty"], main), cls="note")
    show_calibration(summary, len(evaluation.class_names))
    if "class_iou" in summary:
        tags.h2("IoU of each class")
        _class_table(summary["class_iou"])
    tags.h2("Spread")
    with tags.div(cls="figures"):
        plots.histogram_plot(_by_source(evaluation), main, folder / "histogram.png")
        tags.figure(tags.img(src="histogram.png", alt=f"histogram of {main}"), cls="plot")
        if evaluation.histograms is not None:
            curve = threshold_curve(evaluation.histograms)
            plots.threshold_plot(curve, float(settings["threshold"]), folder / "thresholds.png")
            caption = tags.figcaption(_about_thresholds(settings))
            tags.figure(tags.img(src="thresholds.png", alt="Dice and IoU by threshold"), caption, cls="plot")


def _by_source(evaluation: Evaluation) -> dict[str, list[float]]:
    """The main score of the images of each source."""
    groups: dict[str, list[float]] = {}
    for row in evaluation.rows:
        groups.setdefault(row["source"] or "all images", []).append(row[evaluation.columns[0]])
    return dict(sorted(groups.items()))


def _about_thresholds(settings: Mapping[str, Any]) -> str:
    if "threshold chosen on" in settings and settings["phase"] == "val":
        caption = "The threshold was chosen on these same images, which makes their scores a little too good."
    else:
        caption = "For information only: the threshold was fixed before this test. Never choose it on test images."
    if others := [n for n in ("only images with", "fill_holes", "min_area", "keep_largest") if n in settings]:
        caption += f" The curves show the threshold alone, without {', '.join(others)}."
    return caption


def _table(evaluation: Evaluation) -> None:
    summary, columns = evaluation.summary, evaluation.columns
    with score_table(("", "images", *(TITLES[name] for name in columns))):
        for part, numbers in parts(summary).items():
            for kind, title in (("macro", "mean"), ("micro", "pooled")):
                with tags.tr():
                    tags.th(f"{part}, {title}", scope="row")
                    tags.td(str(numbers["images"]) if kind == "macro" else "")
                    for name in columns:
                        _cell(name, numbers[kind].get(name), numbers["interval"][kind].get(name))


def _detection_table(summary: Mapping) -> None:
    columns = ("dice_positives", "dice_all", "sensitivity", "specificity", "auc")
    with score_table(("", "with", "without", *(TITLES[name] for name in columns))):
        for part, numbers in parts(summary).items():
            if detection := numbers.get("detection"):
                with tags.tr():
                    tags.th(part, scope="row")
                    tags.td(str(detection["positives"]))
                    tags.td(str(detection["negatives"]))
                    for name in columns:
                        _cell(name, detection[name], detection["interval"][name])
    tags.p(
        "An image is positive if its ground truth has foreground. Dice is averaged over the positive images, and over "
        "all images: it is 1 if ground truth and mask are both empty, and 0 if only one of them is. Sensitivity and "
        "specificity count an image as detected if its mask has any foreground. AUC ranks images by the mean of the "
        "highest thousandth of their foreground values (image_score in metrics.csv).",
        cls="note",
    )


def _cell(name: str, value: float | None, interval: list[float] | None) -> None:
    cell = tags.td("" if value is None else _number(name, value))
    if value is not None and interval:
        cell.add(tags.small(f"[{_number(name, interval[0])}, {_number(name, interval[1])}]"))


def _number(name: str, value: float) -> str:
    return f"{value:.2f}" if name in SURFACE else f"{value:.4f}"


def _class_table(class_iou: Mapping[str, float | None]) -> None:
    with score_table(class_iou), tags.tr():
        for value in class_iou.values():
            tags.td("absent" if value is None else f"{value:.4f}")


def _images(folder: Path, evaluation: Evaluation, winsize: int, mask: str, classes: ClassMap | None) -> None:
    rows, columns = evaluation.rows, evaluation.columns if evaluation.scored else []
    extras = {expected.COLUMN: "expected Dice", uncertainty.LABEL: uncertainty.LABEL}
    values = {name: TITLES[name] for name in columns}
    values |= {name: title for name, title in extras.items() if rows and name in rows[0]}
    main = next((name for name in values if name != uncertainty.LABEL), "")
    if main:
        rows = sorted(rows, key=lambda row: np.nan_to_num(row[main], nan=2.0))  # undefined scores last
    tags.h2("Images")
    _legend(evaluation, classes)
    if len(rows) > MOST_IMAGES:
        tags.p(f"The first {MOST_IMAGES} of {len(rows)} images; the pictures of all are in images/ and masks/.")
    cards = [
        Card(
            row["id"],
            _pictures(folder, row["id"], mask),
            _facts(row, columns),
            row["source"],
            {name: row[name] for name in values},
        )
        for row in rows[:MOST_IMAGES]
    ]
    binary = evaluation.binary or classes is None or classes.binary
    gallery(cards, f"lowest {values[main]} first" if main else "as listed", values, winsize, tinted=binary)


def _pictures(folder: Path, name: str, mask: str) -> list[Picture]:
    """The pictures of an image that are in the folder."""
    labels = ("real", "fake", "real_A", "fake_B", uncertainty.LABEL, "rec_A", "real_B", "fake_A", "rec_B", "within")
    images = [(label, Path("images") / f"{name}_{label}.png") for label in labels]
    masks, overlays, differences = (Path(kind) / f"{name}.png" for kind in ("masks", "overlays", "differences"))
    drawn = [(mask, masks), ("overlay", overlays), ("difference", differences)]
    return [
        Picture(label, path, _shown(folder, path), *((masks, _shown(folder, masks)) if path == overlays else ()))
        for label, path in images + drawn
        if (folder / path).exists()
    ]


def _shown(folder: Path, path: Path) -> Path:
    """The smaller copy of a picture for the page, if there is one."""
    small = (Path("thumbs") / path).with_suffix(".jpg")
    return small if (folder / small).exists() else path


def _facts(row: Mapping[str, Any], columns: list[str]) -> str:
    details = ("precision", "recall", "hd95_px", "hd95_mm", "pixel_accuracy")
    shown = columns[:2] + [name for name in columns[2:] if name in details]
    facts = [f"{TITLES[name]} {_number(name, row[name])}" for name in shown if not np.isnan(row[name])]
    if expected.COLUMN in row:
        facts.append(f"expected Dice {row[expected.COLUMN]:.3f}")
    if row.get(COLUMN):
        facts.append(f"implausible: {row[COLUMN]}")
    if uncertainty.LABEL in row:
        facts.append(f"uncertainty {row[uncertainty.LABEL]:.4f}")
    if row["patient"] not in ("", row["id"]):
        facts.append(f"patient {row['patient']}")
    return " · ".join(facts + [row["source"]] * bool(row["source"]))


def _legend(evaluation: Evaluation, classes: ClassMap | None) -> None:
    if evaluation.binary:
        with tags.p(cls="note"):
            text("Overlay: outlines of")
            colour_key(PREDICTION, "prediction")
            colour_key(TRUTH, "ground truth")
            colour_key(BOTH, "both")
            tags.br()
            text("Difference:")
            colour_key((205, 205, 205), "correct foreground")
            colour_key(PREDICTION, "false positive")
            colour_key(TRUTH, "false negative")
            colour_key(OPEN, "void, not scored")
        tags.p(ABOUT_TINTS, cls="note")
    elif evaluation.scored:
        with tags.p(cls="note"):
            text("Overlay: predicted classes. Difference:")
            colour_key(PREDICTION, "wrong class")
            colour_key(OPEN, "void, not scored")
        if classes is not None:
            class_key(classes)
