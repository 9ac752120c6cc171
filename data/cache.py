"""Keep decoded samples in memory, within a budget."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from tqdm import tqdm

from util.errors import UserError

GB = 10**9


class Cache:
    """Calls `decode(sample)` for samples that do not yet lie in memory; a sample can be hashed, its value has `nbytes`.

    Filled once, by `fill`, in the process that trains: workers that are forked share the memory. A pickled copy (a
    worker that is spawned) starts empty rather than carry gigabytes along. The budget is one for all caches of the
    process: what the training data holds, the validation data cannot have.
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
        """Decode samples in order until the budget is used up. Returns what is wrong with the bad ones, by position.

        UserError: all bad files together, unless they are to be skipped; then every sample is decoded once, also
        beyond the budget, so that no bad file appears in the middle of an epoch.
        """
        bad: dict[int, str] = {}
        full = False
        block = 4 * self._threads  # decoded but not yet counted: bounds what the budget can be exceeded by
        bar = tqdm(total=len(samples), desc=label, unit="img", delay=2, leave=False, disable=None)
        torch_threads = torch.get_num_threads()
        # One thread of torch in each of ours: more would fight for the same cores.
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
        return f"{messages[0]} (--skip_bad_files goes on without it)"
    more = f" and {len(messages) - 5} more" if len(messages) > 5 else ""
    return f"{len(messages)} bad files: {'; '.join(messages[:5])}{more} (--skip_bad_files goes on without them)"
