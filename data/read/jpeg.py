"""JPEG of 12 bits and lossless JPEG for pydicom, which has no decoder of its own for them: libjpeg-turbo's.

pydicom's other choices for these are pylibjpeg-libjpeg (GPL) and GDCM, which ends the process at a damaged file.
"""

import imagecodecs
import numpy as np
from pydicom.pixels.decoders import JPEGExtended12BitDecoder, JPEGLosslessDecoder, JPEGLosslessSV1Decoder
from pydicom.pixels.decoders.base import DecodeRunner

DECODERS = (JPEGExtended12BitDecoder, JPEGLosslessDecoder, JPEGLosslessSV1Decoder)
DECODER_DEPENDENCIES = {decoder.UID: ("imagecodecs",) for decoder in DECODERS}


def is_available(uid: str) -> bool:
    """Whether there is a decoder for this transfer syntax; pydicom asks."""
    return uid in DECODER_DEPENDENCIES


def decode(source: bytes, runner: DecodeRunner) -> bytes:
    """The samples of one grey frame, one or two bytes each. An error of any kind: damaged, or not of the size that the
    header says."""
    if b"\xff\xd9" not in source[-32:]:  # libjpeg-turbo would fill up with grey what is missing
        raise ValueError("no end of image")
    pixels = np.empty((runner.rows, runner.columns), np.uint8 if runner.bits_stored <= 8 else np.uint16)
    imagecodecs.jpeg8_decode(source, out=pixels)
    runner.set_option("bits_allocated", 8 * pixels.itemsize)
    return pixels.tobytes()


def register() -> None:
    """Tell pydicom of `decode`."""
    for decoder in DECODERS:
        if "libjpeg-turbo" not in decoder.available_plugins:
            decoder.add_plugin("libjpeg-turbo", (__name__, "decode"))
