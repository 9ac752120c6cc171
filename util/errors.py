"""Errors that a user can cause, and how a script ends because of them."""

import contextlib
import io
import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn

from util.faults import one_line


class UserError(Exception):
    """A mistake that the user can correct.

    The message is one line: what is wrong, in which file or flag, and what to do.
    """


def let_threads_sleep() -> None:
    """Let idle threads of torch sleep soon. Call this before torch is imported.

    By default they spin for long, and take the cores from another busy process on the machine. If they sleep at once,
    two threads are slower than one with small networks (benchmarks/speed.md).
    """
    if "OMP_WAIT_POLICY" not in os.environ:
        os.environ.setdefault("GOMP_SPINCOUNT", "10000")


def interrupted(error: BaseException | None) -> bool:
    """Whether an error is Ctrl-C, or what a library has made of it: numpy calls it an ImportError."""
    while error is not None and not isinstance(error, KeyboardInterrupt):
        error = error.__cause__ or error.__context__
    return error is not None


class Stopped(KeyboardInterrupt):
    """A signal to end, other than Ctrl-C, by its number."""

    def __init__(self, number: int = signal.SIGINT) -> None:
        super().__init__()
        self.number = number


# A closed terminal, and what Slurm sends before and at the time limit. Windows lacks two of them.
SIGNALS = tuple(getattr(signal, name) for name in ("SIGTERM", "SIGHUP", "SIGUSR1") if hasattr(signal, name))


def run_script(main: Callable[[], int | None]) -> NoReturn:
    """Run a script's `main` and exit with the code that it returns.

    A `UserError` ends in one line on stderr and exit code 2; `--verbose` on the command line adds the traceback. A
    fault of the machine ends in the same way: the user can correct a full disk, too. A signal to end lets the script
    clean up, and ends in 128 + its number. Import torch inside `main`, because the environment of its threads is set
    here.
    """
    let_threads_sleep()
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # the names of files need not be UTF-8; stderr does so itself
    for number in SIGNALS:
        if signal.getsignal(number) is signal.SIG_DFL:  # nohup has SIGHUP ignored, and that holds
            signal.signal(number, _stop)
    try:
        code = main()
    except BrokenPipeError:  # the program that reads our output has ended
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # or Python complains when it flushes at the end
        code = 141  # as a shell says of any program that SIGPIPE ended
    except KeyboardInterrupt as stop:
        _print("\nstopped")
        code = 128 + (stop.number if isinstance(stop, Stopped) else signal.SIGINT)
    except (UserError, OSError, MemoryError, RuntimeError, ImportError) as error:
        if isinstance(error, ImportError) and interrupted(error):
            _print("\nstopped")
            sys.exit(128 + signal.SIGINT)
        line = str(error) if isinstance(error, UserError) else one_line(error)
        if not line:
            raise
        if "--verbose" in sys.argv:
            traceback.print_exc()
        sys.stdout.flush()
        _print(f"error: {' '.join(line.split())}")
        code = 2
    sys.exit(code or 0)


def _stop(number: int, frame: object) -> NoReturn:
    for other in SIGNALS:  # a terminal often sends two, and the second would end the cleaning up
        signal.signal(other, signal.SIG_IGN)
    raise Stopped(number)


def _print(line: str) -> None:
    with contextlib.suppress(OSError):  # the terminal may be gone
        print(line, file=sys.stderr, flush=True)
