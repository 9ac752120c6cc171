"""The compressed frame of a DICOM file: JPEG, JPEG-LS, JPEG 2000 and its High-Throughput kind, decoded by imagecodecs.

pydicom decodes such frames, too, but believes the header where the frame contradicts it: a frame of 96 x 64 pixels
under a header of 64 x 96 becomes a scrambled picture. Here the frame's own size, depth and sign are compared with the
header.

pylibjpeg-libjpeg is under the GPL, and GDCM ends the process at a damaged file.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from pydicom import uid

from util.errors import UserError

LOSSLESS = {
    uid.JPEGLossless,
    uid.JPEGLosslessSV1,
    uid.JPEGLSLossless,
    uid.JPEG2000Lossless,
    uid.HTJ2KLossless,
    uid.HTJ2KLosslessRPCL,
}
LOSSY = {uid.JPEGBaseline8Bit, uid.JPEGExtended12Bit, uid.JPEGLSNearLossless, uid.JPEG2000, uid.HTJ2K}
SYNTAXES = LOSSLESS | LOSSY
JPEG_2000 = {uid.JPEG2000Lossless, uid.JPEG2000, uid.HTJ2KLossless, uid.HTJ2KLosslessRPCL, uid.HTJ2K}
JPEG_LS = {uid.JPEGLSLossless, uid.JPEGLSNearLossless}
END = b"\xff\xd9"
START_2000 = b"\xff\x4f\xff\x51"


@dataclass(frozen=True)
class Frame:
    """What a compressed frame says about itself."""

    width: int
    height: int
    bits: int
    samples: int
    signed: bool = False


def describe(source: bytes) -> Frame:
    """The frame header of a codestream. ValueError or IndexError: there is none."""
    start = source.find(START_2000)
    if start >= 0 and not source.startswith(b"\xff\xd8"):
        return _describe_2000(source[start + 4 :])
    place = 2
    while source[place] == 0xFF:  # segments follow each other: marker, length, content
        marker, length = source[place + 1], int.from_bytes(source[place + 2 : place + 4])
        if marker == 0xFF:  # fill byte
            place += 1
            continue
        if (0xC0 <= marker <= 0xCF and marker not in (0xC4, 0xC8, 0xCC)) or marker == 0xF7:
            bits, samples = source[place + 4], source[place + 9]
            height, width = (int.from_bytes(source[place + i : place + i + 2]) for i in (5, 7))
            return Frame(width, height, bits, samples)
        place += 2 + length
    raise ValueError("no frame header")


def _describe_2000(segment: bytes) -> Frame:
    """A SIZ segment (ISO 15444-1 A.5.1) from its length on: capabilities, right, bottom, left, top, tiles, samples."""
    right, bottom, left, top = (int.from_bytes(segment[i : i + 4]) for i in (4, 8, 12, 16))
    samples, depth = int.from_bytes(segment[36:38]), segment[38]
    return Frame(right - left, bottom - top, (depth & 127) + 1, samples, bool(depth & 128))


def decode(source: bytes, syntax: str, rows: int, columns: int) -> tuple[np.ndarray, Frame]:
    """The samples [H, W] of one grey frame, and what it says about itself.

    UserError (without the file's name): its size is not that of the header. Any other exception: it is damaged.
    """
    frame = describe(source)
    if (frame.height, frame.width) != (rows, columns):
        raise UserError(
            f"its header says {columns} x {rows} pixels (Columns x Rows), its compressed image {frame.width} x "
            f"{frame.height}"
        )
    if frame.samples != 1:
        raise UserError(f"its header says SamplesPerPixel 1, its compressed image has {frame.samples}")
    rest = source[source.rfind(END) + 2 :].rstrip(b"\0") if END in source else None
    # Decoders fill the missing rest of a frame with grey. Some programs pad whole frames with one value.
    if rest is None or (len(rest) > 32 and rest.strip(rest[:1])):
        raise ValueError("no end of image")
    pixels = _decoder(syntax)(source)
    if pixels.shape != (rows, columns):
        raise ValueError("decoded to another size")
    return pixels, frame


def _decoder(syntax: str) -> Callable[[bytes], np.ndarray]:
    import imagecodecs

    if syntax in JPEG_2000:
        return imagecodecs.jpeg2k_decode
    return imagecodecs.jpegls_decode if syntax in JPEG_LS else imagecodecs.jpeg8_decode
