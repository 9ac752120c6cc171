"""What a training step costs under each way to adapt a frozen generator, beside fine-tuning.

    python -m benchmarks.adapt [--ngf 16] [--rounds 20] [--batch_size 1] [--netG unet_256] [--gpu_ids -1]

One pix2pix step at 256x256 for each --adapt; they take turns, so that a busy machine slows them alike.
"""

import argparse
import tempfile
from pathlib import Path

import torch

from benchmarks.step import resident, table, take_turns
from models import pick_device
from models.networks import define_G
from models.piggyback import METHODS
from util.errors import run_script

NORM = {"unet_256": "batch", "resnet_9blocks": "instance"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpu_ids")
    parser.add_argument("--ngf", type=int, default=16)
    parser.add_argument("--rounds", type=int, default=20)
    parser.add_argument("--batch_size", type=int, default=1)
    parser.add_argument("--netG", choices=NORM, default="unet_256")
    args = parser.parse_args()
    device, norm = pick_device(args.gpu_ids), NORM[args.netG]
    with tempfile.TemporaryDirectory() as folder:
        donor = Path(folder) / "latest_net_G.pth"
        torch.save(define_G(3, 3, args.ngf, args.netG, norm, dropout=False).state_dict(), donor)
        flags = [
            "--dataset_mode",
            "phantom",
            "--model",
            "pix2pix",
            "--netG",
            args.netG,
            "--norm",
            norm,
            "--no_dropout",
            "--ngf",
            str(args.ngf),
            "--pretrained",
            str(donor),
            "--adapt",
        ]
        ways = {
            way: resident([*flags, way], args.batch_size, device, torch.contiguous_format)
            for way in ("finetune", *METHODS)
        }
    seconds = take_turns(ways, args.rounds, device)
    print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}, ngf {args.ngf}\n")
    print(table(seconds, f"pix2pix step, {args.netG}, 256x256, batch {args.batch_size}"))


if __name__ == "__main__":
    run_script(main)
