"""Which statistics should batch norm use at test time? Trains on one source, tests on the other, all ways of asking.

    python -m benchmarks.norm_stats --dataroot datasets/lungs --donor datasets/weights/facades...pth

For each run (batch norm at batch size 1 and 8, instance norm) and each way of normalising (`image`, `running`,
statistics recomputed over the training images, upstream's train mode with live dropout): macro Dice on `val`, on the
source it was trained on and on the other hospital's.
"""

import argparse
from pathlib import Path

import torch

import options.test
from benchmarks.runs import markdown, train
from data import DATASETS, create_dataset
from models import MODELS, load_model, pick_device
from models.base import BaseModel
from util.errors import run_script
from util.score.evaluate import evaluate

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
    "--lambda_L1",
    "1000",
    "--save_epoch_freq",
    "1000",
    "--no_html",
]
SOURCES = {
    "montgomery": ["--n_epochs", "16", "--n_epochs_decay", "16"],
    "shenzhen": ["--n_epochs", "4", "--n_epochs_decay", "4"],
}
KINDS = {
    "batch norm, batch 1": ["--batch_size", "1", "--lr", "0.0004"],
    "batch norm, batch 8": ["--batch_size", "8", "--lr", "0.001"],
    "instance norm, batch 1": ["--norm", "instance", "--lr", "0.0004"],
}
WAYS = ("image", "running", "recomputed", "stochastic")


def recompute_statistics(model: BaseModel, loader) -> None:
    """Replace the running averages by the mean over `loader`'s images, dropout off."""
    net = model.networks["G"].eval()
    for module in net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            module.reset_running_stats()
            module.momentum = None  # a plain average
            module.train()
    with torch.no_grad():
        for batch in loader:
            net(batch["A"].to(model.device))
    net.eval()


def dice(run: str, way: str, source: str, trained_on: str, checkpoints_dir: Path) -> float:
    """Macro Dice of a run on `val` of a source."""
    argv = [
        "--name",
        run,
        "--checkpoints_dir",
        str(checkpoints_dir),
        "--phase",
        "val",
        "--gpu_ids",
        "-1",
        "--norm_stats",
        "image" if way in ("image", "stochastic") else "running",
        "--source",
        source,
    ]
    opt = options.test.parse(MODELS, DATASETS, argv + ["--stochastic"] * (way == "stochastic"))
    model = load_model(opt, pick_device("-1"))
    if way == "recomputed":
        known = argparse.Namespace(**vars(opt) | {"source": trained_on})
        recompute_statistics(model, create_dataset(known, "train", train=False))
    return evaluate(model, create_dataset(opt, "val", train=False)).score


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--dataroot", required=True, help="folder with images/, masks/ and splits.csv")
    parser.add_argument("--donor", required=True, help="facades generator (unet_256, ngf 16, batch norm)")
    parser.add_argument("--checkpoints_dir", type=Path, default=Path("checkpoints"))
    args = parser.parse_args()

    rows = []
    for kind, flags in KINDS.items():
        for trained_on, epochs in SOURCES.items():
            run = f"bench_norm_{kind.replace(',', '').replace(' ', '_')}_{trained_on}"
            flags_here = [*COMMON, "--dataroot", args.dataroot, "--source", trained_on, *epochs, *flags]
            flags_here += [] if "instance" in kind else ["--pretrained", args.donor]
            train(run, flags_here, args.checkpoints_dir)
            for way in WAYS if "batch norm" in kind else ("image", "stochastic"):
                scores = {source: dice(run, way, source, trained_on, args.checkpoints_dir) for source in SOURCES}
                rows.append([kind, trained_on, way, *(f"{scores[source]:.4f}" for source in SOURCES)])
    print(markdown(["run", "trained on", "statistics", "Montgomery val", "Shenzhen val"], rows))


if __name__ == "__main__":
    run_script(main)
