"""12-bit and lossless JPEG inside DICOM files, decoded by libjpeg-turbo: pydicom has no decoder of its own for them.

pydicom could also use pylibjpeg-libjpeg, which is under the GPL, or GDCM, which ends the process at a damaged file.
"""

import numpy as np
from pydicom.pixels.decoders import base

DECODERS = (base.JPEGExtended12BitDecoder, base.JPEGLosslessDecoder, base.JPEGLosslessSV1Decoder)
# pydicom looks for the names DECODER_DEPENDENCIES and is_available in a module that adds a decoder.
DECODER_DEPENDENCIES = {decoder.UID: ("imagecodecs",) for decoder in DECODERS}


def is_available(uid: str) -> bool:
    """Whether `decode` can read this transfer syntax."""
    return uid in DECODER_DEPENDENCIES


def decode(source: bytes, runner: base.DecodeRunner) -> bytes:
    """The samples of one grey frame, one or two bytes each. Raises an exception of any kind if the frame is damaged or
    has another size than the header says."""
    import imagecodecs

    if b"\xff\xd9" not in source[-32:]:  # libjpeg-turbo would fill the missing rest with grey
        raise ValueError("no end of image")
    pixels = np.empty((runner.rows, runner.columns), np.uint8 if runner.bits_stored <= 8 else np.uint16)
    imagecodecs.jpeg8_decode(source, out=pixels)
    runner.set_option("bits_allocated", 8 * pixels.itemsize)
    return pixels.tobytes()


def register() -> None:
    """Make pydicom use `decode`. Calling it again does no harm."""
    for decoder in DECODERS:
        if "libjpeg-turbo" not in decoder.available_plugins:
            decoder.add_plugin("libjpeg-turbo", (__name__, "decode"))
