"""CycleGAN on real X-rays: from the horse2zebra generator to lungs without pairs, and the same from random weights.

    python -m benchmarks.cycle_gan --dataroot datasets/lungs --donor datasets/weights/horse2zebra...pth [--runs ...]

Trains the runs that are not trained yet (checkpoints/bench_cycle_*) and tests the last and the best epoch of each on
`val`. Prints two markdown tables: the scores, and whether the generator hides the X-ray in its mask. Nothing here looks
at `test`.
"""

import csv
import os
from pathlib import Path

import torch

import options.test
from benchmarks.runs import LUNG_HEADER, lung_row, lungs_parser, markdown, train, words
from data import create_dataset
from models import load_model
from util.errors import run_script
from util.run.device import pick_device

COMMON = words(
    "--model cycle_gan --dataset_mode masks --unpaired --netG mobile_resnet_9blocks --ndf 16 --load_size 128 "
    "--crop_size 128 --display_id 0 --gpu_ids -1 --save_latest_freq 100000"
)
FIXED = words("--n_epochs 30 --n_epochs_decay 0")  # the paper's 30 epochs at a fixed learning rate
DARK = [*FIXED, *words("--classes lungs_dark --lambda_identity 0")]
NOISE = [*DARK, *words("--instance_noise 0.2 --lambda_A 2")]
WIDE = [*NOISE, *words("--netD n_layers --n_layers_D 4")]  # a patch of 142 pixels, larger than the image

RUNS: dict[str, list[str]] = {
    "upstream30": FIXED,
    "dark30": DARK,
    "noise30": NOISE,
    "wide30": WIDE,
    "averaged12": [*WIDE, *words("--ema 0.998 --n_epochs 8 --n_epochs_decay 4")],
    "game12": [*WIDE, *words("--ema 0.998 --n_epochs 8 --n_epochs_decay 4 --netD spectral --gan_mode hinge")],
    "wide30_scratch": [*WIDE, "--adapt", "scratch"],
}


def main() -> None:
    parser = lungs_parser(__doc__)
    parser.add_argument("--donor", required=True, help="horse2zebra generator (mobile_resnet_9blocks)")
    parser.add_argument("--runs", nargs="+", default=list(RUNS), choices=RUNS)
    args = parser.parse_args()

    scores, cycles = [], []
    for run in args.runs:
        name, where = f"bench_cycle_{run}", (args.checkpoints_dir, args.results_dir)
        flags = [*COMMON, "--dataroot", args.dataroot, "--pretrained", args.donor, *RUNS[run]]
        minutes = train(name, flags, args.checkpoints_dir)
        scores.append(lung_row(name, run, minutes, *where))
        best = best_epoch(args.checkpoints_dir / name)
        scores.append(lung_row(name, f"{run}, epoch {best}", minutes, *where, "best"))
        cycles.append([run, *(f"{value:.3f}" for value in hidden(name, args.checkpoints_dir))])
    print(f"{os.cpu_count()} cores, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}\n")
    print(markdown(LUNG_HEADER, scores), end="\n\n")
    print(markdown(["run", "difference of rec_A and A", "the same from the mask in black and white"], cycles))


def best_epoch(folder: Path) -> str:
    """The epoch of the best validation Dice."""
    with (folder / "metrics.csv").open(newline="") as file:
        return max(csv.DictReader(file), key=lambda row: float(row["val_dice"]))["epoch"]


@torch.no_grad()
def hidden(name: str, checkpoints_dir: Path) -> tuple[float, float]:
    """Mean |G_B(G_A(A)) - A| over `val` with images in [-1, 1], and the same with every mask in black and white.

    The more it grows, the more of the X-ray the generator had hidden in the grey values of its mask.
    """
    argv = ["--name", name, "--checkpoints_dir", str(checkpoints_dir), "--phase", "val", "--gpu_ids", "-1"]
    opt = options.test.parse(argv)
    model = load_model(opt, pick_device(opt.gpu_ids))
    sums, count = torch.zeros(2), 0
    for batch in create_dataset(opt, opt.phase, train=False):
        masks = model.translate(batch["A"])
        plain = masks.mean(1, keepdim=True).sign().expand_as(masks)
        for i, shown in enumerate((masks, plain)):
            sums[i] += (model.translate(shown, "G_B") - batch["A"]).abs().mean((1, 2, 3)).sum()
        count += len(masks)
    first, second = (sums / count).tolist()
    return first, second


if __name__ == "__main__":
    run_script(main)
