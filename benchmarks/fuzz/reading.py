"""Inputs are changed and read in a child process, and what became of them is counted."""

import contextlib
import io
import multiprocessing
import os
import queue
import random
import resource
import signal
import tempfile
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.fuzz.changes import mutated
from benchmarks.fuzz.seeds import SEEDS
from util.errors import UserError

SECONDS, BYTES = 10, 2 << 30  # the most that one input may take
WAITING = 12  # times SECONDS may pass on the clock, for others use the processor too
TIMERS = ((signal.ITIMER_PROF, signal.SIGPROF, 1), (signal.ITIMER_REAL, signal.SIGALRM, WAITING))
CRASHED = "the process crashed or hung"


class Slow(BaseException):
    """An input took SECONDS of the processor, or waited. No reader may catch it by catching Exception."""


@dataclass
class Tally:
    """What became of the inputs of a reader."""

    counts: Counter = field(default_factory=Counter)
    slowest: float = 0.0
    memory: float = 0.0  # MB
    escaped: Counter = field(default_factory=Counter)


def read_one(read: Callable[[Path], object], path: Path) -> str:
    """Read an input. Returns "read", "refused", or the error that escaped, with the project's line it came from."""

    def stop(*_: object) -> None:
        raise Slow

    for timer, number, seconds in TIMERS:
        signal.signal(number, stop)
        signal.setitimer(timer, seconds * SECONDS)
    try:
        out = io.TextIOWrapper(io.BytesIO(), encoding="utf-8")  # not all text can be printed
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(io.StringIO()):
            read(path)
    except (UserError, OSError):
        return "refused"
    except Slow:
        return f"took over {SECONDS} s"
    except BaseException as error:
        root = str(Path(__file__).parents[2])
        frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename.startswith(root)]
        ours = [f for f in frames if ".venv" not in f.filename and not f.filename.endswith(Path(__file__).name)]
        where = f"{Path(ours[-1].filename).relative_to(root)}:{ours[-1].lineno}" if ours else "?"
        return f"{type(error).__name__} at {where}: {str(error)[:80]}"
    finally:
        for timer, *_ in TIMERS:
            signal.setitimer(timer, 0)
    return "read"


def _work(name: str, span: range, seed: int, folder: Path, keep: Path | None, results) -> None:
    """Make and read the inputs of a span. Runs in a process of its own; every result goes through the queue."""
    warnings.simplefilter("ignore")
    os.chdir(folder)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 2)  # libtiff writes there by itself
    seeds = SEEDS[name](folder)
    for one in seeds:
        one.read(one.path)  # a sound file is read, and what the reader imports is imported now
    resource.setrlimit(resource.RLIMIT_AS, (_size() + BYTES, resource.RLIM_INFINITY))
    files = [one.path.read_bytes() for one in seeds]
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    for index in span:
        rng = random.Random(f"{seed} {name} {index}")
        which = rng.randrange(len(seeds))
        one = seeds[which]
        values = one.change is not None and rng.random() < 0.6
        if values and one.change:
            one.change(rng, one.path)
        else:
            one.path.write_bytes(mutated(files[which], files, rng, one.text))
        start = time.process_time()
        outcome = read_one(one.read, one.path)
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        grown, before = (peak - before) / 1024, peak
        if keep and outcome not in ("read", "refused"):
            (keep / f"{name}-{index}{one.path.suffix}").write_bytes(one.path.read_bytes())
            (keep / f"{name}-{index}.why").write_text(outcome + "\n")
        results.put((index, outcome, seconds, grown))


def _size() -> int:
    """Bytes of address space of this process."""
    return int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()


def _next(child, results) -> tuple[int, str, float, float] | None:
    """The next result of a child process; None if it is dead, or hangs where no signal ends it."""
    for _ in range((WAITING + 3) * SECONDS):
        try:
            return results.get(timeout=1)
        except queue.Empty:
            if not child.is_alive() and results.empty():
                return None
    return None


def fuzz(name: str, inputs: int, seed: int, until: float, keep: Path | None) -> Tally:
    """Read `inputs` damaged files, or as many as can be read until a time (`time.monotonic`)."""
    tally, done = Tally(), 0
    context = multiprocessing.get_context("spawn")
    while done < inputs and time.monotonic() < until:
        with tempfile.TemporaryDirectory() as folder:
            results = context.Queue()
            span = range(done, inputs)
            child = context.Process(target=_work, args=(name, span, seed, Path(folder), keep, results), daemon=True)
            child.start()
            while done < inputs and time.monotonic() < until:
                done, outcome, seconds, grown = _next(child, results) or (done, CRASHED, 0.0, 0.0)
                if outcome == CRASHED and not (done > span.start or child.exitcode in (-9, -11, -6)):
                    raise UserError(
                        f"{name}: its sound files could not be written or read (exit code {child.exitcode})"
                    )
                done += 1
                tally.counts[outcome if outcome in ("read", "refused") else "escaped"] += 1
                tally.escaped[outcome] += outcome not in ("read", "refused")
                tally.slowest, tally.memory = max(tally.slowest, seconds), max(tally.memory, grown)
                if outcome == CRASHED:
                    break
            child.kill()
            child.join()
    tally.escaped += Counter()  # drops the zeros
    return tally
