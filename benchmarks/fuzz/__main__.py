"""The command line of benchmarks.fuzz, and its table."""

import argparse
import time
from pathlib import Path

from benchmarks.fuzz.reading import fuzz
from benchmarks.fuzz.seeds import SEEDS
from benchmarks.runs import markdown
from util.errors import UserError, run_script


def main() -> int:
    parser = argparse.ArgumentParser(description="Damaged files for every reader.")
    parser.add_argument("readers", nargs="*", metavar="READER", help=f"default: all of {', '.join(SEEDS)}")
    parser.add_argument("--inputs", type=int, default=1000, help="for each reader")
    parser.add_argument("--minutes", type=float, default=float("inf"), help="for each reader, at most")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", type=Path, help="folder for the inputs that escaped")
    opt = parser.parse_args()
    if unknown := [name for name in opt.readers if name not in SEEDS]:
        raise UserError(f"{unknown[0]}: no reader; choose from {', '.join(SEEDS)}")
    if opt.keep:
        opt.keep.mkdir(parents=True, exist_ok=True)
    rows, escaped = [], 0
    for name in opt.readers or SEEDS:
        tally = fuzz(name, opt.inputs, opt.seed, time.monotonic() + opt.minutes * 60, opt.keep)
        counts = tally.counts
        rows.append(
            [name, f"{counts.total():,}", f"{counts['read']:,}", f"{counts['refused']:,}", f"{counts['escaped']:,}"]
        )
        rows[-1] += [f"{tally.slowest:.2f} s", f"{tally.memory:.0f} MB"]
        escaped += counts["escaped"]
        for outcome, count in tally.escaped.most_common(20):
            print(f"{name}: {count} x {outcome}", flush=True)
        print(*rows[-1], sep=" | ", flush=True)
    print(markdown(["reader", "inputs", "read", "refused in a line", "escaped", "slowest", "memory"], rows))
    return 1 if escaped else 0


if __name__ == "__main__":
    run_script(main)
