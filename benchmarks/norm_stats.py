"""Which statistics should batch norm use in testing? Trains on one hospital, tests on both, in every way.

    python -m benchmarks.norm_stats --dataroot datasets/lungs --donor datasets/weights/facades...pth

The runs have batch norm at batch size 1 and 8, or instance norm. Each is tested with the statistics of the image, with
running averages, with statistics recomputed over the training images, and in upstream's train mode with live dropout.
The table shows macro Dice on `val` of both hospitals.
"""

import argparse
from pathlib import Path

import torch

import options.test
from benchmarks.runs import markdown, parser, train, words
from data import create_dataset
from models import load_model
from models.base import BaseModel
from util.contracts import Batches
from util.errors import run_script
from util.run.device import pick_device
from util.score.evaluate import evaluate

COMMON = words(
    "--dataset_mode masks --netG unet_256 --ngf 16 --ndf 16 --display_id 0 --gpu_ids -1 --lambda_L1 1000 "
    "--save_epoch_freq 1000 --no_html"
)
SOURCES = {
    "montgomery": words("--n_epochs 16 --n_epochs_decay 16"),
    "shenzhen": words("--n_epochs 4 --n_epochs_decay 4"),
}
KINDS = {
    "batch norm, batch 1": words("--batch_size 1 --lr 0.0004"),
    "batch norm, batch 8": words("--batch_size 8 --lr 0.001"),
    "instance norm, batch 1": words("--norm instance --lr 0.0004"),
}
WAYS = ("image", "running", "recomputed", "stochastic")


def recompute_statistics(model: BaseModel, batches: Batches) -> None:
    """Replace the running averages by the mean over all images, without dropout."""
    net = model.networks["G"].eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # torch then keeps a plain mean
            module.train()
    with torch.no_grad():
        for batch in batches:
            net(batch["A"].to(model.device))
    net.eval()


def dice(run: str, way: str, source: str, trained_on: str, checkpoints_dir: Path) -> float:
    """Macro Dice of a run on `val` of a source."""
    norm_stats = "image" if way in ("image", "stochastic") else "running"
    argv = ["--name", run, "--checkpoints_dir", str(checkpoints_dir), "--source", source]
    argv += words(f"--phase val --gpu_ids -1 --norm_stats {norm_stats}")
    opt = options.test.parse(argv + ["--stochastic"] * (way == "stochastic"))
    model = load_model(opt, pick_device("-1"))
    if way == "recomputed":
        training = argparse.Namespace(**vars(opt) | {"source": trained_on})
        recompute_statistics(model, create_dataset(training, "train", train=False))
    return evaluate(model, create_dataset(opt, "val", train=False)).means["dice"]


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--dataroot", required=True, help="folder with images/, masks/ and splits.csv")
    flags.add_argument("--donor", required=True, help="facades generator (unet_256, ngf 16, batch norm)")
    flags.add_argument("--checkpoints_dir", type=Path, default=Path("checkpoints"))
    args = flags.parse_args()

    rows = []
    for kind, kind_flags in KINDS.items():
        for trained_on, epochs in SOURCES.items():
            run = f"bench_norm_{kind.replace(',', '').replace(' ', '_')}_{trained_on}"
            run_flags = [*COMMON, "--dataroot", args.dataroot, "--source", trained_on, *epochs, *kind_flags]
            run_flags += [] if "instance" in kind else ["--pretrained", args.donor]
            train(run, run_flags, args.checkpoints_dir)
            for way in WAYS if "batch norm" in kind else ("image", "stochastic"):
                scores = {source: dice(run, way, source, trained_on, args.checkpoints_dir) for source in SOURCES}
                rows.append([kind, trained_on, way, *(f"{scores[source]:.4f}" for source in SOURCES)])
    print(markdown(["run", "trained on", "statistics", "Montgomery val", "Shenzhen val"], rows))


if __name__ == "__main__":
    run_script(main)
