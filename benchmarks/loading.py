"""Images per second from disk to batch: the cache, and a plain PIL + torchvision pipeline beside it.

    python -m benchmarks.loading                       phantom chests of 512 pixels, written to a temporary folder
    python -m benchmarks.loading --dataroot LUNGS      a folder for --dataset_mode masks

Every round times each way once, one after the other, so that a busy machine slows all of them; the table gives the
median of the rounds, and the median of each round's ratio to the plain pipeline.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch
from PIL import Image
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import functional as F

import options.train
from benchmarks.runs import markdown
from data import DATASETS, create_dataset
from data.loader import Loader
from data.phantom.__main__ import write_chests
from models import MODELS
from util.errors import run_script


class Plain(Dataset):
    """What one writes without thinking about it: open, convert, resize, crop, flip and normalise every time."""

    def __init__(self, pairs: list[tuple[Path, Path]], load_size: int, crop_size: int) -> None:
        self.pairs, self.load_size, self.crop_size = pairs, load_size, crop_size

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        size = (self.load_size, self.load_size)
        top, left = (random.randint(0, self.load_size - self.crop_size) for _ in range(2))
        flip = random.random() < 0.5
        tensors = []
        for path, how in zip(self.pairs[index], (Image.BICUBIC, Image.NEAREST), strict=True):
            picture = Image.open(path).convert("RGB").resize(size, how)
            picture = F.crop(picture, top, left, self.crop_size, self.crop_size)
            picture = F.hflip(picture) if flip else picture
            tensors.append(F.normalize(F.to_tensor(picture), [0.5] * 3, [0.5] * 3))
        return tuple(tensors)


def timed(batches: Callable[[], object], images: int) -> float:
    """Images per second of one pass."""
    start = time.perf_counter()
    for _ in batches():
        pass
    return images / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--dataroot", help="folder for --dataset_mode masks (default: phantoms)")
    parser.add_argument("--images", type=int, default=100, help="how many images (default: %(default)s)")
    parser.add_argument("--batch_size", type=int, default=4, help="default: %(default)s")
    parser.add_argument("--workers", type=int, default=2, help="processes, where there are any (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    asked = parser.parse_args()
    # For so small an array torch's threads only fight for the cores; a worker process has one of them anyway.
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if not asked.dataroot:
            write_chests(Path(folder) / "chests", asked.images, 512)
        measure(asked, asked.dataroot or f"{folder}/chests")


def measure(asked: argparse.Namespace, dataroot: str) -> None:
    """Print the table."""
    opt = options.train.parse(
        MODELS,
        DATASETS,
        [
            "--dataroot",
            dataroot,
            "--dataset_mode",
            "masks",
            "--batch_size",
            str(asked.batch_size),
            "--num_threads",
            str(asked.workers),
            "--max_dataset_size",
            str(asked.images),
        ],
    )
    held = create_dataset(opt, "train", train=True)
    count = len(held.dataset)
    with_workers = Loader(held.dataset, asked.batch_size, shuffle=True, workers=asked.workers)
    unheld = create_dataset(argparse.Namespace(**vars(opt) | {"cache_gb": 0.0}), "train", train=True)
    plain = Plain([(s.image, s.targets[0]) for s in held.dataset.samples], opt.load_size, opt.crop_size)
    plain_loaders = {
        n: DataLoader(plain, asked.batch_size, shuffle=True, num_workers=n, persistent_workers=n > 0)
        for n in (0, asked.workers)
    }
    n = asked.workers
    ways: dict[str, Callable[[], object]] = {
        "plain, no workers": lambda: plain_loaders[0],
        f"plain, {n} workers": lambda: plain_loaders[n],
        "first epoch (read, then batches)": lambda: create_dataset(opt, "train", train=True),
        "later epochs": lambda: held,
        f"later epochs, had they {n} workers": lambda: with_workers,
        f"no cache (--cache_gb 0), {n} workers": lambda: unheld,
    }
    for loader in (with_workers, unheld, plain_loaders[n]):  # workers start once, not in a timed pass
        next(iter(loader))
    rounds = [{name: timed(way, count) for name, way in ways.items()} for _ in range(asked.rounds)]
    base = "plain, no workers"
    rows = [
        [name, f"{median(r[name] for r in rounds):.0f}", f"{median(r[name] / r[base] for r in rounds):.1f}"]
        for name in ways
    ]
    print(f"{count} images, batches of {asked.batch_size}, {opt.load_size} -> {opt.crop_size} pixels")
    print(markdown(["way", "images/s", "times plain"], rows))


if __name__ == "__main__":
    run_script(main)
