"""Do batch norm's averages cause the collapse of paper 000 (Dice .98 in training, 0 on validation)?

    python -m benchmarks.collapse --dataroot datasets/lungs

Trains the paper's U-Net as recipes/common/000.txt says, then applies the same weights with batch norm's statistics
taken in different ways, with and without the collapse. Training never reads the running averages, so they can be
exchanged afterwards. Prints a table and draws the same X-ray under each condition to results/collapse.png.
"""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm

import options.train
from benchmarks.runs import ROOT, markdown, parser
from data import create_dataset
from models.losses import seg_loss
from models.networks.generator import Generator, generate, generate_with_logits
from models.networks.input_norm import add_input_norm
from models.norm_stats import inference
from util.errors import run_script

EPOCHS, BATCH = 30, 16
SCORES = ("Dice", "Dice of masks", "accuracy")
KERAS, TORCH = 0.01, 0.1  # share of a new batch in the average, by default; Keras writes 1 minus that, 0.99


class KimUnet(Generator):
    """The U-Net of paper 000's notebook (github.com/PeterYYong/AIFFEL_quest_rs, MainQuest/Quest02): four levels, batch
    norm after the ReLU, Keras' epsilon and Glorot's weights, 1,927,841 trainable parameters as the notebook prints.

    float [N, 1, H, W] -> [N, 1, H, W] in [-1, 1]. It has no dropout, so only batch norm acts otherwise in testing.
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
                if layer.bias is not None:
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
        return self.tanh(self.head(x) / 2)  # tanh(x / 2) is a sigmoid of x, scaled to [-1, 1]


class Condition(NamedTuple):
    """A way to apply trained weights.

    way: whose statistics batch norm uses: "batch" (as in training), "image", "running" or "recomputed". momentum: share
    of each batch in the running averages (0: they never moved). start: the averages before training. brightness: factor
    of the test images.
    """

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
    """Batch norm's running means and variances, layer by layer. part: only of layers with this in their name."""
    norms = (m for name, m in net.named_modules() if isinstance(m, _BatchNorm) and part in name)
    pairs = ((norm.running_mean, norm.running_var) for norm in norms)
    return [average for pair in pairs for average in pair if average is not None]


def put(into: Iterable[torch.Tensor], values: Iterable[torch.Tensor]) -> None:
    for average, value in zip(into, values, strict=True):
        average.copy_(value)


def brighten(images: torch.Tensor, factor: float) -> torch.Tensor:
    """Images in [-1, 1] to values that the network, which scales its input to 0..1, sees as 0..factor."""
    return (images + 1) * factor - 1


def recompute(net: Generator, images: torch.Tensor) -> None:
    """Replace the running averages by plain means over the batches of `images`."""
    norms = [m for m in net.modules() if isinstance(m, _BatchNorm)]
    net.eval()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # a plain mean
        norm.train()
    with torch.no_grad():
        for batch in images.split(BATCH):
            generate(net, batch)


def starts(net: Generator, images: torch.Tensor) -> dict[str, list[torch.Tensor]]:
    """Averages before training, by `Condition.start`.

    "0 and 1" are those of new layers. With "0..255" the contracting path has averages measured on images in 0..255,
    close to the range that Keras' ImageNet weights of ResNet50 expect.
    """
    fresh = [average.clone() for average in averages(net)]
    recompute(net, brighten(images, 255))
    measured = [average.clone() for average in averages(net, "down")]
    put(averages(net), fresh)
    put(averages(net, "down"), measured)
    return {"0 and 1": fresh, "0..255": [average.clone() for average in averages(net)]}


def fit(net: Generator, images: torch.Tensor, truths: torch.Tensor, epochs: int) -> dict[float, list[torch.Tensor]]:
    """Train as recipes/common/000.txt says. Returns the running averages of each momentum, had they begun at 0.

    images: float [N, 1, H, W] in [-1, 1]; truths: the same in {0, 1}.
    """
    for module in net.modules():
        if isinstance(module, _BatchNorm):
            module.momentum = 1.0  # the running "average" then holds the last batch's statistics
    moved = {momentum: [torch.zeros_like(x) for x in averages(net)] for momentum in (KERAS, TORCH)}
    optimizer, loss_of = torch.optim.Adam(net.parameters(), lr=1e-4), seg_loss("dice")
    net.train()
    for _ in range(epochs):
        for chosen in torch.randperm(len(images)).split(BATCH):
            _, logits = generate_with_logits(net, images[chosen])
            loss = loss_of(logits, truths[chosen])
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            for momentum, running in moved.items():
                for average, last in zip(running, averages(net), strict=True):
                    average.lerp_(last, momentum)
    return moved


