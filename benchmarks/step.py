"""How much time the training loop adds to the network's, and what batch size and memory layout change.

    python -m benchmarks.step [--gpu_ids -1] [--ngf 16] [--rounds 20]

Times one pix2pix step (unet_256 at 256x256, drawn chests) in ways that take turns, so a busy machine slows all of them
alike. Prints the median milliseconds per image, and their ratio to the first way.
"""

import time
from collections.abc import Callable
from statistics import median

import torch

import options.train
from benchmarks.runs import markdown, parser, words
from data import create_dataset
from data.augment import Augment
from models import create_model
from util.contracts import Batch
from util.errors import run_script
from util.run.device import pick_device

Way = Callable[[], int]


def wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def resident(flags: list[str], batch_size: int, device: torch.device, layout: torch.memory_format) -> Way:
    """The step alone, on a batch that is on the device already."""
    model = create_model(options.train.parse(flags), device, training=True)
    for net in model.networks.values():
        net.to(memory_format=layout)
    image, target = (torch.rand(batch_size, 3, 256, 256, device=device).to(memory_format=layout) for _ in "AB")
    size, index = torch.full((batch_size, 2), 256), torch.arange(batch_size)
    batch: Batch = {"A": image, "B": target, "A_paths": [], "B_paths": [], "size": size, "index": index}

    def run() -> int:
        model.train_step(batch)
        return batch_size

    return run


def loop(flags: list[str], device: torch.device) -> Way:
    """The step as in train.py: next batch from the loader, augmentation, step."""
    opt = options.train.parse(flags)
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
    """Seconds per image of each way, round after round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for round_ in range(rounds + 3):
        for name, way in ways.items():
            wait(device)
            start = time.perf_counter()
            images = way()
            wait(device)
            if round_ >= 3:  # the first rounds only warm up
                seconds[name].append((time.perf_counter() - start) / images)
    return seconds


def table(seconds: dict[str, list[float]], first_column: str) -> str:
    """A markdown table of median milliseconds per image and their ratio to the first way."""
    first = median(next(iter(seconds.values())))
    rows = [[name, f"{median(s) * 1e3:.1f}", f"{median(s) / first:.2f}"] for name, s in seconds.items()]
    return markdown([first_column, "ms per image", "ratio"], rows)


def main() -> None:
    own_flags = parser(__doc__)
    own_flags.add_argument("--gpu_ids")
    own_flags.add_argument("--ngf", default="16")
    own_flags.add_argument("--rounds", type=int, default=20)
    args = own_flags.parse_args()
    device = pick_device(args.gpu_ids)
    flags = words(f"--dataset_mode phantom --phantom_count 16 --ngf {args.ngf} --ndf {args.ngf}")
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
