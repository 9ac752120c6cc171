"""Is paper 000's collapse (Dice .98 in training, 0 on validation) a fault of batch norm's averages? Makes it, mends it.

    python -m benchmarks.collapse --dataroot datasets/lungs

Trains the paper's U-Net as recipes/common/000.txt says and applies the same weights with batch norm's statistics taken
in different ways: training never looks at the running averages, so they can be exchanged afterwards. Prints a table and
draws the same X-ray under each condition to results/collapse.png.
"""

import argparse
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import options.train
from benchmarks.runs import ROOT, markdown
from data import DATASETS, create_dataset
from models import MODELS
from models.base import generate, generate_with_logits
from models.losses import seg_loss
from models.networks.input_norm import add_input_norm
from models.norm_stats import inference
from util.errors import run_script

EPOCHS, BATCH = 30, 16
SCORES = ("Dice", "Dice of masks", "accuracy")
KERAS, TORCH = 0.01, 0.1  # how far an average moves a step by default; Keras writes 0.99


class KimUnet(nn.Module):
    """The U-Net of paper 000's notebook (github.com/PeterYYong/AIFFEL_quest_rs, MainQuest/Quest02): four levels, batch
    norm behind the ReLU, Keras' epsilon and Glorot's weights, 1,927,841 parameters that learn as printed there.

    float [N, 1, H, W] -> [N, 1, H, W] in [-1, 1]; no dropout, so that only batch norm knows training from testing.
    """

    multiple = 8

    def __init__(self) -> None:
        super().__init__()
        widths = (32, 64, 128, 256)
        self.down = nn.ModuleList(map(self._level, (1, *widths), widths))
        self.up = nn.ModuleList(nn.ConvTranspose2d(2 * width, width, 2, stride=2) for width in widths[-2::-1])
        self.merge = nn.ModuleList(self._level(2 * width, width) for width in widths[-2::-1])
        self.head = nn.Conv2d(widths[0], 1, 1)
        self.tanh = nn.Tanh()
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d)):
                nn.init.xavier_uniform_(layer.weight)
                nn.init.zeros_(layer.bias)

    @staticmethod
    def _level(inner: int, outer: int) -> nn.Sequential:
        convs = (nn.Conv2d(channels, outer, 3, padding=1) for channels in (inner, outer))
        return nn.Sequential(*(layer for conv in convs for layer in (conv, nn.ReLU(), nn.BatchNorm2d(outer, eps=1e-3))))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        skips = []
        for level in self.down:
            x = level(nn.functional.max_pool2d(x, 2) if skips else x)
            skips.append(x)
        x = skips.pop()
        for up, merge in zip(self.up, self.merge, strict=True):
            x = merge(torch.cat([up(x), skips.pop()], 1))
        return self.tanh(self.head(x) / 2)  # a sigmoid's logit is twice what the Tanh gets


class Condition(NamedTuple):
    """A way to apply trained weights. way: "batch" (as in training), "image", "running" or "recomputed"; momentum: how
    far the running averages moved a step (0: never); start: where they began; brightness: factor of test images."""

    title: str
    way: str
    momentum: float = 0.0
    start: str = "0 and 1"
    brightness: float = 1.0


CONDITIONS = (
    Condition("as in training: by the batch", "batch"),
    Condition("running, 0.99 (Keras)", "running", KERAS),
    Condition("running, 0.99, begun on 0..255", "running", KERAS, "0..255"),
    Condition("running, never updated", "running"),
    Condition("running, 0.9, tested on 0..255", "running", TORCH, brightness=255),
    Condition("cure: running, 0.9 (torch)", "running", TORCH),
    Condition("cure: recomputed after training", "recomputed"),
    Condition("cure: by the image", "image"),
)


def averages(net: nn.Module, part: str = "") -> list[torch.Tensor]:
    """Batch norm's running means and variances, layer by layer; `part`: only of layers with this in their name."""
    norms = (m for name, m in net.named_modules() if isinstance(m, _BatchNorm) and part in name)
    return [average for norm in norms for average in (norm.running_mean, norm.running_var)]


def put(into: Iterable[torch.Tensor], values: Iterable[torch.Tensor]) -> None:
    for average, value in zip(into, values, strict=True):
        average.copy_(value)


def brighten(images: torch.Tensor, factor: float) -> torch.Tensor:
    """`images` in [-1, 1] so that the network, which scales them to 0..1, gets 0..factor."""
    return (images + 1) * factor - 1


def measure(net: nn.Module, images: torch.Tensor) -> None:
    """Make the running averages plain means over the batches of `images`."""
    norms = [m for m in net.modules() if isinstance(m, _BatchNorm)]
    net.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean
        norm.train()
    with torch.no_grad():
        for batch in images.split(BATCH):
            generate(net, batch)


