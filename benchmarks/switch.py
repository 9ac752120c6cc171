"""How long it takes to change from one task to another on a generator in memory.

    python -m benchmarks.switch [--ngf 64] [--rounds 50]

Two tasks of each kind take turns on one unet_256. The weights that a task makes out of the donor's are made when they
are first used, so a switch and the forward pass after it are timed as well, beside a pass of the donor alone.
"""

import argparse
import time
from statistics import median

import torch

from benchmarks.runs import markdown
from models.networks import define_G
from models.piggyback import METHODS, Settings, Task, attach, switch
from util.errors import run_script


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ngf", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=50)
    args = parser.parse_args()
    net = define_G(3, 3, args.ngf, "unet_256", "batch", dropout=False).eval()
    rows = [["none: the donor", "", f"{timed(net, [None], args.rounds)[1]:.0f}"]]
    for method in METHODS:
        tasks = [attach(net, Settings(method)) for _ in range(2)]
        change, used = timed(net, tasks, args.rounds)
        rows.append([method, f"{change:.1f}", f"{used:.0f}"])
        switch(net, None)
    print(f"cpu, {torch.get_num_threads()} threads, torch {torch.__version__}, unet_256, ngf {args.ngf}\n")
    print(markdown(["task", "switch, ms", "and one image of 256x256, ms"], rows))


@torch.no_grad()
def timed(net: torch.nn.Module, tasks: list[Task | None], rounds: int) -> tuple[float, float]:
    """Median milliseconds of a switch, and of a switch with a forward pass after it."""
    image, times = torch.rand(1, 3, 256, 256), []
    for round_ in range(rounds):
        start = time.perf_counter()
        switch(net, tasks[round_ % len(tasks)])
        switched = time.perf_counter()
        net(image)
        times.append((switched - start, time.perf_counter() - start))
    return tuple(1e3 * median(column) for column in zip(*times, strict=True))


if __name__ == "__main__":
    run_script(main)
