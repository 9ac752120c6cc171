"""How fast pix2mask is against pytorch-CycleGAN-and-pix2pix, side by side on the CPU.

    python -m benchmarks.against_upstream --upstream FOLDER [--cases ngf16 test] [--rounds 5] [--threads 1]

FOLDER is a checkout of pytorch-CycleGAN-and-pix2pix. Both programs get the same flags, the same drawn images and one
thread. They train in turns, so a busy machine slows both alike; the first steps only warm up. First it is checked that
both compute the same losses from the same weights and images. A step includes the loading of its images. Speed-ups are
ratios of medians: of the time, and in brackets of the processor time, which other work on the machine hardly changes.
"""

import argparse
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from benchmarks.against_upstream.cases import (
    COMMON,
    LARGE,
    OURS,
    TRAINING,
    check_losses,
    in_turns,
    only_older,
    whole_tests,
    write_pairs,
)
from benchmarks.against_upstream.process import Pace, Process
from benchmarks.runs import ROOT, markdown, parser
from util.errors import UserError, run_script

CASES = (*TRAINING, "test", "large")
HEADER = ["case", "program", "ms", "speed-up", "MB"]


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--upstream", type=Path, required=True, help="a checkout of pytorch-CycleGAN-and-pix2pix")
    flags.add_argument("--cases", nargs="+", choices=CASES, default=CASES)
    flags.add_argument("--rounds", type=int, default=5)
    flags.add_argument("--threads", type=int, default=1)
    flags.add_argument("--images", type=int, default=60, help="large files")
    args = flags.parse_args()
    args.upstream = args.upstream.resolve()
    if not (args.upstream / "options" / "train_options.py").is_file():
        raise UserError(f"--upstream {args.upstream}: not a checkout of pytorch-CycleGAN-and-pix2pix")
    print(f"CPU, {args.threads} thread(s) each, torch {torch.__version__}, {args.rounds} rounds\n")
    print(markdown(HEADER, []))
    for case in args.cases:
        with tempfile.TemporaryDirectory() as folder:
            compared = compare(case, args, Path(folder))
        for title, paces in compared.items():
            for name, pace in paces.items():
                print(markdown([title, name, *pace.words(paces["upstream"])], []).splitlines()[0], flush=True)


def compare(case: str, args: argparse.Namespace, folder: Path) -> dict[str, dict[str, Pace]]:
    """What a case took each program, by title."""
    train, test = folder / "data" / "train", folder / "data" / "test"
    if case == "test":
        write_pairs(train, 2, 256)
        write_pairs(test, 50, 256)
        paces = whole_tests(args.upstream, folder / "data", folder, args.rounds, args.threads)
        return {"test.py, 50 images, unet_256, ngf 16": paces}
    if case == "large":
        write_pairs(train, args.images, LARGE, deep=True)
        with trainings(TRAINING["ngf16"][1], ("",), args, folder) as sides:
            sides["ours"].ask(f"loads {args.images}")  # upstream decodes all files in every epoch, the first or not
            each = max(1, args.images // args.rounds)
            title = f"second epoch of {args.images} 16-bit PNGs of {LARGE}x{LARGE}"
            return {
                f"{title}, ngf 16": in_turns(sides, args.rounds, f"steps {each}"),
                f"{title}, loading alone": in_turns(sides, args.rounds, f"loads {each}"),
            }
    write_pairs(train, 16, 256)
    title, flags, steps = TRAINING[case]
    with trainings(flags, ("", "--amp"), args, folder) as sides:
        apart = check_losses(sides["ours"], sides["upstream"], folder, 256, 8 if case == "batch8" else 1)
        in_turns(sides, 1, f"steps {max(2, steps // 2)}")  # to warm up
        return {f"{title} (losses equal to {apart:.0e})": in_turns(sides, args.rounds, f"steps {steps}")}


@contextmanager
def trainings(
    flags: str, extras: tuple[str, ...], args: argparse.Namespace, folder: Path
) -> Iterator[dict[str, Process]]:
    """Upstream's training, and ours with each of some further flags, waiting for orders."""
    common = f"{flags} {COMMON} --dataroot {folder / 'data'} --name run --checkpoints_dir {folder / 'runs'}"
    wanted = {"upstream": ("upstream", args.upstream, " ".join(only_older(args.upstream)))}
    wanted |= {f"ours {extra}".strip(): ("ours", ROOT, f"{OURS} {extra}") for extra in extras}
    sides: dict[str, Process] = {}
    try:
        for name, (what, program, own) in wanted.items():
            log = folder / f"{name}.log"
            sides[name] = Process(what, program, f"{common} {own}".split(), log, args.threads)
        yield sides
    finally:
        for side in sides.values():
            side.end()


if __name__ == "__main__":
    run_script(main)
