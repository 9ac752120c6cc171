"""Quality of the main job on real X-rays: facades generator -> lungs, against the same without pretraining.

    python -m benchmarks.lungs --dataroot datasets/lungs --donor datasets/weights/facades...pth [--runs donor12 ...] \
        [--encoder datasets/weights/mobilenet_v2...pth]

Trains what is not trained yet (checkpoints/bench_*), tests the last epoch on `val`, prints a markdown table. `val` was
used to choose the settings; `test` is left for the user.
"""

import argparse
import os
import re
from pathlib import Path

from benchmarks.runs import LUNG_HEADER, lung_row, markdown, train
from util.errors import run_script

COMMON = [
    "--dataset_mode",
    "masks",
    "--netG",
    "unet_256",
    "--ngf",
    "16",
    "--ndf",
    "16",
    "--display_id",
    "0",
    "--gpu_ids",
    "-1",
    "--save_epoch_freq",
    "1000",
]
PEER = ["--n_epochs", "4", "--n_epochs_decay", "8"]  # upstream's own settings for the same job
OURS = ["--lambda_L1", "1000", "--lr", "0.0004", "--augment", "strong", "--load_size", "256"]
# MobileNetV2 in a U-Net, twice the parameters of the generator.
UNET = [
    "--model",
    "supervised",
    "--netG",
    "smp:unet:mobilenet_v2",
    "--input_nc",
    "3",
    "--batch_size",
    "8",
    "--lr",
    "0.0005",
    "--augment",
    "strong",
    "--load_size",
    "256",
]

RUNS: dict[str, list[str]] = {
    "donor_upstream12": PEER,
    "donor12": [*PEER, *OURS],
    "scratch12": [*PEER, *OURS],
    "shipped12": [*PEER, *OURS],
    "donor_L1only12": [*PEER, *OURS, "--lambda_L1", "1000000"],
    "donor40": ["--n_epochs", "12", "--n_epochs_decay", "28", *OURS],
    "unet12": [*PEER, *UNET],
    "unet_random12": [*PEER, *UNET],
    # Trained in one hospital, scored in both.
    "unet_montgomery": ["--n_epochs", "10", "--n_epochs_decay", "20", *UNET, "--source", "montgomery"],
    "unet_shenzhen": [*PEER, *UNET, "--source", "shenzhen"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataroot", required=True, help="folder with images/, masks/ and splits.csv")
    parser.add_argument("--donor", required=True, help="facades generator (unet_256, ngf 16, batch norm)")
    parser.add_argument("--encoder", default="imagenet", help="ImageNet weights of MobileNetV2 (unet12)")
    parser.add_argument("--runs", nargs="+", default=list(RUNS), choices=RUNS)
    parser.add_argument("--checkpoints_dir", type=Path, default=Path("checkpoints"))
    parser.add_argument("--results_dir", type=Path, default=Path("results"))
    args = parser.parse_args()

    rows = []
    for run in args.runs:
        flags = [*COMMON, "--dataroot", args.dataroot, *RUNS[run]]
        donor = {"donor": args.donor, "shipped": "checkpoints/facades_photo2label"}.get(re.match("[a-z]+", run)[0])
        flags += ["--pretrained", donor] if donor else []
        flags += ["--encoder_weights", args.encoder] if run.startswith("unet") and run != "unet_random12" else []
        minutes = train(f"bench_{run}", flags, args.checkpoints_dir)
        rows.append(lung_row(f"bench_{run}", run, minutes, args.checkpoints_dir, args.results_dir))
    print(f"{os.cpu_count()} cores, OMP_NUM_THREADS={os.environ.get('OMP_NUM_THREADS', 'unset')}\n")
    print(markdown(LUNG_HEADER, rows))


if __name__ == "__main__":
    run_script(main)
