"""Does transfer help, and with how many images? Learning curves on real X-rays, from a donor and from random weights.

    python -m benchmarks.few --dataroot datasets/lungs [--ways facades random] [--images 10 25 50 100 492] [--seeds 0 1]

Draws so many of the training images, others for each seed, and trains the runs that are not trained yet
(checkpoints/few_*). A smaller set gets more epochs, so that all runs see equally many images. Scores all of `val`,
prints a markdown table and draws results/few.png.
"""

import os
from pathlib import Path
from statistics import mean, stdev

from matplotlib.figure import Figure

from benchmarks.runs import lungs_parser, markdown, test, train, words
from options.flags.types import count
from util.errors import run_script

SEEN = 2952  # images in a training: 6 epochs of all 492
COMMON = words(
    "--dataset_mode masks --augment strong --load_size 256 --val_freq 0 --save_epoch_freq 1000 "
    "--display_id 0 --gpu_ids -1"
)
GAN = words("--netG unet_256 --ngf 16 --ndf 16 --lambda_L1 1000 --lr 0.0004 --pretrained facades_photo2label")
WAYS: dict[str, list[str]] = {
    "facades": [*GAN, "--adapt", "finetune"],
    "random": [*GAN, "--adapt", "scratch"],
}


def score(way: str, images: int, seed: int, dataroot: str, checkpoints_dir: Path, results_dir: Path) -> float:
    """Train a run on so many images unless it is trained already. Returns its macro Dice on `val`."""
    name, epochs = f"few_{way}_{images}_{seed}", round(SEEN / images)
    constant = epochs // 3
    flags = f"--train_images {images} --n_epochs {constant} --n_epochs_decay {epochs - constant} --seed {seed}"
    split = ["--dataroot", dataroot, "--split_seed", str(seed)]
    train(name, [*COMMON, *split, *words(flags), *WAYS[way]], checkpoints_dir)
    return test(name, ["--phase", "val", "--gpu_ids", "-1"], checkpoints_dir, results_dir)["macro"]["dice"]


def draw(curves: dict[str, dict[int, list[float]]], path: Path) -> None:
    """Plot Dice over the number of training images: a line for each start, a point for each seed."""
    figure = Figure(figsize=(6.4, 4), dpi=144, layout="constrained")
    ax = figure.subplots()
    for way, curve in curves.items():
        (line,) = ax.plot(list(curve), [mean(scores) for scores in curve.values()], label=way)
        for images, scores in curve.items():
            ax.plot([images] * len(scores), scores, "o", color=line.get_color(), ms=4, alpha=0.6)
    ax.set(xscale="log", xlabel="training images", ylabel="val Dice", xticks=list(next(iter(curves.values()))))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    ax.grid(alpha=0.25)
    ax.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> None:
    parser = lungs_parser(__doc__)
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--images", nargs="+", type=count, default=[10, 25, 50, 100, 492])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    args = parser.parse_args()

    folders = args.dataroot, args.checkpoints_dir, args.results_dir
    curves = {
        way: {n: [score(way, n, seed, *folders) for seed in args.seeds] for n in args.images} for way in args.ways
    }
    draw(curves, args.results_dir / "few.png")
    print(f"{os.cpu_count()} cores, seeds {args.seeds}\n")
    rows = [[way, *(_cell(scores) for scores in curve.values())] for way, curve in curves.items()]
    print(markdown(["start", *(f"{n} images" for n in args.images)], rows))


def _cell(scores: list[float]) -> str:
    return f"{mean(scores):.4f}" + (f" ± {stdev(scores):.4f}" if len(scores) > 1 else "")


if __name__ == "__main__":
    run_script(main)
