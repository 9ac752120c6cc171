"""index.html of forgetting.py: the same inputs before and after, the result matrix, costs, the curve, plain words."""

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from dominate import tags
from dominate.util import text

from util.forgetting.seeds import deviation
from util.forgetting.study import Measured, Method, Study, score_name
from util.forgetting.words import NAMES, caveats, summary
from util.show import plots
from util.show.pages import link, page, write_page
from util.show.pictures import save_png, to_picture

OURS = {"index.html", "forgetting.json", "forgetting.csv", "images", "costs.png", "curve.png"}
TITLES = {
    "dice": "Dice",
    "iou": "IoU",
    "miou": "mIoU",
    "precision": "precision",
    "recall": "recall",
    "pixel_accuracy": "pixel accuracy",
    "class_accuracy": "class accuracy",
    "fwiou": "fw IoU",
    "void_rate": "void rate",
    "l1": "L1 drift",
    "psnr": "PSNR drift (dB)",
    "ssim": "SSIM drift",
    "bit_equal": "bit-equal outputs",
    "cycle_l1": "cycle L1",
    "kid": "KID",
}
DRIFT = ("l1", "psnr", "ssim", "bit_equal")
FIGURES = {
    "old_after": "old task",
    "forgetting": "forgetting",
    "retention": "retention",
    "new_score": "new tasks",
    "intransigence": "intransigence",
    "average_score": "average",
    "backward_transfer": "BWT",
    "trainable": "trained, M",
    "bytes": "disk, MB",
    "training_bytes": "training, MB",
    "seconds_per_step": "s per step",
}


class Pictures:
    """Some inputs of each task, evenly chosen, and what each network makes of them; written to <folder>/images."""

    def __init__(self, folder: Path, most: int):
        self.folder, self.most = folder, most
        self.rows: dict[int, dict[str, dict[str, tuple[Path, str]]]] = {}  # [task][id of image][label]: file, score

    def add(self, task: int, data, label: str, measured: Measured) -> None:
        """Show a network's outputs for a task; what was added under this label before stays."""
        rows = self.rows.setdefault(task, {})
        for index in np.unique(np.linspace(0, len(data) - 1, self.most).round().astype(int)).tolist():
            name = data.ids[index]
            cells = rows.setdefault(name, {})
            if not cells:
                item = data[index]
                self._save(task, name, cells, "input", item["A"])
                if data.has_targets:
                    self._save(task, name, cells, "truth", item["B"])
            if label not in cells:
                row = measured.evaluation.rows[index]
                which = score_name(row)
                said = f"{NAMES[which]} {row[which]:.2f}" if which in row else ""
                self._save(task, name, cells, label, measured.outputs[index], said)

    def _save(self, task: int, name: str, cells: dict, label: str, image, said: str = "") -> None:
        path = Path("images") / f"{task}_{name}_{len(cells)}.png"
        save_png(self.folder / path, to_picture(image))
        cells[label] = path, said


def write_forgetting_page(folder: Path, study: Study, pictures: Pictures, winsize: int = 200) -> None:
    """Write index.html and its figures beside the pictures that are already in `folder`."""
    doc = page("Forgetting: " + ", then ".join(task.name for task in study.tasks))
    with doc.body:
        with tags.p(cls="note"):
            text(
                f"donor: {study.donor} · "
                + " · ".join(f"{task.name}: {task.images} images of {task.phase}" for task in study.tasks)
            )
        for words in summary(study):
            label = next((m.label for m in study.methods if words.startswith(f"{m.label} learnt ")), "")
            if label:
                tags.p(tags.b(label), words.removeprefix(label))
            else:
                tags.p(words, cls="upshot")
        for words in caveats(study):
            tags.p(words, cls="note")
        for number, task in enumerate(study.tasks):
            which = "the old task" if not number else "the new task" if len(study.tasks) == 2 else f"new task {number}"
            tags.h2(f"{task.name}: {which}")
            _measures(study, number)
            tags.p("Pictures as the networks take them and give them.", cls="note")
            _grid(pictures.rows[number], winsize)
        tags.h2("Kept, learnt, paid")
        _figures(study)
        _proofs(study)
        tags.h2("Every network on every task")
        _matrices(study)
        tags.h2("On the way, and what it costs")
        for name, drawn in (("curve.png", _curve(study, folder)), ("costs.png", _costs(study, folder))):
            if drawn:
                tags.figure(tags.img(src=name, alt=drawn), tags.figcaption(drawn), cls="wide")
        tags.p(
            tags.a("forgetting.json", href="forgetting.json"),
            " has all figures, ",
            tags.a("forgetting.csv", href="forgetting.csv"),
            " one line a method.",
            cls="note",
        )
    write_page(folder / "index.html", doc)


