"""How long a training step takes with each way to adapt a frozen generator, and with fine-tuning.

    python -m benchmarks.adapt [--ngf 16] [--rounds 20] [--batch_size 1] [--netG unet_256] [--gpu_ids -1]

One pix2pix step at 256x256 for each --adapt. They take turns, so a busy machine slows all of them alike.
"""

import tempfile
from pathlib import Path

import torch

from benchmarks.runs import parser, words
from benchmarks.step import resident, table, take_turns
from models.networks.define import define_G
from models.piggyback import METHODS
from util.errors import run_script
from util.run.device import pick_device

NORM = {"unet_256": "batch", "resnet_9blocks": "instance"}


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--gpu_ids")
    flags.add_argument("--ngf", type=int, default=16)
    flags.add_argument("--rounds", type=int, default=20)
    flags.add_argument("--batch_size", type=int, default=1)
    flags.add_argument("--netG", choices=NORM, default="unet_256")
    args = flags.parse_args()
    device, norm = pick_device(args.gpu_ids), NORM[args.netG]
    with tempfile.TemporaryDirectory() as folder:
        donor = Path(folder) / "latest_net_G.pth"
        torch.save(define_G(3, 3, args.ngf, args.netG, norm, dropout=False).state_dict(), donor)
        run = f"--dataset_mode phantom --model pix2pix --netG {args.netG} --norm {norm} --no_dropout --ngf {args.ngf}"
        run_flags = [*words(run), "--pretrained", str(donor), "--adapt"]
        ways = {
            way: resident([*run_flags, way], args.batch_size, device, torch.contiguous_format)
            for way in ("finetune", *METHODS)
        }
    seconds = take_turns(ways, args.rounds, device)
    print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}, ngf {args.ngf}\n")
    print(table(seconds, f"pix2pix step, {args.netG}, 256x256, batch {args.batch_size}"))


if __name__ == "__main__":
    run_script(main)
