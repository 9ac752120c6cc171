"""How fast exported files are: PyTorch, torch.export and onnxruntime take turns on the same images.

    python -m benchmarks.export RUN [--rounds 20] [--threads 2] [--size 1024]

RUN is a run of two classes. Each way gets a whole X-ray of 8 bits and returns mask and probability at its size, as
test.py does. Times are medians of the rounds. The processor's time, of all threads, depends less on what else the
machine does. Ratios are PyTorch's time over that of the row: above 1 is faster.
"""

import time
from collections.abc import Callable, Mapping
from statistics import median

import numpy as np
import torch

from benchmarks.runs import markdown, parser
from data.enhance import INTENSITY
from data.phantom.chests import chest
from models.export.__main__ import images
from models.export.check import Apply, as_input
from models.export.exported import Exported, exported
from models.export.to_onnx import apply_onnx, write_onnx
from models.export.to_torch import apply_torch, write_torch
from models.norm_stats import inference
from options.test import TEST, resolve
from util.commands import CHECKPOINTS_DIR
from util.errors import run_script


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("run")
    flags.add_argument("--checkpoints_dir", default=CHECKPOINTS_DIR)
    flags.add_argument("--rounds", type=int, default=20)
    flags.add_argument("--threads", type=int, default=2)
    flags.add_argument("--size", type=int, default=1024)
    args = flags.parse_args()
    torch.set_num_threads(args.threads)
    typed = TEST.typed(["--name", args.run, "--checkpoints_dir", args.checkpoints_dir])
    opt = resolve({"phase": "val", "num_test": 1, "gpu_ids": "-1"} | typed)
    with images(opt, chosen=False) as (loader, _):
        run = exported(opt, loader, INTENSITY[opt.intensity], threshold_typed=False)
    with inference(run.whole.net, opt.norm_stats):
        ways = {
            "PyTorch": _eager(run),
            "torch.export": apply_torch(write_torch(run)),
            "onnxruntime": apply_onnx(write_onnx(run)),
        }
        walls, processor = timed(ways, as_input(chest(7, size=args.size)[0]), args.rounds)
    rows = [
        [name, *(f"{1e3 * times[name]:.0f}" for times in (walls, processor)), *_ratios(name, walls, processor)]
        for name in ways
    ]
    print(
        f"{opt.netG}, ngf {opt.ngf}, X-rays of {args.size} x {args.size}, networks of {opt.crop_size} x {opt.crop_size}"
    )
    print(f"cpu, {args.threads} threads, torch {torch.__version__}, {args.rounds} rounds in turns\n")
    print(markdown(["way", "ms an image", "processor, ms", "ratio", "ratio, processor"], rows))


def timed(ways: Mapping[str, Apply], image: tuple[np.ndarray, float], rounds: int) -> list[dict[str, float]]:
    """Median seconds of each way by the clock, and by the processor. The first round is a warm-up."""
    walls: dict[str, list[float]] = {name: [] for name in ways}
    processor: dict[str, list[float]] = {name: [] for name in ways}
    for _ in range(rounds + 1):
        for name, apply in ways.items():
            start, began = time.perf_counter(), time.process_time()
            apply(*image)
            walls[name].append(time.perf_counter() - start)
            processor[name].append(time.process_time() - began)
    return [{name: median(one[1:]) for name, one in times.items()} for times in (walls, processor)]


def _ratios(name: str, *times: Mapping[str, float]) -> list[str]:
    return [f"{one['PyTorch'] / one[name]:.2f}" for one in times]


def _eager(run: Exported) -> Callable:
    @torch.no_grad()
    def apply(image: np.ndarray, white: float) -> tuple[np.ndarray, np.ndarray]:
        mask, probability = run.whole(torch.from_numpy(image), torch.tensor(white))
        return mask.numpy(), probability.numpy()

    return apply


if __name__ == "__main__":
    run_script(main)
