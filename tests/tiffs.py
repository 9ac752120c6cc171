"""TIFF files of every kind, written byte by byte: Pillow writes few of them."""

import struct
from pathlib import Path

import numpy as np

FORMATS = {"u": 1, "i": 2, "f": 3}


def write_tiff(path: Path, *pages: np.ndarray, order: str = "<", photometric: int | None = None, **tags: int) -> Path:
    """Pages [H, W] or [H, W, C] without compression. order: `<` or `>`. Tags by number, as `t274=6`, for
    every page. photometric: by default 1, or 2 for three or more channels."""
    blocks: list[bytes] = [b"II*\0" if order == "<" else b"MM\0*", b""]
    place = 8
    pointer = 1  # the block that is to hold the place of the next directory
    for page in pages:
        data = page.astype(page.dtype.newbyteorder(order)).tobytes()
        data += bytes(len(data) % 2)
        channels = 1 if page.ndim == 2 else page.shape[2]
        values = {256: page.shape[1], 257: page.shape[0], 258: [8 * page.itemsize] * channels, 259: 1}
        values |= {262: photometric if photometric is not None else (2 if channels > 2 else 1), 273: place}
        values |= {277: channels, 278: page.shape[0], 279: len(data), 339: [FORMATS[page.dtype.kind]] * channels}
        values |= {int(name[1:]): value for name, value in tags.items()}
        place += len(data)
        entries, beyond = b"", b""
        for tag, value in sorted(values.items()):
            many = value if isinstance(value, list) else [value]
            packed = struct.pack(f"{order}{len(many)}{'I' if tag in (273, 279) else 'H'}", *many)
            if len(packed) > 4:
                packed, beyond = struct.pack(f"{order}I", place + len(beyond)), beyond + packed.ljust(8, b"\0")
            kind = 4 if tag in (273, 279) else 3
            entries += struct.pack(f"{order}HHI", tag, kind, len(many)) + packed.ljust(4, b"\0")
        place += len(beyond)
        blocks[pointer] = struct.pack(f"{order}I", place)
        blocks += [data, beyond, struct.pack(f"{order}H", len(values)) + entries, bytes(4)]
        pointer = len(blocks) - 1
        place += 2 + len(entries) + 4
    path.write_bytes(b"".join(blocks))
    return path
