"""Does a change of the code leave training and testing bit for bit as they were?

    git worktree add /tmp/before COMMIT
    python -m benchmarks.same_weights /tmp/before .

Trains five small runs on drawn images for two epochs in each checkout, tests two of them, and prints a hash of every
network, table of scores and mask. The exit code is 1 if the checkouts differ. Hashes depend on the machine and on
torch, so compare checkouts on one machine in one call.
"""

import hashlib
import os
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks.runs import markdown, parser
from util.errors import UserError, run_script
from util.run.aside import NETWORKS

SMALL = "--dataset_mode phantom --phantom_count 24 --load_size 72 --crop_size 64 --ngf 8 --ndf 8 --batch_size 2"
TRAINING = "--n_epochs 1 --n_epochs_decay 1 --save_epoch_freq 1 --seed 3 --display_id 0 --num_threads 0 --gpu_ids -1"
PIX2PIX = "--model pix2pix --netG unet_64"
RUNS = {
    "pix2pix": f"{PIX2PIX} --augment strong --ema 0.9",
    "cycle_gan": "--model cycle_gan --netG resnet_6blocks --lambda_identity 0.5",
    "supervised": "--model supervised --netG smp:unet:resnet18 --output_nc 1 --clip_grad 1 --lr_policy plateau",
    "masks": f"{PIX2PIX} --pretrained pix2pix --adapt masks --phantom facades",
    "filter_bank": f"{PIX2PIX} --pretrained pix2pix --adapt filter_bank --phantom facades",
}
TESTS = {"pix2pix": "--tta --keep_largest 2 --surface", "masks": "--samples 2"}


def main() -> int:
    flags = parser(__doc__)
    flags.add_argument("checkouts", nargs="+", type=Path, help="folders of the program to compare")
    args = flags.parse_args()
    tables = []
    for checkout in args.checkouts:
        with tempfile.TemporaryDirectory() as folder:
            tables.append(hashes_of(checkout.resolve(), Path(folder)))
    names = sorted(set().union(*tables))
    rows = [[name, *(hashes.get(name, "missing")[:16] for hashes in tables)] for name in names]
    print(markdown(["file", *(str(checkout) for checkout in args.checkouts)], rows))
    differ = [name for name in names if len({hashes.get(name) for hashes in tables}) > 1]
    print(f"\n{len(names)} files, {len(differ)} differ" + "".join(f"\n  {name}" for name in differ))
    return bool(differ)


def hashes_of(checkout: Path, folder: Path) -> dict[str, str]:
    """Train and test every run with the program in `checkout`. Returns the hashes of its files in `folder`, by path."""
    for name, flags in RUNS.items():
        call(checkout, f"train.py --name {name} {SMALL} {TRAINING} {flags} --checkpoints_dir {folder}/checkpoints")
    for name, flags in TESTS.items():
        where = f"--checkpoints_dir {folder}/checkpoints --results_dir {folder}/results"
        call(checkout, f"test.py --name {name} --phase val --num_threads 0 --gpu_ids -1 {flags} {where}")
    kinds = (*NETWORKS, "metrics.csv", "masks/*.png", "images/*.png")
    paths = sorted({path for kind in kinds for path in folder.rglob(kind)})
    return {str(path.relative_to(folder)): digest(path) for path in paths}


def call(checkout: Path, command: str) -> None:
    """Run a script of a checkout, with one thread so that sums have one order. UserError: it failed."""
    done = subprocess.run(
        [sys.executable, *command.split()],
        cwd=checkout,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        stdout=sys.stderr,
        check=False,
    )
    if done.returncode:
        raise UserError(f"{checkout}: {command.split()[0]} failed; its error is above")


def digest(path: Path) -> str:
    """SHA-256 of a file. Of a .pth file only its values count, since torch may store the same values in other bytes."""
    if path.suffix != ".pth":
        return hashlib.sha256(path.read_bytes()).hexdigest()
    import torch

    total = hashlib.sha256()

    def add(name: str, value: object) -> None:
        if isinstance(value, dict):
            for key in sorted(value, key=str):
                add(f"{name}/{key}", value[key])
        elif isinstance(value, list | tuple):
            for index, item in enumerate(value):
                add(f"{name}/{index}", item)
        elif isinstance(value, torch.Tensor):
            total.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
            total.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().tobytes())
        elif not isinstance(value, str):  # a task file names the folder of its donor, which differs
            total.update(f"{name} {value}".encode())

    add("", torch.load(path, weights_only=True))
    return total.hexdigest()


if __name__ == "__main__":
    run_script(main)
