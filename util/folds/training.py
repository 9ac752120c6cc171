"""Train the runs of a cross-validation, each in a process of its own, so that one frees its memory before the next."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from util.errors import Stopped
from util.folds.record import Record, run_of
from util.run.aside import holds_run
from util.run.outlook import span


def train_folds(folder: Path, record: Record, command: Callable[[int], Sequence[str]]) -> int:
    """Train every fold that is not trained yet, and note in the record which are. Returns 0, or the exit code of the
    first process that did not come to its end; no further one is started then.

    folder: checkpoints/<name>. command: the program and its words that train a fold.
    """
    todo = [fold for fold in record.folds if fold not in record.trained]
    started = time.monotonic()
    for number, fold in enumerate(todo):
        run = folder.parent / run_of(folder.name, fold)
        begun = any(run.glob("latest_*.pth"))
        how = ["--continue_train"] if begun else ["--overwrite"] * holds_run(run)
        place = f"{record.folds.index(fold) + 1} of {len(record.folds)}"
        print(f"\nfold {fold} ({place}){' goes on' if begun else ''}: {run}", flush=True)
        if code := run_process([*command(fold), *how]):
            return code
        record.trained.append(fold)
        record.write(folder)
        if left := len(todo) - number - 1:
            mean = (time.monotonic() - started) / (number + 1)
            print(f"fold {fold} is trained; the {left} left will take about {span(mean * left)}", flush=True)
    return 0


def run_process(words: Sequence[str]) -> int:
    """Run a Python program and wait for it. Returns its exit code, or 128 + the signal that ended it.

    A signal to this process goes on to the program once, which then saves and ends. It has a process group of its own,
    because a terminal sends Ctrl-C to a whole group, and a second one would end it before it has saved.
    """
    sys.stdout.flush()
    own_group = None if os.name == "nt" else 0
    with _ended(subprocess.Popen([sys.executable, *words], process_group=own_group)) as process:
        while True:
            try:
                code = process.wait()
                return code if code >= 0 else 128 - code
            except KeyboardInterrupt as stop:
                if os.name != "nt":  # there Ctrl-C has reached both
                    process.send_signal(stop.number if isinstance(stop, Stopped) else signal.SIGINT)


@contextlib.contextmanager
def _ended(process: subprocess.Popen) -> Iterator[subprocess.Popen]:
    """Leave no process behind, whatever ends the block."""
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            process.wait()
