"""From one image, on disk or in memory, to a network's input."""

import argparse
import threading
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from data.enhance import Enhance
from data.read.decode import from_pillow
from data.read.headers import forget_contradicting
from data.read.images import read_image
from data.read.limits import refuse_too_large
from data.transforms import Geometry, to_network
from util.errors import UserError


class Reader:
    """Reads images as test.py's data sets do. opt: the options of a run, or `shared_input` of several.

    contradicting: how many DICOM files it has read whose PresentationLUTShape contradicts PhotometricInterpretation.
    """

    def __init__(self, opt: argparse.Namespace) -> None:
        if opt.input_nc not in (1, 3):
            raise UserError(f"--input_nc {opt.input_nc}: images have 1 (grey) or 3 (RGB) channels")
        self._geometry = Geometry(opt.preprocess, opt.load_size, opt.crop_size, flip=False, train=False)
        self._enhance = Enhance(opt.intensity, opt.clahe)
        self._channels = opt.input_nc
        self.contradicting, self._counting = 0, threading.Lock()
        self.one_size = self._geometry.one_size

    def pixels(self, image: object) -> np.ndarray:
        """The image at its original size, [H, W] or [H, W, 3] of uint8 or uint16.

        image: a path, a PIL image, a pydicom data set, or an array as it is returned. UserError: it cannot be read.
        """
        if isinstance(image, str | Path):
            return self._read(Path(image))
        if isinstance(image, Image.Image):
            return from_pillow(image, Path("the PIL image"))
        if isinstance(image, np.ndarray):
            return _checked(image)
        if type(image).__module__.startswith("pydicom."):
            from data.read.dicom import picture_of  # imports pydicom

            return picture_of(image).pixels  # type: ignore[arg-type]
        raise UserError(
            f"an image of type {type(image).__name__}: want a path, a PIL image, a pydicom data set, or a NumPy array"
        )

    def _read(self, path: Path) -> np.ndarray:
        try:
            return read_image(path)
        finally:
            if forget_contradicting(path):
                with self._counting:
                    self.contradicting += 1

    def to_input(self, pixels: np.ndarray, name: str) -> torch.Tensor:
        """Float32 [C, h, w] in [-1, 1]. name: the image's, for errors."""
        return to_network(self._enhance(self._geometry.load(pixels, self._channels), name), self._channels)


def _checked(array: np.ndarray) -> np.ndarray:
    grey, colour = array.ndim == 2, array.ndim == 3 and array.shape[2] == 3
    if array.dtype not in (np.uint8, np.uint16) or not (grey or colour) or not array.size:
        raise UserError(
            f"an array of {array.dtype} {list(array.shape)}: want uint8 or uint16, [height, width] or "
            "[height, width, 3], with white at 255 or 65535"
        )
    refuse_too_large(Path("the array"), array.shape[1], array.shape[0])
    return np.require(array, requirements=["C", "W"])  # torch warns of an array that cannot be written
