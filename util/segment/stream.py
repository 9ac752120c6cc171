"""Images to mask files, one after another: threads read ahead and write behind while the network goes on."""

from __future__ import annotations

import errno
import os
import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch

from util.errors import UserError
from util.files import remove_unfinished
from util.segment.manifest import Row, describe, shown

WRITING = 4  # threads that resize, label and write
SKIPPED = "exists already, and this command has not written it for this image; --overwrite replaces it"


class Found(Protocol):
    """An image, and where its mask goes (`data.stream.sources.Found`)."""

    @property
    def path(self) -> Path: ...

    @property
    def name(self) -> str: ...


class Segmenter(Protocol):
    """`models.apply.segmenter.Segmenter`"""

    batch_size: int

    def prepare(self, image: object, /) -> Any: ...

    def translate(self, prepared: Sequence[Any], /) -> list[Any]: ...

    def finish(self, outputs: Any, /) -> Any: ...

    def doubts(self, mask: np.ndarray, /) -> str: ...

    def expected_dice(self, segmentation: Any, outputs: Any, /) -> float | None: ...


class Writer(Protocol):
    """`data.stream.writers.MaskWriter`"""

    def targets(self, base: Path, /) -> list[Path]: ...

    def check(self, image: object, /) -> None: ...

    def write(self, image: Path, base: Path, labels: np.ndarray, /) -> None: ...


class Record(Protocol):
    """`util.segment.manifest.Manifest`"""

    def has_line(self, path: Path, /) -> bool: ...

    def is_done(self, path: Path, masks: Sequence[Path], /) -> bool: ...

    def holds(self, mask: Path, image: Path, /) -> bool: ...

    def is_ours(self, path: Path, masks: Sequence[Path], /) -> bool: ...

    def begin(self, paths: Iterable[Path], /) -> None: ...

    def add(self, row: Row, /) -> None: ...


class NoRecord:
    """For masks that go beside their images, which no manifest lists."""

    def has_line(self, path: Path) -> bool:
        return False

    def is_done(self, path: Path, masks: Sequence[Path]) -> bool:
        return False

    def holds(self, mask: Path, image: Path) -> bool:
        return False

    def is_ours(self, path: Path, masks: Sequence[Path]) -> bool:
        return False

    def begin(self, paths: Iterable[Path]) -> None:
        pass

    def add(self, row: Row) -> None:
        pass


@dataclass
class _Image:
    """One image in the stream. prepared: None if it has no mask; the row says why. size: height and width."""

    path: Path
    base: Path
    row: Row
    prepared: Any = None
    seconds: float = 0.0


