"""Flags of the scripts. argparse, nothing else.

Each script imports this package first, before the standard library: from then on Ctrl-C ends in one line, also while
other modules are imported, where no `run_script` catches it yet.
"""

import sys
from types import TracebackType

usual = sys.excepthook


def stop_quietly(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    from util.errors import interrupted  # not above: its own imports take a while

    if interrupted(error):
        print("\nstopped", file=sys.stderr, flush=True)
    else:
        usual(kind, error, trace)


sys.excepthook = stop_quietly
