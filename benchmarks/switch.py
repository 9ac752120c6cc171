"""How long a generator in memory takes to change from one task to another.

    python -m benchmarks.switch [--ngf 64] [--rounds 50]

Two tasks of each kind take turns on one unet_256. A task computes its weights from the donor's when they are first
used, so a switch is also timed together with the forward pass after it, and the donor's forward pass alone.
"""

import time
from collections.abc import Sequence
from statistics import median

import torch

from benchmarks.runs import markdown, parser
from models.networks.define import define_G
from models.piggyback import METHODS
from models.piggyback.task import Settings, Task, attach, switch
from util.errors import run_script


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--ngf", type=int, default=64)
    flags.add_argument("--rounds", type=int, default=50)
    args = flags.parse_args()
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
def timed(net: torch.nn.Module, tasks: Sequence[Task | None], rounds: int) -> tuple[float, float]:
    """Median milliseconds of a switch, and of a switch together with the forward pass after it."""
    image, times = torch.rand(1, 3, 256, 256), []
    for round_ in range(rounds):
        start = time.perf_counter()
        switch(net, tasks[round_ % len(tasks)])
        switched = time.perf_counter()
        net(image)
        times.append((switched - start, time.perf_counter() - start))
    switches, uses = zip(*times, strict=True)
    return 1e3 * median(switches), 1e3 * median(uses)


if __name__ == "__main__":
    run_script(main)
