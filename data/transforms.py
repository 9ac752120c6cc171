"""Resize, crop and flip an image together with its target, and turn pixels into a network's input."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from util.errors import UserError

# torch is imported by the functions that use it: flags and masks on disk are read without it.
if TYPE_CHECKING:
    import torch

AROUND_FOREGROUND = 0.5
"""Share of an image's patches that are drawn around a foreground pixel, if it has one; the others may come from
anywhere. A pneumothorax fills less than 1 % of its image: without this, hardly any patch would show one."""
PREPROCESS = ("resize_and_crop", "crop", "scale_width", "scale_width_and_crop", "none")


@dataclass(frozen=True)
class Geometry:
    """How an image is resized, cropped and flipped. `preprocess` is one of upstream's names (`PREPROCESS`).

    Training resizes to `load_size`, crops `crop_size` at random and flips. Evaluation never crops and never flips:
    it shows the network the whole image, scaled (if training scales) to `crop_size`. With `patch`, training crops
    patches of that size instead. `load_size` and `crop_size` must then be equal, because evaluation, too, cuts the
    loaded image into such patches.
    """

    preprocess: str
    load_size: int
    crop_size: int
    flip: bool
    train: bool
    patch: int = 0

    def __post_init__(self) -> None:
        if self.preprocess not in PREPROCESS:
            raise UserError(f"--preprocess {self.preprocess}: choose from {', '.join(PREPROCESS)}")
        for flag, value in (("--load_size", self.load_size), ("--crop_size", self.crop_size)):
            if value < 1:
                raise UserError(f"{flag} {value}: want at least 1 pixel")
        if self.train and self.resizes and self.patch:
            if self.load_size != self.crop_size:
                raise UserError(
                    f"--patch: training cuts patches from images of --load_size {self.load_size}, testing "
                    f"from images of --crop_size {self.crop_size}; make these two equal"
                )
            if self.patch > self.load_size:
                raise UserError(f"--patch {self.patch} does not fit into --load_size {self.load_size}")
        elif self.train and self.resizes and self.crops and self.load_size < self.crop_size:
            raise UserError(
                f"--crop_size {self.crop_size} does not fit into --load_size {self.load_size}: "
                "make one smaller or the other larger"
            )

    @property
    def resizes(self) -> bool:
        return self.preprocess.startswith(("resize", "scale_width"))

    @property
    def crops(self) -> bool:
        return self.preprocess.endswith("crop")

    @property
    def one_size(self) -> bool:
        """True if all images are loaded at one size, even if their sizes on disk differ."""
        return self.preprocess == "resize_and_crop"

    def loaded_size(self, height: int, width: int) -> tuple[int, int]:
        """The height and width to which an image of this height and width is resized before any crop."""
        if not self.resizes:
            return height, width
        target = self.load_size if self.train else self.crop_size
        if self.preprocess == "resize_and_crop":
            return target, target
        scaled = max(1, round(target * height / width))
        # A crop has to fit in height as well. A wide image is stretched for that, as upstream does.
        return (max(scaled, self.crop_size) if self.crops and self.train else scaled), target

    def load(self, picture: np.ndarray, channels: int) -> np.ndarray:
        """[H, W] or [H, W, 3] at its loaded size, in grey for a network of one channel."""
        return resize_picture(to_grey(picture) if channels == 1 else picture, self.loaded_size(*picture.shape[:2]))

    def draw(
        self, height: int, width: int, random: np.random.Generator, path: str, foreground: np.ndarray | None = None
    ) -> tuple[slice, slice]:
        """Draw the rows and columns that one training step sees of a loaded image. A flip reverses the columns.

        path: named in the error if the image is too small. foreground: bool [height, width]; `AROUND_FOREGROUND` of the
        patches contain one of its pixels.
        """
        top, left, rows, columns = 0, 0, height, width
        if self.patch or self.crops:
            flag, rows = ("--patch", self.patch) if self.patch else ("--crop_size", self.crop_size)
            columns = rows
            if height < rows or width < columns:
                raise UserError(
                    f"{path}: {width} x {height} pixels is smaller than {flag} {rows}; "
                    "make that smaller, or resize with --preprocess resize_and_crop"
                )
            first, last = np.array((0, 0)), np.array((height - rows, width - columns))
            if (
                (self.patch and foreground is not None)
                and random.random() < AROUND_FOREGROUND
                and len(pixels := np.flatnonzero(foreground))
            ):
                seen = np.array(divmod(random.choice(pixels), width))
                first, last = np.maximum(first, seen - (rows - 1)), np.minimum(last, seen)
            top, left = random.integers(first, last + 1).tolist()
        vertical, horizontal = slice(top, top + rows), slice(left, left + columns)
        if self.flip and random.random() < 0.5:
            horizontal = slice(left + columns - 1, left - 1 if left else None, -1)
        return vertical, horizontal


def resize_picture(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """[H, W] or [H, W, 3] of uint8 or uint16 to `size` (height, width), bicubic with antialiasing."""
    import torch
    from torch.nn.functional import interpolate

    if picture.shape[:2] == size:
        return picture
    # torchvision's resize does the same and takes seconds to import. torch resizes uint8 itself, uint16 not.
    tensor = _channels_first(picture)[None]
    if picture.dtype == np.uint8:
        resized = interpolate(tensor, size, mode="bicubic", antialias=True)
    else:
        resized = interpolate(tensor.to(torch.float32), size, mode="bicubic", antialias=True)
        resized = resized.round_().clamp_(0, np.iinfo(picture.dtype).max).to(torch.uint16)
    array = resized[0].numpy()
    return array[0] if picture.ndim == 2 else np.ascontiguousarray(array.transpose(1, 2, 0))


def resize_labels(labels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Class indices uint8 [H, W] to `size` (height, width): each new pixel takes the label at its centre."""
    from torch.nn.functional import interpolate

    if labels.shape == size:
        return labels
    return interpolate(_channels_first(labels)[None], size, mode="nearest-exact")[0, 0].numpy()


def to_grey(picture: np.ndarray) -> np.ndarray:
    """[H, W, 3] to its luma (ITU-R 601), [H, W] of the same type; [H, W] is returned unchanged."""
    if picture.ndim == 2:
        return picture
    luma = picture.astype(np.float32) @ np.array([0.299, 0.587, 0.114], np.float32)
    return np.round(luma).astype(picture.dtype)


def to_rgb8(picture: np.ndarray) -> np.ndarray:
    """Any picture, [H, W] or [H, W, 3], to uint8 [H, W, 3]; 16 bits are scaled down to 8."""
    if picture.dtype == np.uint16:
        picture = np.round(picture / 257.0).astype(np.uint8)
    return picture if picture.ndim == 3 else np.repeat(picture[:, :, None], 3, axis=2)


def to_network(picture: np.ndarray, channels: int) -> torch.Tensor:
    """[H, W] or [H, W, 3] of uint8 or uint16 to float32 [channels, H, W] in [-1, 1], scaled by the bit depth. A grey
    picture is repeated where the network reads three channels."""
    import torch

    # numpy computes this, not torch: torch's threads cost more than they save on such small arrays.
    values = np.divide(picture, np.iinfo(picture.dtype).max / 2, dtype=np.float32)
    values -= 1
    values = values[None] if picture.ndim == 2 else values.transpose(2, 0, 1)
    return torch.from_numpy(values).expand(channels, -1, -1)


def _channels_first(picture: np.ndarray) -> torch.Tensor:
    import torch

    tensor = torch.from_numpy(np.ascontiguousarray(picture))
    return tensor[None] if picture.ndim == 2 else tensor.permute(2, 0, 1)