def starts(net: nn.Module, images: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    """Where averages may begin: at 0 and 1, as new layers do, or those of the contracting path as measured on images in
    0..255, near to the range that Keras' ImageNet weights of ResNet50 are made for."""
    fresh = [average.clone() for average in averages(net)]
    measure(net, brighten(images, 255))
    measured = [average.clone() for average in averages(net, "down")]
    put(averages(net), fresh)
    put(averages(net, "down"), measured)
    return {"0 and 1": fresh, "0..255": [average.clone() for average in averages(net)]}


def fit(net: nn.Module, images: torch.Tensor, truths: torch.Tensor, epochs: int) -> dict[float, list[torch.Tensor]]:
    """Train as recipes/common/000.txt says. Returns, by momentum, what averages that began at 0 would have become.

    images: float [N, 1, H, W] in [-1, 1]; truths: the same in {0, 1}.
    """
    for module in net.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = 1.0  # the "average" is what the last batch had
    found = {momentum: [torch.zeros_like(x) for x in averages(net)] for momentum in (KERAS, TORCH)}
    optimizer, loss_of = torch.optim.Adam(net.parameters(), lr=1e-4), seg_loss("dice")
    net.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(BATCH):
            _, logits = generate_with_logits(net, images[chosen])
            loss = loss_of(logits, truths[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for momentum, kept in found.items():
                for average, last in zip(kept, averages(net), strict=True):
                    average.lerp_(last, momentum)
    return found


def probabilities(net: nn.Module, images: torch.Tensor, way: str) -> torch.Tensor:
    """Of foreground, float [N, 1, H, W] in [0, 1]; `way` of a Condition, the averages as they are in `net`."""
    with torch.no_grad(), inference(net, "image" if way == "image" else "running"):
        if way == "batch":
            net.train()
        return (torch.cat([generate(net, batch) for batch in images.split(BATCH)]) + 1) / 2


def scores(found: torch.Tensor, truths: torch.Tensor) -> tuple[float, float, float]:
    """The paper's Dice, of the probabilities themselves; mean Dice of the masks at 0.5; accuracy of those."""
    masks = (found >= 0.5).float()
    soft = 2 * (found * truths).sum() / (found.sum() + truths.sum())
    sums = (masks + truths).sum((1, 2, 3))
    hard = 2 * (masks * truths).sum((1, 2, 3)) / sums
    return float(soft), float(hard.mean()), float((masks == truths).float().mean())


def load(dataroot: str, phase: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images in [-1, 1] and truths in {0, 1} of the paper's recipe, float [N, 1, 128, 128]."""
    argv = [f"@{ROOT / 'recipes/common/000.txt'}", "--dataroot", dataroot, "--input_nc", "1"]
    batches = list(create_dataset(options.train.parse(MODELS, DATASETS, argv), phase, train=False))
    return torch.cat([batch["A"] for batch in batches]), (torch.cat([batch["B"] for batch in batches]) + 1) / 2


def draw(path: Path, pictures: dict[str, torch.Tensor]) -> None:
    """Pictures [H, W] in 0..1 by their titles, two rows."""
    columns = -(-len(pictures) // 2)
    figure = Figure(figsize=(2 * columns, 5), layout="constrained")
    axes = figure.subplots(2, columns).ravel()
    for axis in axes:
        axis.axis("off")
    for axis, (title, picture) in zip(axes, pictures.items(), strict=False):
        axis.imshow(picture, cmap="gray", vmin=0, vmax=1)
        axis.set_title(title, fontsize=8)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataroot", required=True, help="folder with images/, masks/ and splits.csv")
    parser.add_argument("--results_dir", type=Path, default=Path("results"))
    args = parser.parse_args()

    sets = {phase: load(args.dataroot, phase) for phase in ("train", "val")}
    images, truths = sets["train"]
    torch.manual_seed(0)
    net = add_input_norm(KimUnet(), "unit", 1)
    begun = starts(net, images)
    found = fit(net, images, truths, EPOCHS)
    steps = EPOCHS * -(-len(images) // BATCH)

    empty = [scores(torch.zeros_like(truths), truths) for _, truths in sets.values()]
    pictures = {"X-ray": (sets["val"][0][0, 0] + 1) / 2, "truth": sets["val"][1][0, 0]}
    rows = [_row("an empty mask", *empty)]
    for title, way, momentum, start, brightness in CONDITIONS:
        if way == "recomputed":
            measure(net, images)
        else:
            left = (1 - momentum) ** steps
            moved = found[momentum] if momentum else [0.0] * len(begun[start])
            put(averages(net), [left * begin + x for begin, x in zip(begun[start], moved, strict=True)])
        maps = [probabilities(net, brighten(seen, brightness), way) for seen, _ in sets.values()]
        train, val = (scores(p, truth) for p, (_, truth) in zip(maps, sets.values(), strict=True))
        rows.append(_row(title, train, val))
        pictures[title.replace(", ", "\n").replace(": ", ":\n")] = maps[1][0, 0]
    draw(args.results_dir / "collapse.png", pictures)
    print(markdown(["statistics", *(f"{phase} {score}" for phase in sets for score in SCORES)], rows))


def _row(title: str, *of_sets: tuple[float, float, float]) -> list[str]:
    return [title, *(f"{value:.3f}" for values in of_sets for value in values)]


if __name__ == "__main__":
    run_script(main)
