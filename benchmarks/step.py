"""What the training loop costs beyond the network, and what batch size and memory layout change.

    python -m benchmarks.step [--gpu_ids -1] [--ngf 16] [--rounds 20]

One pix2pix step (unet_256 at 256x256, drawn chests) is timed in ways that take turns, so that a busy machine slows
them alike; printed are the median milliseconds per image and their ratio to the first way.
"""

import argparse
import time
from collections.abc import Callable
from statistics import median

import torch

import options.train
from benchmarks.runs import markdown
from data import DATASETS, create_dataset
from data.augment import Augment
from models import MODELS, create_model, pick_device
from util.errors import run_script

Way = Callable[[], int]


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def resident(flags: list[str], batch_size: int, device: torch.device, layout: torch.memory_format) -> Way:
    """The bare step on one batch that lies on the device."""
    model = create_model(options.train.parse(MODELS, DATASETS, flags), device, training=True)
    for net in model.networks.values():
        net.to(memory_format=layout)
    batch = {side: torch.rand(batch_size, 3, 256, 256, device=device).to(memory_format=layout) for side in "AB"}

    def run() -> int:
        model.train_step(batch)
        return batch_size

    return run


def loop(flags: list[str], device: torch.device) -> Way:
    """The step as train.py takes it: next batch from the loader, augmentation, step."""
    opt = options.train.parse(MODELS, DATASETS, flags)
    loader = create_dataset(opt, "train", train=True)
    augment = Augment(opt.augment, device, loader.dataset.labels)
    model = create_model(opt, device, training=True)

    def forever():
        while True:
            yield from loader

    batches = forever()

    def run() -> int:
        model.train_step(augment(next(batches)))
        return opt.batch_size

    return run


def take_turns(ways: dict[str, Way], rounds: int, device: torch.device) -> dict[str, list[float]]:
    """Seconds an image that each way took, round after round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds + 3):
        for name, way in ways.items():
            wait(device)
            start = time.perf_counter()
            images = way()
            wait(device)
            if round_ >= 3:  # the first rounds warm up
                seconds[name].append((time.perf_counter() - start) / images)
    return seconds


def table(seconds: dict[str, list[float]], first_column: str) -> str:
    """Median milliseconds an image, and their ratio to the first way's."""
    first = median(next(iter(seconds.values())))
    rows = [[name, f"{median(s) * 1e3:.1f}", f"{median(s) / first:.2f}"] for name, s in seconds.items()]
    return markdown([first_column, "ms per image", "ratio"], rows)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--gpu_ids")
    parser.add_argument("--ngf", default="16")
    parser.add_argument("--rounds", type=int, default=20)
    args = parser.parse_args()
    device = pick_device(args.gpu_ids)
    flags = ["--dataset_mode", "phantom", "--phantom_count", "16", "--ngf", args.ngf, "--ndf", args.ngf]
    ways = {
        "bare step, batch 1": resident(flags, 1, device, torch.contiguous_format),
        "train.py's loop, batch 1": loop(flags, device),
        "train.py's loop, batch 1, --augment strong": loop([*flags, "--augment", "strong"], device),
        "bare step, batch 1, channels last": resident(flags, 1, device, torch.channels_last),
        "bare step, batch 4": resident(flags, 4, device, torch.contiguous_format),
        "bare step, batch 4, channels last": resident(flags, 4, device, torch.channels_last),
    }
    seconds = take_turns(ways, args.rounds, device)
    print(f"{device}, {torch.get_num_threads()} threads, torch {torch.__version__}, ngf {args.ngf}\n")
    print(table(seconds, "pix2pix step, unet_256, 256x256"))


if __name__ == "__main__":
    run_script(main)
