"""What each way to adapt the facades generator to lungs learns, forgets and costs, on real pictures.

    python -m benchmarks.forgetting --dataroot datasets/lungs --facades datasets/facades [--runs masks ...] [--seeds 0]

Trains the runs that are not trained yet (checkpoints/forget_*), compares them on `val` with forgetting.py
(results/forgetting*) and prints a markdown table of means and standard deviations over the seeds. `--third` adds a
third task, the facades backwards (labels to photos), to the ways in `THIRD`.
"""

import os
from pathlib import Path

from benchmarks.runs import compare, lungs_parser, markdown, train, words
from util.errors import run_script

DONOR = "facades_photo2label"
COMMON = words(
    f"--pretrained {DONOR} --netG unet_256 --ngf 16 --ndf 16 --display_id 0 --gpu_ids -1 --save_epoch_freq 1"
)
LUNGS = words("--dataset_mode masks --n_epochs 2 --n_epochs_decay 4 --lambda_L1 1000 --augment strong --load_size 256")
PHOTOS = words("--dataset_mode aligned --direction BtoA --n_epochs 4 --n_epochs_decay 8")
TUNED, FROZEN = ["--lr", "0.0004"], ["--lr", "0.001"]

RUNS: dict[str, list[str]] = {
    "scratch": ["--adapt", "scratch", *TUNED],
    "finetune": ["--adapt", "finetune", *TUNED],
    "head_only": ["--adapt", "head_only", *FROZEN],
    "norm_only": ["--adapt", "norm_only", *FROZEN],
    "masks": ["--adapt", "masks", *FROZEN],
    "ternary": ["--adapt", "ternary", *FROZEN],
    "filter_bank_8th": ["--adapt", "filter_bank", "--bank_fraction", "0.125", *FROZEN],
    "filter_bank_4th": ["--adapt", "filter_bank", *FROZEN],
    "filter_bank_half": ["--adapt", "filter_bank", "--bank_fraction", "0.5", *FROZEN],
    "lowrank_4": ["--adapt", "lowrank", "--rank", "4", *FROZEN],
    "lowrank_8": ["--adapt", "lowrank", *FROZEN],
    "lowrank_16": ["--adapt", "lowrank", "--rank", "16", *FROZEN],
    # the two controls: each with the other's learning rate
    "masks_slow": ["--adapt", "masks", *TUNED],
    "finetune_fast": ["--adapt", "finetune", *FROZEN],
}
THIRD = {"finetune": [], "masks": [], "filter_bank_4th": ["--bank", "cumulative"]}
"""Ways that learn three tasks, and flags for the third: its bank also mixes the filters that the second task added."""


def run_name(way: str, seed: int, third: bool = False) -> str:
    return f"forget_{way}{'_photos' if third else ''}_{seed}"


def learn(way: str, seed: int, dataroot: str, checkpoints_dir: Path) -> None:
    """Train a run on the lungs unless it is trained already."""
    flags = [*COMMON, *LUNGS, "--dataroot", dataroot, "--seed", str(seed), *RUNS[way]]
    train(run_name(way, seed), flags, checkpoints_dir)


def learn_third(way: str, seed: int, facades: str, checkpoints_dir: Path) -> None:
    """Train a run on the third task unless it is trained already: after the lungs, but masks always use the donor."""
    before = DONOR if way == "masks" else run_name(way, seed)
    flags = [*COMMON, *PHOTOS, "--dataroot", facades, "--seed", str(seed), "--pretrained", before]
    train(run_name(way, seed, third=True), [*flags, *RUNS[way], *THIRD[way]], checkpoints_dir)


HEADER = [
    "way",
    "trained, M",
    "kB on disk",
    "lungs, val Dice",
    "facades, mIoU",
    "forgetting",
    "donor kept, bit for bit",
]


def row(label: str, method: dict, generator: float) -> list[str]:
    """A method's line of the table. generator: bytes of the whole generator in float32."""
    figures, spread = method["figures"], method["figures_sd"]

    def cell(name: str) -> str:
        if figures[name] is None:  # a network from random weights had nothing to forget
            return "–"
        return f"{figures[name]:.4f}" + (f" ± {spread[name]:.4f}" if name in spread else "")

    size = f"{figures['bytes'] / 1e3:.0f} (1/{generator / figures['bytes']:.1f})"
    unchanged = method["proofs"] and all(proof["donor"] == proof["taken_off"] for proof in method["proofs"])
    scores = [cell(name) for name in ("new_score", "old_after", "forgetting")]
    return [label, f"{figures['trainable'] / 1e6:.3f}", size, *scores, "yes" if unchanged else "no"]


def main() -> None:
    parser = lungs_parser(__doc__)
    parser.add_argument("--facades", required=True, help="folder with train/ and test/ of the facades, side by side")
    parser.add_argument("--runs", nargs="+", default=list(RUNS), choices=RUNS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0])
    parser.add_argument("--third", action="store_true", help="three tasks: facades, lungs, facades backwards")
    args = parser.parse_args()

    ways = [way for way in args.runs if way in THIRD] if args.third else args.runs
    runs = {}
    for way in ways:
        stages = []
        for seed in args.seeds:
            learn(way, seed, args.dataroot, args.checkpoints_dir)
            if args.third:
                learn_third(way, seed, args.facades, args.checkpoints_dir)
            stages.append(",".join(run_name(way, seed, third) for third in (False, True)[: 1 + args.third]))
        runs[way] = "+".join(stages)
    page = "forgetting" + "_third" * args.third + "_seeds" * (len(args.seeds) > 1)
    flags = ["--old_data", args.facades, "--old_mode", "aligned", "--new_phase", "val", *["test"] * args.third]
    flags += ["--gpu_ids", "-1"]
    index, study = compare(page, DONOR, runs, flags, args.checkpoints_dir, args.results_dir)
    print(f"{os.cpu_count()} cores, seeds {args.seeds}; page: {index}\n")
    generator = 4 * study["donor"]["trainable"]
    print(markdown(HEADER, [row(way, study["methods"][way], generator) for way in runs]))


if __name__ == "__main__":
    run_script(main)
