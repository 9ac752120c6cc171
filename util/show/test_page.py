"""index.html of a test: the scores with their intervals, how they are spread, and every image, worst first."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from dominate import tags
from dominate.util import text

from util.score import uncertainty
from util.score.evaluate import SURFACE, Evaluation
from util.score.metrics import threshold_curve
from util.score.summary import parts
from util.show import plots
from util.show.pages import colour_key, page, picture_row, write_page
from util.show.pictures import BOTH, OPEN, PREDICTION, TRUTH

TITLES = {
    "dice": "Dice",
    "iou": "IoU",
    "miou": "mIoU",
    "precision": "precision",
    "recall": "recall",
    "specificity": "specificity",
    "accuracy": "accuracy",
    "hd95_px": "HD95 (px)",
    "assd_px": "ASSD (px)",
    "hd95_mm": "HD95 (mm)",
    "assd_mm": "ASSD (mm)",
    "pixel_accuracy": "pixel accuracy",
    "class_accuracy": "class accuracy",
    "fwiou": "fw IoU",
    "void_rate": "void rate",
    "dice_positives": "Dice, positives only",
    "dice_all": "Dice, all images",
    "sensitivity": "sensitivity",
    "auc": "AUC",
}


def write_test_page(
    folder: Path, title: str, evaluation: Evaluation, settings: Mapping[str, object], winsize: int = 256
) -> None:
    """Write index.html and its figures beside the pictures that are already in `folder`.

    settings: what the scores depend on, shown as "name: value"; winsize: width of a picture on the page in pixels.
    """
    doc = page(title)
    with doc.body:
        with tags.p(cls="note"):
            text(" · ".join(f"{name}: {_listed(value)}" for name, value in settings.items()))
        if evaluation.scored:
            _scores(folder, evaluation, settings)
        else:
            tags.p(f"{len(evaluation.rows)} images, without ground truth to score against.")
        cut = f"mask, cut-off {settings['threshold']}" if "threshold" in settings else "mask"
        _images(folder, evaluation, winsize, cut)
    write_page(folder / "index.html", doc)


def _listed(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _scores(folder: Path, evaluation: Evaluation, settings: Mapping[str, object]) -> None:
    summary, best = evaluation.summary, evaluation.columns[0]
    for message in summary.get("contradictions", []):
        tags.p(f"These scores contradict each other: {message}", cls="warning")
    tags.h2("Scores")
    _table(evaluation)
    tags.p(
        "Mean: over images. Pooled: one count over all pixels of all images. In brackets 95 % intervals, by bootstrap "
        "over patients. Compared at the original size of the ground truth. ",
        tags.a("metrics.csv", href="metrics.csv"),
        " has every image, ",
        tags.a("metrics.json", href="metrics.json"),
        " these sums.",
        cls="note",
    )
    for name, number in summary["undefined"].items():
        tags.p(
            f"{TITLES[name]} is undefined for {number} of {summary['images']} images (an empty mask); "
            "its mean leaves them out.",
            cls="note",
        )
    if any("detection" in part for part in parts(summary).values()):
        tags.h2("With and without a finding")
        _detection_table(summary)
    if "uncertainty" in summary:
        tags.h2("Uncertainty")
        tags.p(uncertainty.in_words(summary["uncertainty"], TITLES[best]), cls="note")
    if "class_iou" in summary:
        tags.h2("IoU of each class")
        _class_table(summary["class_iou"])

    tags.h2("Spread")
    groups: dict[str, list[float]] = {}
    for row in evaluation.rows:
        groups.setdefault(row["source"] or "all images", []).append(row[best])
    plots.histogram_plot(dict(sorted(groups.items())), TITLES[best], folder / "histogram.png")
    with tags.div(cls="figures"):
        tags.figure(tags.img(src="histogram.png", alt=f"histogram of {TITLES[best]}"))
        if evaluation.histograms is not None:
            chosen = float(settings["threshold"])
            more = [name for name in ("only images with", "fill_holes", "min_area", "keep_largest") if name in settings]
            plots.threshold_plot(threshold_curve(evaluation.histograms), chosen, folder / "thresholds.png")
            caption = "For information only: the threshold was fixed before this test; never choose it on test images."
            if "threshold chosen on" in settings and settings["phase"] == "val":
                caption = "The threshold was chosen on these very images, so that their scores flatter it a little."
            if more:
                caption += f" Thresholds alone, without {', '.join(more)}."
            tags.figure(tags.img(src="thresholds.png", alt="Dice and IoU by threshold"), tags.figcaption(caption))


def _table(evaluation: Evaluation) -> None:
    summary, columns = evaluation.summary, evaluation.columns
    with tags.div(cls="scroll"), tags.table(cls="scores"):
        with tags.thead(), tags.tr():
            tags.th("")
            tags.th("images")
            for name in columns:
                tags.th(TITLES[name])
        with tags.tbody():
            for part, numbers in parts(summary).items():
                for kind, title in (("macro", "mean"), ("micro", "pooled")):
                    with tags.tr():
                        tags.th(f"{part}, {title}")
                        tags.td(str(numbers["images"]) if kind == "macro" else "")
                        for name in columns:
                            _cell(name, numbers[kind].get(name), numbers["interval"][kind].get(name))


def _detection_table(summary: Mapping) -> None:
    columns = ("dice_positives", "dice_all", "sensitivity", "specificity", "auc")
    with tags.div(cls="scroll"), tags.table(cls="scores"):
        with tags.thead(), tags.tr():
            for title in ("", "with", "without", *(TITLES[name] for name in columns)):
                tags.th(title)
        with tags.tbody():
            for part, numbers in parts(summary).items():
                if found := numbers.get("detection"):
                    with tags.tr():
                        tags.th(part)
                        tags.td(str(found["positives"]))
                        tags.td(str(found["negatives"]))
                        for name in columns:
                            _cell(name, found[name], found["interval"][name])
    tags.p(
        "Means over images with foreground in the truth (positives), without, or all. Dice of all images: 1 where "
        "truth and mask are both empty, 0 where one of them is. Sensitivity, specificity: an image is called positive "
        "if its mask has any foreground. AUC: by the mean of the highest thousandth of an image's foreground values "
        "(image_score in metrics.csv).",
        cls="note",
    )


def _cell(name: str, value: float | None, interval: list[float] | None) -> None:
    cell = tags.td("" if value is None else _number(name, value))
    if value is not None and interval:
        cell.add(tags.small(f"[{_number(name, interval[0])}, {_number(name, interval[1])}]"))


def _number(name: str, value: float) -> str:
    return f"{value:.2f}" if name in SURFACE else f"{value:.4f}"


def _class_table(class_iou: Mapping[str, float | None]) -> None:
    with tags.div(cls="scroll"), tags.table(cls="scores"):
        with tags.thead(), tags.tr():
            for name in class_iou:
                tags.th(name)
        with tags.tbody(), tags.tr():
            for value in class_iou.values():
                tags.td("absent" if value is None else f"{value:.4f}")


def _images(folder: Path, evaluation: Evaluation, winsize: int, mask: str) -> None:
    rows = evaluation.rows
    if evaluation.scored:
        best = evaluation.columns[0]
        rows = sorted(rows, key=lambda row: np.nan_to_num(row[best], nan=2.0))
        tags.h2(f"Images, lowest {TITLES[best]} first")
        _legend(evaluation.binary)
    else:
        tags.h2("Images")
    for row in rows:
        cells = []
        for label, path in _pictures(row["id"], mask):
            if (folder / path).exists():
                small = (Path("thumbs") / path).with_suffix(".jpg")
                cells.append((label, path, small if (folder / small).exists() else path))
        with tags.section(cls="image"):
            with tags.h3(row["id"]):
                if evaluation.scored:
                    text("  ")
                    tags.small(_facts(row, evaluation.columns))
            picture_row(cells, winsize)


def _pictures(name: str, mask: str) -> list[tuple[str, Path]]:
    labels = ("real", "fake", "real_A", "fake_B", uncertainty.LABEL, "rec_A", "real_B", "fake_A", "rec_B", "within")
    images = [(label, Path("images") / f"{name}_{label}.png") for label in labels]
    drawn = {mask: "masks", "overlay": "overlays", "difference": "differences"}
    return [*images, *((label, Path(folder) / f"{name}.png") for label, folder in drawn.items())]


def _facts(row: Mapping[str, object], columns: list[str]) -> str:
    telling = ("precision", "recall", "hd95_px", "hd95_mm", "pixel_accuracy")
    shown = columns[:2] + [name for name in columns[2:] if name in telling]
    facts = [f"{TITLES[name]} {_number(name, row[name])}" for name in shown if not np.isnan(row[name])]
    if uncertainty.LABEL in row:
        facts.append(f"uncertainty {row[uncertainty.LABEL]:.4f}")
    if row["patient"] not in ("", row["id"]):
        facts.append(f"patient {row['patient']}")
    return " · ".join(facts + [row["source"]] * bool(row["source"]))


def _legend(binary: bool) -> None:
    with tags.p(cls="note"):
        if binary:
            text("Overlay, outlines:")
            colour_key(PREDICTION, "prediction")
            colour_key(TRUTH, "truth")
            colour_key(BOTH, "both")
            tags.br()
            text("Difference:")
            colour_key((205, 205, 205), "right foreground")
            colour_key(PREDICTION, "false positive")
            colour_key(TRUTH, "missed (false negative)")
        else:
            text("Overlay: predicted classes. Difference:")
            colour_key(PREDICTION, "wrong class")
        colour_key(OPEN, "void: not scored")
