"""Throughput and time left of a stream of images."""

import sys
import threading
from collections.abc import Callable, Iterator

from tqdm import tqdm

from util.segment.manifest import Row


def shown(rows: Iterator[Row], count: Callable[[], int] | None) -> Iterator[Row]:
    """The rows, with a progress bar: in a terminal at once, in a log every half minute.

    count: how many rows there will be; it may take minutes, so the bar does not wait for it. None: nobody knows.
    """
    pause = 0.1 if sys.stderr.isatty() else 30
    with tqdm(desc="segmenting", unit="img", delay=2, mininterval=pause, maxinterval=2 * pause, smoothing=0.05) as bar:
        if count:
            threading.Thread(target=_set_total, args=(bar, count), daemon=True).start()
        for row in rows:
            yield row
            bar.update()


def _set_total(bar: tqdm, count: Callable[[], int]) -> None:
    try:
        bar.total = count()
    except OSError:  # the stream itself will meet it too, and say so
        bar.total = None
