"""Errors that a user can cause, and how a script ends because of them."""

import os
import re
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn


class UserError(Exception):
    """A mistake that the user can correct.

    The message is one line: what is wrong, in which file or flag, and what to do.
    """


def let_threads_sleep() -> None:
    """Let idle threads of torch sleep. Call this before torch is imported.

    By default they spin, and take the cores from another busy process on the machine, which made an epoch of 2 s
    last 24 s.
    """
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


def run_script(main: Callable[[], int | None]) -> NoReturn:
    """Run a script's `main` and exit with the code that it returns.

    A `UserError` ends in one line on stderr and exit code 2; `--verbose` on the command line adds the traceback. An
    OSError ends in the same way: the user can correct a full or read-only disk, too. Import torch inside `main`,
    because the environment of its threads is set here.
    """
    let_threads_sleep()
    try:
        code = main()
    except BrokenPipeError:
        code = 0
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        code = 130
    except (UserError, OSError) as error:
        if "--verbose" in sys.argv:
            traceback.print_exc()
        sys.stdout.flush()
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        code = 2
    except (MemoryError, RuntimeError) as error:
        # torch has no common class for lack of memory: CUDA raises a subclass of RuntimeError, the CPU a plain one.
        if not isinstance(error, MemoryError) and not re.search("out of memory|can't allocate memory", str(error)):
            raise
        print("error: out of memory: take a smaller --batch_size, --crop_size or --ngf", file=sys.stderr)
        code = 2
    sys.exit(code or 0)
