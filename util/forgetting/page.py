"""index.html of forgetting.py: the result in sentences, the same inputs before and after, tables and plots."""

from pathlib import Path

import numpy as np
from dominate import tags

from util.forgetting.pictures import NAMES, Pictures
from util.forgetting.study import Study
from util.forgetting.tables import figures_table, matrices, measures_table, proofs_table
from util.forgetting.words import caveats, summary
from util.show import plots
from util.show.gallery import Card, Picture, gallery
from util.show.pages import class_key, page, write_page

OURS = {"index.html", "forgetting.json", "forgetting.csv", "images", "sequence.png", "costs.png", "curve.png"}


def write_forgetting_page(folder: Path, study: Study, pictures: Pictures, winsize: int = 200) -> None:
    """Write index.html and its plots beside the pictures that are already in `folder`."""
    links = {name: name for name in ("forgetting.json", "forgetting.csv") if (folder / name).exists()}
    doc = page("Forgetting: " + ", then ".join(task.name for task in study.tasks), links=links)
    with doc.main:
        _result(study)
        for number, task in enumerate(study.tasks):
            which = "the old task" if not number else "the new task" if len(study.tasks) == 2 else f"new task {number}"
            tags.h2(f"{task.name}: {which}")
            measures_table(study, number)
            _pictures(pictures, number, winsize)
        tags.h2("Retention, new scores and costs")
        figures_table(study)
        proofs_table(study)
        tags.h2("Every network on every task")
        matrices(study)
        _plot("sequence.png", _sequence(study, folder))
        tags.h2("During training, and its costs")
        _plot("curve.png", _curve(study, folder))
        _plot("costs.png", _costs(study, folder))
        tags.p(
            tags.a("forgetting.json", href="forgetting.json"),
            " holds all figures, ",
            tags.a("forgetting.csv", href="forgetting.csv"),
            " one line for each method.",
            cls="note",
        )
    write_page(folder / "index.html", doc)


def _result(study: Study) -> None:
    """The donor and the test sets, the result in sentences, and what limits it."""
    sets = " · ".join(f"{task.name}: {task.images} images of {task.phase}" for task in study.tasks)
    tags.p(f"donor: {study.donor} · {sets}", cls="note")
    for paragraph in summary(study):
        label = next((m.label for m in study.methods if paragraph.startswith(f"{m.label} learnt ")), "")
        if label:
            tags.p(tags.b(label), paragraph.removeprefix(label))
        else:
            tags.p(paragraph, cls="upshot")
    for paragraph in caveats(study):
        tags.p(paragraph, cls="note")


def _pictures(pictures: Pictures, number: int, winsize: int) -> None:
    """Some inputs of a task with every network's outputs, and the meaning of their colours."""
    tags.p("Inputs and outputs at the size that the networks see. Click a picture to enlarge it.", cls="note")
    classes = pictures.classes.get(number)
    if classes is not None and classes.binary:
        tags.p("Outputs are shown before the threshold. Tints in them are traces of the donor's colours.", cls="note")
    elif classes is not None:
        class_key(classes)
    cards = [
        Card(name, [Picture(f"{label} {score}".strip(), path, path) for label, (path, score) in cells.items()])
        for name, cells in pictures.rows[number].items()
    ]
    gallery(cards, width=winsize, controls=False)


def _plot(name: str, caption: str) -> None:
    if caption:
        tags.figure(tags.img(src=name, alt=caption), tags.figcaption(caption), cls="wide plot")


def _sequence(study: Study, folder: Path) -> str:
    """Draw sequence.png; returns its caption, "" if only one task was learnt after the donor's."""
    names = [task.name for task in study.tasks]
    drawn = [method for method in study.methods if not method.alone]
    if len(names) < 3 or not drawn:
        return ""
    panels = []
    for j, name in enumerate(names[:-1]):
        lines = {method.label: (range(j, len(names)), method.R[j:, j]) for method in drawn}
        chance = drawn[0].chance[j]  # where nothing fell so low, it would only flatten the lines
        levels = {"chance": chance} if min(min(scores) for _, scores in lines.values()) < chance else {}
        panels.append((name, NAMES[drawn[0].score_names[j]], lines, levels))
    plots.paths(panels, folder / "sequence.png", names)
    return "Scores on a task from when it was learnt, after each later task."


def _curve(study: Study, folder: Path) -> str:
    """Draw curve.png; returns its caption, "" if no run saved epochs."""
    drawn = [method for method in study.methods if len(method.curve) > 1]
    if not drawn:
        return ""
    panels, first = [], study.methods[0]
    for j, task in enumerate(study.tasks):
        points = {m.label: [(p["epoch"], p["scores"][j]) for p in m.curve if p["scores"][j] is not None] for m in drawn}
        lines = {label: tuple(zip(*some, strict=True)) for label, some in points.items() if some}
        levels = {"donor": first.R[0, j], "chance": first.chance[j]}
        score = NAMES[first.score_names[j]]
        panels.append((task.name, score, lines, {name: x for name, x in levels.items() if not np.isnan(x)}))
    plots.paths(panels, folder / "curve.png")
    return "Scores on every task at the epochs that the runs saved. Epoch 0 is the donor."


def _costs(study: Study, folder: Path) -> str:
    """Draw costs.png; returns its caption."""
    figures = {method.label: study.figures(method) for method in study.methods}

    def panel(name: str, unit: float) -> dict[str, float | None]:
        return {label: (value := row[name]) and value / unit for label, row in figures.items()}

    plots.bars(
        {
            "trained floats, millions": panel("trainable", 1e6),
            "MB on disk beside the donor": panel("bytes", 1e6),
            "seconds per training step": panel("seconds_per_step", 1),
        },
        folder / "costs.png",
    )
    return "Costs of each method. Seconds come from loss_log.txt: compare only runs of one otherwise idle machine."