def probabilities(net: Generator, images: torch.Tensor, way: str) -> torch.Tensor:
    """Probability of foreground, float [N, 1, H, W] in [0, 1]. way: as in `Condition`, with the averages in `net`."""
    with torch.no_grad(), inference(net, "image" if way == "image" else "running"):
        if way == "batch":
            net.train()
        return (torch.cat([generate(net, batch) for batch in images.split(BATCH)]) + 1) / 2


def scores(foreground: torch.Tensor, truths: torch.Tensor) -> tuple[float, float, float]:
    """The paper's Dice, which takes probabilities; mean Dice of the masks at 0.5; accuracy of these masks."""
    masks = (foreground >= 0.5).float()
    soft = 2 * (foreground * truths).sum() / (foreground.sum() + truths.sum())
    sums = (masks + truths).sum((1, 2, 3))
    hard = 2 * (masks * truths).sum((1, 2, 3)) / sums
    return float(soft), float(hard.mean()), float((masks == truths).float().mean())


def load(dataroot: str, phase: str) -> tuple[torch.Tensor, torch.Tensor]:
    """Images in [-1, 1] and ground truths in {0, 1} of the paper's recipe, float [N, 1, 128, 128]."""
    argv = [f"@{ROOT / 'recipes/common/000.txt'}", "--dataroot", dataroot, "--input_nc", "1"]
    batches = list(create_dataset(options.train.parse(argv), phase, train=False))
    return torch.cat([batch["A"] for batch in batches]), (torch.cat([batch["B"] for batch in batches]) + 1) / 2


def draw(path: Path, pictures: dict[str, torch.Tensor]) -> None:
    """Draw pictures, float [H, W] in 0..1 by their titles, in two rows."""
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
    flags = parser(__doc__)
    flags.add_argument("--dataroot", required=True, help="folder with images/, masks/ and splits.csv")
    flags.add_argument("--results_dir", type=Path, default=Path("results"))
    args = flags.parse_args()

    sets = {phase: load(args.dataroot, phase) for phase in ("train", "val")}
    images, truths = sets["train"]
    torch.manual_seed(0)
    net = add_input_norm(KimUnet(), "unit", 1)
    begun = starts(net, images)
    moved = fit(net, images, truths, EPOCHS)
    steps = EPOCHS * -(-len(images) // BATCH)

    pictures = {"X-ray": (sets["val"][0][0, 0] + 1) / 2, "truth": sets["val"][1][0, 0]}
    rows = [_row("an empty mask", *(scores(torch.zeros_like(truth), truth) for _, truth in sets.values()))]
    for condition in CONDITIONS:
        if condition.way == "recomputed":
            recompute(net, images)
        else:
            put(averages(net), averages_of(condition, begun[condition.start], moved, steps))
        maps = [probabilities(net, brighten(shown, condition.brightness), condition.way) for shown, _ in sets.values()]
        rows.append(
            _row(condition.title, *(scores(p, truth) for p, (_, truth) in zip(maps, sets.values(), strict=True)))
        )
        pictures[condition.title.replace(", ", "\n").replace(": ", ":\n")] = maps[1][0, 0]
    draw(args.results_dir / "collapse.png", pictures)
    print(markdown(["statistics", *(f"{phase} {score}" for phase in sets for score in SCORES)], rows))


def averages_of(
    condition: Condition, begun: list[torch.Tensor], moved: dict[float, list[torch.Tensor]], steps: int
) -> list[torch.Tensor]:
    """The averages that a training of so many steps would have left under a condition.

    A running average equals the one that started at 0 plus the decayed start.
    """
    if not condition.momentum:
        return begun
    remains = (1 - condition.momentum) ** steps
    return [remains * start + x for start, x in zip(begun, moved[condition.momentum], strict=True)]


def _row(title: str, *of_sets: tuple[float, float, float]) -> list[str]:
    return [title, *(f"{value:.3f}" for values in of_sets for value in values)]


if __name__ == "__main__":
    run_script(main)