def _grid(rows: Mapping[str, Mapping[str, tuple[Path, str]]], winsize: int) -> None:
    """A line of pictures for each image, a column for each network."""
    labels = list(dict.fromkeys(label for cells in rows.values() for label in cells))
    style = f"width:min({winsize}px, {88 // len(labels)}vw)"
    with tags.section(cls="image"), tags.div(cls="scroll"), tags.table():
        with tags.tr():
            for label in labels:
                tags.th(label)
        for name, cells in rows.items():
            with tags.tr():
                for label, (path, said) in cells.items():
                    picture = tags.a(
                        tags.img(src=link(path), alt=f"{label}: {name}", loading="lazy", style=style), href=link(path)
                    )
                    tags.td(picture, tags.p(name if label == "input" else said))


def _measures(study: Study, number: int) -> None:
    """A table: the donor and every method, after all was learnt, on one task."""
    rows = {"donor": study.methods[0].measures[0][number]}
    rows |= {method.label: method.measures[-1][number] for method in study.methods}
    last = number == len(study.tasks) - 1  # its drift would be that of a network from itself
    names = [name for name in TITLES if any(name in row for row in rows.values()) and not (last and name in DRIFT)]
    apart = {method.label: deviation([seed.measures[-1][number] for seed in method.seeds]) for method in study.methods}
    _table(names, TITLES, rows, apart, study.tasks[number].images)
    drift = "the donor put out" if number == 0 else "the method put out when it had learnt the task"
    words = "" if last else f"Drift is against what {drift}, for the same images, without looking at the truth."
    if "void_rate" in names:
        words += " Void rate: pixels of the prediction far from every class's colour, the sign of collapse."
    if "kid" in names:
        words += f" KID: outputs against real pictures, by the features {study.features}; compare only KID by the same."
    if words:
        tags.p(words, cls="note")


def _table(
    names: list[str],
    titles: Mapping[str, str],
    rows: Mapping[str, Mapping],
    apart: Mapping[str, Mapping],
    images: int = 0,
) -> None:
    """apart: by label, the standard deviations over seeds."""
    with tags.div(cls="scroll"), tags.table(cls="scores"):
        with tags.thead(), tags.tr():
            tags.th("")
            for name in names:
                tags.th(titles[name])
        with tags.tbody():
            for label, row in rows.items():
                with tags.tr():
                    tags.th(label)
                    for name in names:
                        value, sd = row.get(name), apart.get(label, {}).get(name)
                        words = _shown(name, value, images) if name in row else "–"
                        apart_too = sd and name != "bit_equal"
                        tags.td(f"{words}\u00a0±\u00a0{_shown(name, sd, images)}" if apart_too else words)


def _shown(name: str, value: float | None, images: int) -> str:
    if name == "psnr" and value is None:
        return "no difference"
    if value is None:
        return "–"
    if name == "bit_equal":
        return f"{value} of {images}"
    if name in ("trainable", "bytes", "training_bytes"):
        return f"{value / 1e6:.3g}"
    if name == "retention":
        return f"{value:z.0%}"
    return f"{value:z.{1 if name == 'psnr' else 3 if name == 'seconds_per_step' else 4}f}"


def _figures(study: Study) -> None:
    rows = {method.label: study.figures(method) for method in study.methods}
    _table(list(FIGURES), FIGURES, rows, {method.label: study.deviations(method) for method in study.methods})
    tags.p(
        "Forgetting: how far old tasks fell from their best score (Chaudhry et al. 2018). Retention: the share that is "
        "left of what they had above chance, chance being the best that can be had without looking at the image. New "
        "tasks: their mean score when learnt, without those that have no ground truth; intransigence: what they lack "
        "against full fine-tuning (the mean, where there are several such runs). Average score and BWT, backward "
        "transfer: Lopez-Paz and Ranzato 2017, over all tasks, whatever their score is. Trained: millions of floats; "
        "disk: files beside the donor's; training: gradients and Adam's moments of what is trained, by count.",
        cls="note",
    )


