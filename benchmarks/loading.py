"""Images per second from disk to batch, with the cache and with a plain PIL and torchvision pipeline.

    python -m benchmarks.loading                       drawn chests of 512 pixels, in a temporary folder
    python -m benchmarks.loading --dataroot LUNGS      a folder for --dataset_mode masks

Every round times each way once, one after the other, so a busy machine slows all of them alike. The table has the
median of the rounds, and the median of each round's ratio to the plain pipeline.
"""

import argparse
import random
import tempfile
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from statistics import median

import torch
from PIL import Image, ImageOps
from torch.utils.data import DataLoader, Dataset
from torchvision.transforms import functional as F

import options.train
from benchmarks.runs import markdown, parser, words
from data import create_dataset
from data.loader import Loader
from data.phantom.__main__ import write_chests
from util.errors import run_script


class Plain(Dataset):
    """A data set as a first version would be: it opens, resizes, crops, flips and normalises every image every time."""

    def __init__(self, pairs: list[tuple[Path, Path]], load_size: int, crop_size: int) -> None:
        self.pairs, self.load_size, self.crop_size = pairs, load_size, crop_size

    def __len__(self) -> int:
        return len(self.pairs)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, ...]:
        size = (self.load_size, self.load_size)
        top, left = (random.randint(0, self.load_size - self.crop_size) for _ in range(2))
        flip = random.random() < 0.5
        tensors = []
        for path, how in zip(self.pairs[index], (Image.Resampling.BICUBIC, Image.Resampling.NEAREST), strict=True):
            picture = Image.open(path).convert("RGB").resize(size, how)
            picture = picture.crop((left, top, left + self.crop_size, top + self.crop_size))
            picture = ImageOps.mirror(picture) if flip else picture
            tensors.append(F.normalize(F.to_tensor(picture), [0.5] * 3, [0.5] * 3))
        return tuple(tensors)


def timed(batches: Callable[[], Iterable], images: int) -> float:
    """Images per second of one pass."""
    start = time.perf_counter()
    for _ in batches():
        pass
    return images / (time.perf_counter() - start)


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--dataroot", help="folder for --dataset_mode masks (default: drawn chests)")
    flags.add_argument("--images", type=int, default=100, help="default: %(default)s")
    flags.add_argument("--batch_size", type=int, default=4, help="default: %(default)s")
    flags.add_argument(
        "--workers", type=int, default=2, help="processes, in the ways with workers (default: %(default)s)"
    )
    flags.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    args = flags.parse_args()
    # With arrays this small, torch's threads only fight for the cores. A worker process has one thread anyway.
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        if not args.dataroot:
            write_chests(Path(folder) / "chests", args.images, 512)
        masks = ["--dataroot", args.dataroot or f"{folder}/chests", "--dataset_mode", "masks"]
        sizes = f"--batch_size {args.batch_size} --num_threads {args.workers} --max_dataset_size {args.images}"
        measure(options.train.parse([*masks, *words(sizes)]), args.rounds)


def measure(opt: argparse.Namespace, rounds: int) -> None:
    """Print the table."""
    cached = create_dataset(opt, "train", train=True)
    count = len(cached.dataset)
    ways = {
        **plain_ways(opt, cached),
        "first epoch (read, then batches)": lambda: create_dataset(opt, "train", train=True),
        "later epochs": lambda: cached,
        **ways_with_workers(opt, cached),
    }
    speeds = [{name: timed(way, count) for name, way in ways.items()} for _ in range(rounds)]
    base = "plain, no workers"
    rows = [
        [name, f"{median(s[name] for s in speeds):.0f}", f"{median(s[name] / s[base] for s in speeds):.1f}"]
        for name in ways
    ]
    print(f"{count} images, batches of {opt.batch_size}, {opt.load_size} -> {opt.crop_size} pixels")
    print(markdown(["way", "images/s", "times plain"], rows))


def plain_ways(opt: argparse.Namespace, cached: Loader) -> dict[str, Callable[[], Iterable]]:
    """The plain pipeline over the same images, without and with workers."""
    plain = Plain([(s.image, s.targets[0]) for s in cached.dataset.samples], opt.load_size, opt.crop_size)
    workers = opt.num_threads
    alone = DataLoader(plain, opt.batch_size, shuffle=True)
    helped = DataLoader(plain, opt.batch_size, shuffle=True, num_workers=workers, persistent_workers=workers > 0)
    next(iter(helped))  # its workers start here and not in a timed pass
    return {"plain, no workers": lambda: alone, f"plain, {workers} workers": lambda: helped}


def ways_with_workers(opt: argparse.Namespace, cached: Loader) -> dict[str, Callable[[], Iterable]]:
    """The cached images if workers handed them over, and the same images read from disk every time."""
    workers = opt.num_threads
    handed = Loader(cached.dataset, opt.batch_size, shuffle=True, workers=workers)
    uncached = create_dataset(argparse.Namespace(**vars(opt) | {"cache_gb": 0.0}), "train", train=True)
    for loader in (handed, uncached):  # their workers start here and not in a timed pass
        next(iter(loader))
    return {
        f"later epochs, had they {workers} workers": lambda: handed,
        f"no cache (--cache_gb 0), {workers} workers": lambda: uncached,
    }


if __name__ == "__main__":
    run_script(main)
