"""What a user can cause, and how a script ends because of it."""

import re
import sys
import traceback
from collections.abc import Callable
from typing import NoReturn


class UserError(Exception):
    """A mistake the user can mend. The message is one line: what is wrong, in which file or flag, what to do."""


def run_script(main: Callable[[], int | None]) -> NoReturn:
    """Run a script's `main` and leave the process with its exit code.

    `UserError` ends in one line on stderr and exit code 2; `--verbose` on the command line shows the traceback
    too. A disk that is full or read-only is the user's to mend as well.
    """
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
        # torch has no common class for it: CUDA's is a RuntimeError of its own, the CPU's a plain one.
        if not isinstance(error, MemoryError) and not re.search("out of memory|can't allocate memory", str(error)):
            raise
        print("error: out of memory: take a smaller --batch_size, --crop_size or --ngf", file=sys.stderr)
        code = 2
    sys.exit(code or 0)
