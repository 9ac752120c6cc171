"""Parse a DICOM file in bounded time and memory, however it is built."""

import io
import zlib
from pathlib import Path
from typing import Any

from pydicom import dcmread
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    UID,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ExplicitVRLittleEndian,
    ImplicitVRLittleEndian,
)

from data.read.limits import MAX_PIXELS
from data.read.preamble import without_preamble

MOST_BYTES = 2 * MAX_PIXELS + 2**26
"""Of a file: the pixels of the largest image, 16 bits each, and 64 MB for its header."""
MOST_READS = 60_000
"""pydicom reads once or twice for each element and item. Headers have some hundreds."""
MOST_ITEMS = 10_000
"""Of a sequence that pydicom parses only when it is asked for its value."""
DEFLATED = b"\x02\0\x10\0UI\x16\0" + DeflatedExplicitVRLittleEndian.encode()  # the element that says so
ITEM = b"\xfe\xff\x00\xe0"


class TooMuch(Exception):
    """The file is larger than any image, or has more elements."""


class _Counting(io.BufferedReader):
    """A file that can be read a bounded number of times."""

    reads = 0
    name = ""  # type: ignore[assignment]  # pydicom asks for it

    def read(self, size: int | None = -1, /) -> bytes:
        self.reads += 1
        if self.reads > MOST_READS:
            raise TooMuch
        return super().read(size)


def parse(path: Path, stop_before_pixels: bool = False) -> Dataset:
    """pydicom's dcmread, which also reads files without preamble. The data set always has a transfer syntax.

    TooMuch: more bytes or elements than an image has. InvalidDicomError: not DICOM. OSError: not readable. Any other
    exception: damaged.
    """
    if not stop_before_pixels and path.stat().st_size > MOST_BYTES:
        raise TooMuch(f"a file of more than {MOST_BYTES >> 20} MB")
    with path.open("rb", buffering=0) as raw, _Counting(raw) as file:
        start = file.peek(1024)[:1024]
        if DEFLATED in start:
            return _inflated(file.read(), stop_before_pixels)
        image = _dcmread(file, without_preamble(start), stop_before_pixels)
    _refuse_crowds(image)
    if not image.file_meta.get("TransferSyntaxUID"):
        image.file_meta.TransferSyntaxUID = _syntax(image)
    return image


def _inflated(data: bytes, stop_before_pixels: bool) -> Dataset:
    """A file whose data set is deflated (PS3.5 A.5). A kilobyte can become a megabyte."""
    length = int.from_bytes(data[140:144], "little")  # of the file meta information, by its first element
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    body = inflater.decompress(data[144 + length :], MOST_BYTES)
    if inflater.unconsumed_tail:
        raise TooMuch(f"it is deflated and becomes larger than {MOST_BYTES >> 20} MB")
    if not inflater.eof:
        raise ValueError("cut short")
    with _Counting(io.BytesIO(body)) as file:  # type: ignore[arg-type]
        image = _dcmread(file, True, stop_before_pixels)
    _refuse_crowds(image)
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    return image


def _dcmread(file: _Counting, force: bool, stop_before_pixels: bool) -> Dataset:
    try:
        return dcmread(file, force=force, stop_before_pixels=stop_before_pixels)
    except Exception as error:
        if file.reads > MOST_READS:  # pydicom makes another exception of ours
            raise TooMuch(f"its header has more than {MOST_READS // 2:,} elements") from None
        if isinstance(error, OSError) and error.errno is None:  # pydicom's, not the disk's
            raise ValueError("damaged") from None
        raise


def _refuse_crowds(image: Dataset) -> None:
    """TooMuch: a sequence of very many items, which would take minutes to interpret."""
    for tag in image.keys():  # noqa: SIM118 - iterating the data set itself interprets the values
        value: Any = image.get_item(tag).value
        if tag != 0x7FE00010 and isinstance(value, bytes) and value.count(ITEM) > MOST_ITEMS:
            raise TooMuch(f"a sequence in its header has more than {MOST_ITEMS:,} items")


def _syntax(image: Dataset) -> UID:
    """The transfer syntax by which pydicom could read a file that names none."""
    implicit, little = image.original_encoding
    if implicit:
        return ImplicitVRLittleEndian
    return ExplicitVRLittleEndian if little else ExplicitVRBigEndian
