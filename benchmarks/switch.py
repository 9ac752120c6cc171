"""How long a generator in memory takes to change from one task to another.

    python -m benchmarks.switch [--ngf 64] [--rounds 50]
    python -m benchmarks.switch --folder checkpoints/hospitals     (task files and their donor, of 256x256)

Two tasks of each kind take turns on one unet_256. A task computes its weights from the donor's when they are first
used, so a switch is also timed together with the forward pass after it, and the donor's forward pass alone. With
--folder the tasks of its files take turns; --task auto, which chooses one for each image, is timed too.
"""

import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median

import torch

from benchmarks.runs import markdown, parser
from models.networks.define import define_G
from models.piggyback import METHODS
from models.piggyback.files import load_task, read_task
from models.piggyback.inputs import Chooser, features
from models.piggyback.task import Settings, Task, attach, switch
from util.errors import UserError, run_script


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--ngf", type=int, default=64)
    flags.add_argument("--rounds", type=int, default=50)
    flags.add_argument("--folder", type=Path)
    args = flags.parse_args()
    if args.folder:
        serve(args.folder, args.rounds)
        return
    net = define_G(3, 3, args.ngf, "unet_256", "batch", dropout=False).eval()
    rows = [["none: the donor", "", f"{timed(net, [None], args.rounds)[1]:.0f}"]]
    for method in METHODS:
        tasks = [attach(net, Settings(method)) for _ in range(2)]
        change, used = timed(net, tasks, args.rounds)
        rows.append([method, f"{change:.1f}", f"{used:.0f}"])
        switch(net, None)
    print(f"cpu, {torch.get_num_threads()} threads, torch {torch.__version__}, unet_256, ngf {args.ngf}\n")
    print(markdown(["task", "switch, ms", "and one image of 256x256, ms"], rows))


def serve(folder: Path, rounds: int) -> None:
    """Time the tasks of the files in a folder, on their donor."""
    paths = sorted(folder.glob("*_task_G.safetensors"))
    if not paths:
        raise UserError(f"--folder {folder}: holds no task files (*_task_G.safetensors)")
    start = time.perf_counter()
    net = read_task(paths[0]).build_donor().eval()
    tasks = [load_task(path, net) for path in paths]
    loaded = time.perf_counter() - start
    known = [task.inputs for task in tasks if task.inputs]
    choose = Chooser(known).choose
    image = torch.rand(1, next(net.parameters()).shape[1], 256, 256)
    _, chosen = timed(net, [None], rounds, lambda: choose(features(net, image)))
    rows = [["none: the donor", "", f"{timed(net, [None], rounds)[1]:.1f}"]]
    rows += [[f"{len(tasks)} tasks in turn", *(f"{cost:.1f}" for cost in timed(net, tasks, rounds))]]
    rows += [["--task auto: to find the task of an image", "", f"{chosen:.1f}"]]
    size = sum(path.stat().st_size for path in paths)
    print(f"cpu, {torch.get_num_threads()} threads, torch {torch.__version__}; {folder.name}: {len(tasks)} task files,")
    print(f"{size / 1e6:.2f} MB, {len(known)} with a description; all loaded in {loaded:.1f} s\n")
    print(markdown(["task", "switch, ms", "and one image of 256x256, ms"], rows))


@torch.no_grad()
def timed(
    net: torch.nn.Module, tasks: Sequence[Task | None], rounds: int, use: Callable[[], object] | None = None
) -> tuple[float, float]:
    """Median milliseconds of a switch, and of a switch together with `use`, by default the forward pass after it."""
    image, times = torch.rand(1, next(net.parameters()).shape[1], 256, 256), []
    for round_ in range(rounds):
        start = time.perf_counter()
        switch(net, tasks[round_ % len(tasks)])
        switched = time.perf_counter()
        use() if use else net(image)
        times.append((switched - start, time.perf_counter() - start))
    switches, uses = zip(*times, strict=True)
    return 1e3 * median(switches), 1e3 * median(uses)


if __name__ == "__main__":
    run_script(main)