def _proofs(study: Study) -> None:
    """Three for each run whose donor stayed frozen."""
    proven = [method for method in study.methods if method.proofs]
    if not proven:
        return
    task, name = study.tasks[0], NAMES[proven[0].score_names[0]]
    tags.h2("Proofs that the donor is whole")
    with tags.div(cls="scroll"), tags.table(cls="scores"):
        with tags.thead(), tags.tr():
            for title in ("", "SHA-256 of the donor", "taken off", "outputs", f"{name} before", "after"):
                tags.th(title)
        with tags.tbody():
            for method in proven:
                lines = [(each, stage) for each in method.seeds or [method] for stage in range(1, len(each.proofs) + 1)]
                for one, stage in lines:
                    proof, found, R = one.proofs[stage - 1], one.measures[stage][0], one.R
                    equal = (
                        proof["donor"] == proof["taken_off"],
                        found["bit_equal"] == task.images,
                        R[stage, 0] == R[0, 0],
                    )
                    with tags.tr():
                        tags.th(method.label, tags.small(proof["run"]))
                        fitted = f"fitted; its file {_short(proof['on_disk'])}" if "on_disk" in proof else ""
                        tags.td(_short(proof["donor"]), tags.small(fitted))
                        tags.td(_short(proof["taken_off"]) + _mark(equal[0]))
                        tags.td(f"{found['bit_equal']} of {task.images} equal bit for bit" + _mark(equal[1]))
                        tags.td(f"{R[0, 0]:.10f}")
                        tags.td(f"{R[stage, 0]:.10f}" + _mark(equal[2]))
    tags.p(
        f"The task was put on its donor, used on new images and taken off again; what was left was hashed and "
        f"applied to {task.name} as the donor is. A donor that was fitted to a run's channels lives on in its file: "
        f"that was read anew for {task.name}.",
        cls="note",
    )


def _short(hashes: Mapping[str, str]) -> str:
    return ", ".join(f"{sha256[:12]}…" for sha256 in hashes.values())


def _mark(equal: bool) -> str:
    return " ✓" if equal else " ✗ differs"


def _matrices(study: Study) -> None:
    with tags.div(cls="figures"):
        for method in study.methods:
            with tags.figure(), tags.table(cls="scores"):
                with tags.thead(), tags.tr():
                    tags.th(method.label)
                    for task, name in zip(study.tasks, method.score_names, strict=True):
                        tags.th(task.name, tags.small(NAMES[name]))
                with tags.tbody():
                    for i, row in enumerate(method.R):
                        with tags.tr():
                            tags.th(f"after {study.tasks[i].name}", tags.small(_run(study, method, i)))
                            for j, value in enumerate(row):
                                _matrix_cell(value, learnt=i == j)


def _matrix_cell(value: float, learnt: bool) -> None:
    shade = f"background:rgba(0,114,178,{0.55 * min(max(np.nan_to_num(value), 0), 1):.2f})"
    border = ";outline:2px solid #1f2933;outline-offset:-2px" if learnt else ""
    tags.td("–" if np.isnan(value) else f"{value:z.4f}", style=shade + border)


def _run(study: Study, method: Method, stage: int) -> str:
    return method.runs[stage - 1] if stage else study.donor


def _curve(study: Study, folder: Path) -> str:
    """Draw curve.png; returns its caption, "" where no run saved epochs."""
    drawn = [method for method in study.methods if len(method.curve) > 1]
    if not drawn:
        return ""
    panels = []
    for j, task in enumerate(study.tasks):
        known = {m.label: [(p["epoch"], p["scores"][j]) for p in m.curve if p["scores"][j] is not None] for m in drawn}
        lines = {label: tuple(zip(*points, strict=True)) for label, points in known.items() if points}
        levels = {"donor": study.methods[0].R[0, j], "chance": study.methods[0].chance[j]}
        score = NAMES[study.methods[0].score_names[j]]
        panels.append((task.name, score, lines, {k: v for k, v in levels.items() if not np.isnan(v)}))
    plots.paths(panels, folder / "curve.png")
    return "What is lost while the new is learnt: scores at the epochs that the runs saved; 0 is the donor."


def _costs(study: Study, folder: Path) -> str:
    """Draw costs.png; returns its caption."""
    found = {method.label: study.figures(method) for method in study.methods}

    def panel(name: str, unit: float) -> dict[str, float | None]:
        return {label: x[name] and x[name] / unit for label, x in found.items()}

    plots.bars(
        {
            "trained floats, millions": panel("trainable", 1e6),
            "MB on disk beside the donor": panel("bytes", 1e6),
            "seconds per training step": panel("seconds_per_step", 1),
        },
        folder / "costs.png",
    )
    return "What each method costs. Seconds from loss_log.txt: compare only runs of one idle machine."
