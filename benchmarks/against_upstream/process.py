"""The processes that are compared: they take orders in turns (`side.py`), or run once and end."""

import json
import os
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import IO, Any, cast

from util.errors import UserError

SIDE = Path(__file__).with_name("side.py")


@dataclass
class Pace:
    """What some steps or runs of one program took: seconds, seconds of processor time, and the most memory in MB."""

    seconds: list[float] = field(default_factory=list)
    work: list[float] = field(default_factory=list)
    memory: float = 0.0

    def add(self, seconds: float, work: float, memory: float = 0.0) -> None:
        self.seconds.append(seconds)
        self.work.append(work)
        self.memory = max(self.memory, memory)

    def words(self, first: "Pace") -> list[str]:
        """Cells of the table: milliseconds, speed-up over `first` by time and by processor time, and memory."""
        faster = median(first.seconds) / median(self.seconds)
        lighter = median(first.work) / median(self.work)
        return [f"{median(self.seconds) * 1e3:,.0f}", f"{faster:.2f} ({lighter:.2f})", f"{self.memory:,.0f}"]


def environment(threads: int) -> dict[str, str]:
    """Of every process: as many threads, which sleep while they wait, and no messages about GPUs."""
    return os.environ | {"OMP_NUM_THREADS": str(threads), "OMP_WAIT_POLICY": "PASSIVE", "CUDA_VISIBLE_DEVICES": ""}


class Process:
    """A program that trains when it is told to (`side.py`). what: "ours" or "upstream"; log: where it prints."""

    def __init__(self, what: str, folder: Path, flags: Sequence[str], log: Path, threads: int) -> None:
        self.what, self.log = what, log
        with log.open("w") as file:
            self._process = subprocess.Popen(
                [sys.executable, str(SIDE), what, str(folder), *flags],
                cwd=folder,
                env=environment(threads),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=file,
                text=True,
            )

    def ask(self, order: str) -> Any:
        """The answer to one order. UserError: the process has ended."""
        try:
            print(order, file=self._process.stdin, flush=True)
            line = cast(IO[str], self._process.stdout).readline()
        except BrokenPipeError:
            line = ""
        if not line:
            raise UserError(f"{self.what} ended: {last_line(self.log.read_text(errors='replace'))}")
        return json.loads(line)

    def work(self, order: str, pace: Pace) -> None:
        """Let it train some steps, or load some batches, and note what each took."""
        for seconds, work in self.ask(order):
            pace.add(seconds, work)

    def end(self) -> None:
        if self._process.stdin:
            self._process.stdin.close()
        self._process.wait()


def run_once(command: Sequence[str], folder: Path, threads: int, pace: Pace) -> None:
    """Run a program to its end and note what it took. UserError: it failed."""
    start = time.perf_counter()
    process = subprocess.Popen(
        [sys.executable, *command],
        cwd=folder,
        env=environment(threads),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    said = cast(IO[str], process.stderr).read()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise UserError(f"{folder}: {command[0]} failed: {last_line(said)}")
    pace.add(time.perf_counter() - start, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1000)


def last_line(text: str) -> str:
    """The last line of what a program printed."""
    return ([line.strip() for line in text.splitlines() if line.strip()] or ["no message"])[-1]
