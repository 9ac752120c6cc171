"""Kill segment.py ten times at random instants, and let it go on: tests/test_segment_runs.py.

    python -m tests.segment_kills OUT FLAGS...

Every start is a copy of this process (fork), so that it need not load torch.
"""

import os
import random
import signal
import sys
import time
from pathlib import Path

import torch

import segment
from tests.kills import forked

KILLS = 10


def main(out: str, *flags: str) -> None:
    torch.set_num_threads(1)
    sys.argv = ["segment.py", *flags, "--out", out]
    log, instants, kills, rows = Path(out).with_suffix(".log"), random.Random(0), 0, set()
    manifest = Path(out) / "manifest.csv"
    while kills < KILLS:
        child = os.fork()
        if not child:
            os._exit(forked(segment.main, log))
        before = lines(manifest)
        while lines(manifest) <= before:  # until it has begun to work
            time.sleep(0.002)
        time.sleep(instants.uniform(0, 0.05))
        kill_all(child)
        kills += 1
        rows.add(lines(manifest))
    assert forked(segment.main, log) == 0, log.read_text()
    print(f"{kills} kills, after {len(rows)} different numbers of lines")


def lines(manifest: Path) -> int:
    return manifest.read_bytes().count(b"\n") if manifest.exists() else 0


def kill_all(child: int) -> None:
    """Kill the copy that segments, and the one that waits for it."""
    (inner,) = (int(x) for x in Path(f"/proc/{child}/task/{child}/children").read_text().split())
    os.kill(inner, signal.SIGKILL)
    os.waitpid(child, 0)


if __name__ == "__main__":
    main(*sys.argv[1:])
