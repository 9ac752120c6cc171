"""Learn the tasks of a sequence one after the other, by many ways, and measure what each way learnt, kept and costs.

    python -m benchmarks.lifelong recipes/sequence_domain.txt
    python -m benchmarks.lifelong recipes/sequence_domain.txt --ways finetune masks --seeds 0 1 2 --images_seen 1000

Trains the runs that are not trained yet (checkpoints/<sequence>_<way>_<seed>_<task>), each in a process of its own,
measures all of them with forgetting.py in one process (results/<sequence>*) and prints markdown tables. Tasks are
measured on `val`, and on `test` where the data has no val. The command can be stopped at any time and goes on where it
was.
"""

import argparse
import os
import re
from pathlib import Path

from benchmarks.lifelong.sequence import read_sequence
from benchmarks.lifelong.tables import tables
from benchmarks.lifelong.training import Training
from benchmarks.lifelong.ways import WAYS, check_ways, ways_of
from benchmarks.runs import compare, parser
from options.flags.types import count
from util.errors import run_script


def parse() -> argparse.Namespace:
    made = parser(__doc__)
    made.add_argument("file", metavar="FILE", help="the sequence, such as recipes/sequence_domain.txt")
    made.add_argument("--ways", nargs="+", metavar="WAY", help=f"of {', '.join(WAYS)}; default: all that can")
    made.add_argument("--seeds", nargs="+", type=int, default=[0])
    made.add_argument("--size", type=count, help="width and height of all images, in place of the file's")
    made.add_argument("--images_seen", type=count, default=1000, help="by each training of a new task, about")
    made.add_argument("--gpu_ids", default="-1", help="-1: the CPU; 0: the first GPU")
    made.add_argument("--checkpoints_dir", type=Path, default=Path("checkpoints"))
    made.add_argument("--results_dir", type=Path, default=Path("results"))
    args = made.parse_args()
    args.seeds = [*dict.fromkeys(args.seeds)]  # the same run twice would narrow the intervals
    return args


def main() -> None:
    args = parse()
    check_ways(args.ways)
    sequence, machine = re.sub(r"[^\w.-]", "-", Path(args.file).stem), ["--gpu_ids", args.gpu_ids]
    tasks = read_sequence(args.file, args.size)
    ways = ways_of(args.ways, tasks)
    training = Training(sequence, tasks, args.images_seen, machine, args.checkpoints_dir)
    donor, runs = training.donor(), {}
    for way in ways:
        runs[way] = "+".join(",".join(training.learn(donor, way, seed)) for seed in args.seeds)
    old, *new = [task.phase for task in tasks]
    phases = ["--old_phase", old, "--new_phase", *new, *training.old_task()]
    cheap = ["--curve_points", "0", "--pictures", "2", "--num_threads", "0"]
    page, study = compare(sequence, donor, runs, [*phases, *cheap, *machine], args.checkpoints_dir, args.results_dir)
    print(f"{os.cpu_count()} cores, seeds {args.seeds}, {args.images_seen} images; page: {page}\n")
    if len(args.seeds) > 1:
        print("Means over the seeds; ± is half the width of the mean's 95 % interval (Student's t).\n")
    print(tables(study, [task.name for task in tasks], ways))


if __name__ == "__main__":
    run_script(main)
