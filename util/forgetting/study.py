"""What forgetting.py finds out: scores of every run on every task, drift, costs, and the figures drawn from them."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch
from torch import nn

from util.forgetting import continual, seeds
from util.forgetting.drift import drift, ssim_chance
from util.forgetting.kid import kernel_distance
from util.run.log import read_losses
from util.score.evaluate import Evaluation, evaluate
from util.score.mask_rule import MaskRule

FLOAT = 4  # bytes
TRAINING = (
    "model",
    "n_epochs",
    "n_epochs_decay",
    "max_dataset_size",
    "train_images",
    "fold",
    "source",
    "balance",
    "batch_size",
    "load_size",
    "crop_size",
    "patch",
    "augment",
    "optimizer",
    "lr",
    "lr_policy",
    "weight_decay",
    "ema",
    "lambda_L1",
    "lambda_seg",
    "seg_loss",
    "early_stop",
    "seed",
)
FROM_DONOR = ("finetune", "scratch")  # values of --adapt that leave a whole generator and no task


@dataclass
class Measured:
    """A network on a task. measures: name to value; outputs: float [C, h, w] in [-1, 1], one an image."""

    evaluation: Evaluation
    measures: dict[str, float | int | None]
    outputs: list[torch.Tensor]


def score_name(measures: Mapping[str, object]) -> str:
    """Which measure stands in the result matrix: Dice (two classes), mIoU (many), else SSIM to what the task's own run
    put out when it had learnt it."""
    return next((name for name in ("dice", "miou") if name in measures), "ssim")


def measure(model, loader, rule: MaskRule, channels: tuple[int, int], features: nn.Module) -> Measured:
    """Apply a model to a data set. With classes: its scores; without: KID against the set's targets, if it has any.

    channels: what the model takes and gives; data with others are shown to it in grey, or its grey as colour.
    features: of images [N, C, H, W], those that KID is by.
    """
    data = loader.dataset
    outputs: list[torch.Tensor | None] = [None] * len(data)
    cycles: list[float] = []

    def keep(image) -> None:
        outputs[image.index] = image.fake
        if "rec_A" in image.companions:
            cycles.append(float((image.companions["rec_A"] - data[image.index]["A"]).abs().mean() / 2))

    first = data[0]
    wanted = (first["A"].shape[0], first["B"].shape[0] if "B" in first else channels[1])
    fitting = model if wanted == channels else _Refitted(model, channels[0], wanted[1])
    evaluation = evaluate(fitting, loader, rule, on_image=keep)
    measures: dict[str, float | int | None] = dict(evaluation.means)
    if cycles:
        measures["cycle_l1"] = float(np.mean(cycles))
    if not evaluation.scored and "B" in first and len(data) > 1:
        real = torch.cat([features(data[i]["B"][None]) for i in range(len(data))])
        measures["kid"] = kernel_distance(torch.cat([features(image[None]) for image in outputs]), real)
    return Measured(evaluation, measures, outputs)


class _Refitted:
    """A model on data with another number of channels."""

    def __init__(self, model, takes: int, gives: int):
        self._model, self._takes, self._gives = model, takes, gives

    def translate(self, images: torch.Tensor) -> torch.Tensor:
        return _recoloured(self._model.translate(_recoloured(images, self._takes)), self._gives)

    def companions(self, batch: dict) -> dict[str, torch.Tensor]:
        return {}


def _recoloured(images: torch.Tensor, channels: int) -> torch.Tensor:
    if images.shape[1] == channels:
        return images
    return images.mean(1, keepdim=True) if channels == 1 else images.expand(-1, channels, -1, -1)


@dataclass(frozen=True)
class Task:
    """A data set that something is to be done with. images: how many were looked at."""

    name: str
    phase: str
    images: int


@dataclass
class Method:
    """One way to learn all tasks. runs: the run that learnt each new task; adapt: how (--adapt)."""

    label: str
    runs: list[str]
    adapt: str
    measures: list[list[dict]] = field(default_factory=list)  # [after task i][on task j]
    chance: list[float] = field(default_factory=list)  # of each task
    costs: list[dict[str, float | int | None]] = field(default_factory=list)  # of each run
    curve: list[dict] = field(default_factory=list)  # {"epoch": int, "scores": one each task}
    training: list[dict] = field(default_factory=list)  # of each run: how it was trained, where that is recorded
    seeds: list["Method"] = field(default_factory=list)  # what its figures are means of, see `merge`
    strangers: list[str] = field(default_factory=list)  # what is odd about where its runs started, in words
    proofs: list[dict] = field(default_factory=list)  # of each run with a frozen donor: its hashes before and after

    @property
    def score_names(self) -> list[str]:
        """Which measure is the score of each task."""
        return [score_name(row[i]) for i, row in enumerate(self.measures)]

    @property
    def R(self) -> np.ndarray:
        """The result matrix [T, T], see util.forgetting.continual."""
        names = self.score_names
        return np.array([[_number(row[j].get(name)) for j, name in enumerate(names)] for row in self.measures])


def merge(found: Sequence[Method]) -> Method:
    """Several runs of one way, each measured by itself, as one method: means over them, proofs of all."""
    first, *others = found
    if not others:
        return first
    return Method(
        first.label,
        ["+".join(runs) for runs in zip(*(m.runs for m in found), strict=True)],
        first.adapt,
        [
            [seeds.mean(cells) for cells in zip(*rows, strict=True)]
            for rows in zip(*(m.measures for m in found), strict=True)
        ],
        np.mean([m.chance for m in found], 0).tolist(),
        [seeds.mean(costs) for costs in zip(*(m.costs for m in found), strict=True)],
        seeds.mean_curve([m.curve for m in found]) if all(m.curve for m in found) else [],
        [seeds.settings(each) for each in zip(*(m.training for m in found), strict=True)],
        list(found),
        [words for m in found for words in m.strangers],
        [proof for m in found for proof in m.proofs],
    )


@dataclass
class Study:
    """Everything that the page and the files beside it show."""

    donor: str
    donor_costs: dict[str, float | int | None]
    tasks: list[Task]
    methods: list[Method]
    features: str  # by which KID is, their name

    def reference(self) -> np.ndarray | None:
        """What full fine-tuning reached on each task, the mean over all such methods [T]; None if there is none."""
        free = [np.diagonal(m.R) for m in self.methods if m.adapt == "finetune"]
        return np.mean(free, 0) if free else None

    def retention(self, method: Method, task: int) -> float | None:
        """What a method kept of a task, see util.forgetting.continual; the mean over seeds."""
        if method.seeds:
            return seeds.mean([{"kept": self.retention(seed, task)} for seed in method.seeds])["kept"]
        return continual.retention(method.R[-1, task], method.R[task, task], method.chance[task])

    def whole(self, method: Method) -> bool:
        """Whether the method's outputs for all earlier tasks are still the same, bit for bit."""
        last = method.measures[-1][:-1]
        return all(m["bit_equal"] == task.images for m, task in zip(last, self.tasks[:-1], strict=True))

    def figures(self, method: Method) -> dict[str, float | None]:
        """The method's line in the table: what it kept, learnt and cost. What it learnt is a mean over the new tasks
        with a ground truth; costs are sums over its runs. Of several seeds: the mean."""
        if method.seeds:
            return seeds.mean([self.figures(seed) for seed in method.seeds])
        R, reference = method.R, self.reference()
        scored = [j for j, name in enumerate(method.score_names) if j == 0 or name != "ssim"]  # the others' is 1
        among = R[np.ix_(scored, scored)]
        kept = [self.retention(method, task) for task in range(len(R) - 1)]
        found = {
            "old_before": R[0, 0],
            "old_after": R[-1, 0],
            "forgetting": continual.forgetting(R),
            "retention": None if None in kept else float(np.mean(kept)),
            "new_score": float(np.diagonal(among)[1:].mean()) if len(among) > 1 else None,
            "intransigence": None
            if reference is None or len(among) < 2
            else (continual.intransigence(among, reference[scored])),
            "average_score": continual.average_score(R),
            "backward_transfer": continual.backward_transfer(R),
        }
        for name in ("trainable", "bytes", "training_bytes"):
            found[name] = sum(cost[name] for cost in method.costs)
        times = [cost["seconds_per_step"] for cost in method.costs]
        found["seconds_per_step"] = None if None in times else float(np.mean(times))
        return {name: value if value is None else float(value) for name, value in found.items()}

    def deviations(self, method: Method) -> dict[str, float]:
        """The figures' standard deviations over seeds; {} of a single one."""
        return seeds.deviation([self.figures(seed) for seed in method.seeds])

    def as_json(self) -> dict:
        """All figures, for forgetting.json; what is undefined is null."""
        methods = {
            m.label: {
                "runs": m.runs,
                "adapt": m.adapt,
                "R": [[_plain(x) for x in row] for row in m.R],
                "figures": self.figures(m),
                "chance": m.chance,
                "measures": m.measures,
                "costs": m.costs,
                "curve": m.curve,
                "training": m.training,
                "proofs": m.proofs,
                "figures_sd": self.deviations(m),
                "seeds": [
                    {
                        "runs": seed.runs,
                        "R": [[_plain(x) for x in row] for row in seed.R],
                        "figures": self.figures(seed),
                        "measures": seed.measures,
                    }
                    for seed in m.seeds
                ],
            }
            for m in self.methods
        }
        tasks = [vars(task) for task in self.tasks]
        return {
            "donor": {"name": self.donor} | self.donor_costs,
            "tasks": tasks,
            "methods": methods,
            "features of kid": self.features,
        }

    def write_csv(self, path: Path) -> None:
        """One line a method: its figures, and where there are seeds their standard deviations."""
        lines = [
            {"method": m.label, "runs": " ".join(m.runs), "adapt": m.adapt}
            | self.figures(m)
            | {f"{name}_sd": x for name, x in self.deviations(m).items()}
            for m in self.methods
        ]
        with path.open("w", newline="", encoding="utf-8") as file:
            columns = list(dict.fromkeys(name for line in lines for name in line))
            writer = csv.DictWriter(file, columns, lineterminator="\n")
            writer.writeheader()
            for line in lines:
                writer.writerow({name: f"{x:z.6g}" if isinstance(x, float) else x for name, x in line.items()})


