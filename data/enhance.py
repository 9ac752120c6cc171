"""--intensity and --clahe: the grey values of an image before a network sees it, in training and testing alike."""

from dataclasses import dataclass

import numpy as np

from util.errors import UserError

INTENSITY = {"none": None, "minmax": (0.0, 100.0), "percentile": (1.0, 99.0)}
"""--intensity to the two percentiles of an image's values that become black and white; None: values stay."""
CLIP, TILES = 2.0, (8, 8)
"""CLAHE's contrast limit and its tiles (rows, columns). kornia's default limit of 40 amplifies noise."""


@dataclass(frozen=True)
class Enhance:
    """Callable on a picture: applies --intensity, then --clahe. False if both are off."""

    intensity: str = "none"
    clahe: bool = False

    def __bool__(self) -> bool:
        return self.clahe or self.intensity != "none"

    def __call__(self, picture: np.ndarray, name: str) -> np.ndarray:
        """Takes and returns [H, W] or [H, W, 3] of uint8 or uint16. name: the file, for the UserError of a picture that
        is too small for CLAHE's tiles."""
        if percentiles := INTENSITY[self.intensity]:
            picture = stretch(picture, *percentiles)
        if not self.clahe:
            return picture
        height, width = picture.shape[:2]
        if height <= TILES[0] or width <= TILES[1]:
            raise UserError(f"{name}: loaded at {width} x {height} pixels; --clahe needs more than 8 each way")
        return clahe(picture)


def stretch(picture: np.ndarray, low: float, high: float) -> np.ndarray:
    """Stretch [H, W] or [H, W, 3] of uint8 or uint16: percentile `low` becomes 0, percentile `high` 255 or 65535.
    All channels share the percentiles. Values beyond are clipped. Nothing changes if the two percentiles are equal."""
    limit = np.iinfo(picture.dtype).max
    black, white = np.percentile(picture, (low, high))
    if not white > black:
        return picture
    return np.round(np.clip((picture - black) * (limit / (white - black)), 0, limit)).astype(picture.dtype)


def clahe(picture: np.ndarray) -> np.ndarray:
    """Contrast-limited adaptive histogram equalisation (Zuiderveld 1994) of [H, W] or [H, W, 3], uint8 or uint16 and
    larger than `TILES`; each channel on its own. The result has 256 levels, even with 16 bits."""
    import torch
    from kornia.enhance import equalize_clahe

    limit = np.iinfo(picture.dtype).max
    channels = picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)
    values = torch.from_numpy(channels.astype(np.float32) / limit)
    values = equalize_clahe(values, CLIP, TILES).mul_(limit).round_().clamp_(0, limit).numpy().astype(picture.dtype)
    return values[0] if picture.ndim == 2 else np.ascontiguousarray(values.transpose(1, 2, 0))
