"""Does transfer help, and with how many images? Learning curves on real X-rays, pretrained beside random weights.

    python -m benchmarks.few --dataroot datasets/lungs [--ways facades random] [--images 10 25 50 100 492] [--seeds 0 1]

Draws that many of the training images (other ones for each seed), trains what is not trained yet (checkpoints/few_*)
for the same number of images seen, whatever the size of the set, and scores all of `val`. Prints a markdown table and
draws results/few.png.
"""

import argparse
import os
from pathlib import Path
from statistics import mean, stdev

from matplotlib.figure import Figure

from benchmarks.runs import markdown, test, train
from options.types import count
from util.errors import run_script

SEEN = 2952  # images in a training: 6 epochs of all 492
GAN = [
    "--netG",
    "unet_256",
    "--ngf",
    "16",
    "--ndf",
    "16",
    "--lambda_L1",
    "1000",
    "--lr",
    "0.0004",
    "--pretrained",
    "facades_photo2label",
]
WAYS: dict[str, list[str]] = {
    "facades": [*GAN, "--adapt", "finetune"],
    "random": [*GAN, "--adapt", "scratch"],
}


def score(way: str, images: int, seed: int, dataroot: str, checkpoints_dir: Path, results_dir: Path) -> float:
    """Train a way on so many images, unless that is done; returns macro Dice on `val`."""
    name, epochs = f"few_{way}_{images}_{seed}", round(SEEN / images)
    constant = epochs // 3
    flags = [
        "--dataset_mode",
        "masks",
        "--dataroot",
        dataroot,
        "--train_images",
        str(images),
        "--split_seed",
        str(seed),
        "--n_epochs",
        str(constant),
        "--n_epochs_decay",
        str(epochs - constant),
        "--augment",
        "strong",
        "--load_size",
        "256",
        "--val_freq",
        "0",
        "--save_epoch_freq",
        "1000",
        "--display_id",
        "0",
        "--gpu_ids",
        "-1",
        "--seed",
        str(seed),
        *WAYS[way],
    ]
    train(name, flags, checkpoints_dir)
    return test(name, ["--phase", "val", "--gpu_ids", "-1"], checkpoints_dir, results_dir)["macro"]["dice"]


def draw(found: dict[str, dict[int, list[float]]], path: Path) -> None:
    """Dice over the number of training images, a line a way, every seed a point."""
    figure = Figure(figsize=(6.4, 4), dpi=144, layout="constrained")
    ax = figure.subplots()
    for way, curve in found.items():
        (line,) = ax.plot(list(curve), [mean(scores) for scores in curve.values()], label=way)
        for images, scores in curve.items():
            ax.plot([images] * len(scores), scores, "o", color=line.get_color(), ms=4, alpha=0.6)
    ax.set(xscale="log", xlabel="training images", ylabel="val Dice", xticks=list(next(iter(found.values()))))
    ax.xaxis.set_major_formatter("{x:g}")
    ax.minorticks_off()
    ax.grid(alpha=0.25)
    ax.legend(frameon=False)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataroot", required=True, help="folder with images/, masks/ and splits.csv")
    parser.add_argument("--ways", nargs="+", default=list(WAYS), choices=WAYS)
    parser.add_argument("--images", nargs="+", type=count, default=[10, 25, 50, 100, 492])
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--checkpoints_dir", type=Path, default=Path("checkpoints"))
    parser.add_argument("--results_dir", type=Path, default=Path("results"))
    args = parser.parse_args()

    folders = args.dataroot, args.checkpoints_dir, args.results_dir
    found = {way: {n: [score(way, n, seed, *folders) for seed in args.seeds] for n in args.images} for way in args.ways}
    draw(found, args.results_dir / "few.png")
    print(f"{os.cpu_count()} cores, seeds {args.seeds}\n")
    rows = [[way, *(_cell(scores) for scores in curve.values())] for way, curve in found.items()]
    print(markdown(["start", *(f"{n} images" for n in args.images)], rows))


def _cell(scores: list[float]) -> str:
    return f"{mean(scores):.4f}" + (f" ± {stdev(scores):.4f}" if len(scores) > 1 else "")


if __name__ == "__main__":
    run_script(main)