def against(measured: Measured, then: Measured | None = None) -> dict[str, float | int | None]:
    """The measures of a network on a task, with its drift from what the task's own run put out then (if known yet)."""
    return measured.measures | (drift(measured.outputs, then.outputs) if then else {})


def training(recorded: Mapping[str, object]) -> dict[str, object]:
    """Of a run's options, what made its training longer or other than another's."""
    return {name: recorded[name] for name in TRAINING if name in recorded}


def line(measured: Measured) -> str:
    """The measures of a network on a task, for people."""
    return ", ".join(f"{name} {value:z.4f}" for name, value in measured.measures.items()) or "no ground truth"


def scores(row: Sequence[Measured], learnt: Sequence[Measured]) -> list[float | None]:
    """One score a task, see `score_name`. learnt: the task's own run, when it had learnt it."""
    measures = [against(now, then) for now, then in zip(row, learnt, strict=True)]
    return [found[score_name(found)] for found in measures]


def chance(measured: Measured) -> float:
    """The score on a task that needs no look at the image."""
    if measured.evaluation.scored:
        return continual.chance_level(measured.evaluation.pooled)
    return ssim_chance(measured.outputs)


def costs(files: Sequence[Path], trainable: int, run_dir: Path, options: Mapping[str, object]) -> dict:
    """What a run costs. bytes: of its generators' files; trainable: floats that were trained; training_bytes: what
    gradients and Adam's two moments of them take; seconds_per_step: median over loss_log.txt, None without."""
    times = [row["time"] for row in read_losses(run_dir / "loss_log.txt") if row.get("time")]
    return {
        "trainable": trainable,
        "bytes": sum(path.stat().st_size for path in files),
        "training_bytes": 3 * FLOAT * trainable,
        "seconds_per_step": float(np.median(times)) * int(options.get("batch_size", 1)) if times else None,
    }


def saved_epochs(folder: Path) -> list[int]:
    """The numbered epochs of a run that are on disk, in order."""
    names = {path.name.partition("_")[0] for kind in ("net", "task") for path in folder.glob(f"*_{kind}_G*.pth")}
    return sorted(int(name) for name in names if name.isdigit())


def spread(epochs: Sequence[int], most: int) -> list[int]:
    """At most `most` of the saved epochs, first and last among them, close together where learning is fast."""
    epochs = sorted(epochs)
    if len(epochs) <= most:
        return epochs
    wanted = np.geomspace(epochs[0], epochs[-1], most) if most > 1 else [epochs[-1]]
    return sorted({min(epochs, key=lambda e: abs(e - x)) for x in wanted})


def _number(value: float | None) -> float:
    return float("nan") if value is None else float(value)


def _plain(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