class Stream:
    """Segments images and yields their rows, in order. Holds a bounded number of images at a time.

    folder: of all masks; None for masks beside their images. threads: read images. A bad image gets a row with its
    error. UserError, OSError: the disk fails, so nothing can go on.
    """

    def __init__(
        self,
        segmenter: Segmenter,
        writer: Writer,
        record: Record,
        folder: Path | None,
        overwrite: bool = False,
        threads: int = 4,
    ) -> None:
        self._segmenter, self._writer, self._record = segmenter, writer, record
        self._folder, self._overwrite, self._threads = folder, overwrite, max(1, threads)
        self._taken: set[int] = set()  # hashes of the paths and of the masks of this process

    def run(self, images: Iterable[Found]) -> Iterator[Row]:
        """The rows of all images that are not done yet."""
        finishing: deque[tuple[_Image, Future[Row]]] = deque()
        own = torch.get_num_threads()
        # Each of these threads gets one thread of torch: more would compete for the same cores.
        alone: dict[str, Any] = {"initializer": torch.set_num_threads, "initargs": (1,)}
        with ThreadPoolExecutor(self._threads, **alone) as readers, ThreadPoolExecutor(WRITING, **alone) as writers:
            try:
                for batch in self._batches(self._read_ahead(images, readers)):
                    torch.set_num_threads(own)
                    outputs = self._translate(batch)
                    self._record.begin(image.path for image in batch if image.prepared)
                    for image, output in zip(batch, outputs, strict=True):
                        finishing.append((image, writers.submit(self._finish, image, output)))
                    while len(finishing) > 2 * WRITING + self._segmenter.batch_size:
                        yield self._settle(*finishing.popleft())
                while finishing:
                    yield self._settle(*finishing.popleft())
            finally:
                readers.shutdown(cancel_futures=True)
                writers.shutdown(cancel_futures=True)

    def _read_ahead(self, images: Iterable[Found], pool: ThreadPoolExecutor) -> Iterator[_Image]:
        waiting: deque[Future[_Image]] = deque()
        for found in images:
            base = self._folder / found.name if self._folder else found.path.with_name(Path(found.name).name)
            targets = self._writer.targets(base)
            if hash(found.path) in self._taken or self._record.is_done(found.path, targets):
                continue
            self._taken.add(hash(found.path))
            waiting.append(pool.submit(self._read, self._claimed(found, base, targets)))
            if len(waiting) >= 2 * self._threads + self._segmenter.batch_size:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()

    def _claimed(self, found: Found, base: Path, targets: list[Path]) -> _Image:
        """The image, with an error in its row if its mask would replace a file that is not ours to replace."""
        image = _Image(found.path, base, Row(shown(found.path)))
        key = hash(("mask", str(base).casefold()))  # on some disks A.png and a.png are one file
        existing = [target for target in targets if os.path.lexists(target)]
        mask = targets[0].relative_to(self._folder) if self._folder else targets[0]
        if key in self._taken or self._record.holds(mask, found.path):
            image.row.error = f"{targets[0]}: is the mask of another image of this name"
        elif self._record.is_ours(found.path, targets):
            remove_unfinished(targets)
        elif existing and not self._overwrite:
            image.row.error = f"{existing[0]}: {SKIPPED}"
        if not image.row.error:
            self._taken.add(key)
            image.row.mask = shown(mask)
        return image

    def _read(self, image: _Image) -> _Image:
        began = time.perf_counter()
        if not image.row.error:
            try:
                self._writer.check(image.path)
                image.prepared = self._segmenter.prepare(image.path)
                image.row.height, image.row.width = image.prepared.size
            except UserError as error:
                image.row.error = str(error)
        image.row.bytes, image.row.sha256 = describe(image.path)
        image.seconds = time.perf_counter() - began
        return image

    def _batches(self, images: Iterable[_Image]) -> Iterator[list[_Image]]:
        """Images in order, at most `batch_size` of them prepared, and these of one shape. Bad ones come along."""
        batch: list[_Image] = []
        shapes: list = []
        for image in images:
            shape = [one.shape for one in image.prepared.inputs] if image.prepared else None
            if shape and shapes and shape != shapes[0]:
                yield batch
                batch, shapes = [], []
            batch.append(image)
            shapes += [shape] if shape else []
            if len(shapes) == self._segmenter.batch_size or len(batch) == 4 * self._segmenter.batch_size:
                yield batch
                batch, shapes = [], []
        if batch:
            yield batch

    def _translate(self, batch: list[_Image]) -> list[Any]:
        """What the networks make of each image; None for bad ones."""
        good = [image for image in batch if image.prepared]
        began = time.perf_counter()
        outputs = iter(self._segmenter.translate([image.prepared for image in good]) if good else [])
        for image in good:
            image.seconds += (time.perf_counter() - began) / len(good)
        return [next(outputs) if image.prepared else None for image in batch]

    def _finish(self, image: _Image, outputs: Any) -> Row:
        row, began = image.row, time.perf_counter()
        if image.prepared:
            try:
                result = self._segmenter.finish(outputs)
                self._writer.write(image.path, image.base, result.mask)
                row.area, row.parts = area_and_parts(result.mask)
                row.implausible = self._segmenter.doubts(result.mask)
                if chosen := outputs.chosen:
                    row.task, row.task_distance = chosen.name, round(chosen.distance, 3)
                    row.implausible = "; ".join(filter(None, (chosen.doubt, row.implausible)))
                expected = self._segmenter.expected_dice(result, outputs)
                row.expected_dice = "" if expected is None else round(expected, 4)
                confidence = result.confidence
                row.confidence = "" if confidence is None else round(confidence, 6)
            except UserError as error:
                if _is_of_the_disk(error):
                    raise
                row.error = str(error)
        if row.error:
            row.mask = ""
        row.seconds = round(image.seconds + time.perf_counter() - began, 4)
        image.prepared = None
        return row

    def _settle(self, image: _Image, future: Future[Row]) -> Row:
        row = future.result()
        self._record.add(row)
        return row


def area_and_parts(labels: np.ndarray) -> tuple[int, int]:
    """Foreground pixels of a mask, and how many parts they form that touch at a side or a corner."""
    from scipy.ndimage import label

    foreground = labels != 0
    _, parts = label(foreground, np.ones((3, 3)))  # type: ignore[misc]
    return int(np.count_nonzero(foreground)), int(parts)


def _is_of_the_disk(error: UserError) -> bool:
    """Whether no mask could be written, and not this one alone."""
    cause = error.__cause__
    return isinstance(cause, OSError) and cause.errno != errno.ENAMETOOLONG
