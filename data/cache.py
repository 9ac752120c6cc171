"""Keep decoded samples in memory, up to a budget."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from tqdm import tqdm

from util.errors import UserError

GB = 10**9


class Cache:
    """Calls `decode(sample)` for samples that are not in memory. Samples can be hashed; decoded values have `nbytes`.

    `fill` fills it once, in the main process. Forked worker processes share that memory. A pickled copy (for a spawned
    worker) starts empty, so gigabytes are not copied. All caches of a process share one budget: memory that holds
    training data is not available for validation data.
    """

    used = 0
    """Bytes that all caches of this process hold."""

    def __init__(self, decode: Callable[[Any], Any], gigabytes: float, threads: int, skip_bad: bool) -> None:
        self._decode = decode
        self._budget = gigabytes * GB
        self._threads = max(1, threads)
        self._skip_bad = skip_bad
        self._held: dict[Any, Any] = {}
        self._bytes = 0
        self.complete = False

    def fill(self, samples: Sequence[Any], label: str) -> dict[int, str]:
        """Decode samples in order until the budget is used up. Returns the error message of each bad one, by position.
        label: of the progress bar.

        UserError: all bad files together, unless bad files are skipped. In that case every sample is decoded once, even
        beyond the budget, so that no bad file turns up in the middle of an epoch.
        """
        bad: dict[int, str] = {}
        full = False
        block = 4 * self._threads  # decoded at once, before they are counted: limits by how much the budget is exceeded
        bar = tqdm(total=len(samples), desc=label, unit="img", delay=2, leave=False, disable=None)
        torch_threads = torch.get_num_threads()
        # Each of our threads gets one thread of torch: more would compete for the same cores.
        with bar, ThreadPoolExecutor(self._threads, initializer=torch.set_num_threads, initargs=(1,)) as pool:
            for start in range(0, len(samples), block):
                if full and not self._skip_bad:
                    break
                for i, value in enumerate(pool.map(self._try, samples[start : start + block]), start):
                    bar.update()
                    if isinstance(value, UserError):
                        bad[i] = str(value)
                    elif not full and Cache.used + value.nbytes <= self._budget:
                        self._held[samples[i]] = value
                        self._bytes += value.nbytes
                        Cache.used += value.nbytes
                    else:
                        full = True
        torch.set_num_threads(torch_threads)
        if bad and not self._skip_bad:
            raise UserError(_all(list(bad.values())))
        self.complete = not full
        return bad

    @property
    def mean_bytes(self) -> float:
        """Of a decoded sample, over those in memory."""
        return self._bytes / max(1, len(self._held))

    def get(self, sample: Any) -> Any:
        """The decoded sample, from memory or else from disk."""
        held = self._held.get(sample)
        return self._decode(sample) if held is None else held

    def _try(self, sample: Any) -> Any:
        try:
            return self._decode(sample)
        except UserError as error:
            return error

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_held": {}, "_bytes": 0}

    def __del__(self) -> None:
        Cache.used -= self._bytes


def _all(messages: list[str]) -> str:
    if len(messages) == 1:
        return f"{messages[0]} (--skip_bad_files leaves it out)"
    files_of = defaultdict(list)  # by their fault, which is said once
    for message in messages:
        file, _, fault = message.partition(": ")
        files_of[fault].append(file)
    faults = [f"{_few(files, ', ')}: {fault}" for fault, files in files_of.items()]
    return f"{len(messages)} bad files: {_few(faults, '; ')} (--skip_bad_files leaves them out)"


def _few(words: Sequence[str], between: str) -> str:
    return between.join(words[:5]) + (f" and {len(words) - 5} more" if len(words) > 5 else "")
