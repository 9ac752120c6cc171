"""What may be done to the grey values of an image before a network sees it, in training and testing alike."""

from dataclasses import dataclass

import numpy as np
import torch
from kornia.enhance import equalize_clahe

from util.errors import UserError

INTENSITY = {"none": None, "minmax": (0.0, 100.0), "percentile": (1.0, 99.0)}
"""--intensity to the percentiles of an image's own values that become black and white; None: left as they are."""
CLIP, TILES = 2.0, (8, 8)
"""CLAHE's limit of contrast and its tiles (rows, columns). kornia's own limit of 40 lets noise through."""


@dataclass(frozen=True)
class Enhance:
    """Callable on a picture: first --intensity, then --clahe. False where that is nothing."""

    intensity: str = "none"
    clahe: bool = False

    def __bool__(self) -> bool:
        return self.clahe or self.intensity != "none"

    def __call__(self, picture: np.ndarray, name: str) -> np.ndarray:
        """[H, W] or [H, W, 3] of uint8 or uint16, the same back. UserError: too small for CLAHE's tiles."""
        if percentiles := INTENSITY[self.intensity]:
            picture = stretch(picture, *percentiles)
        if not self.clahe:
            return picture
        height, width = picture.shape[:2]
        if height <= TILES[0] or width <= TILES[1]:
            raise UserError(f"{name}: loaded at {width} x {height} pixels; --clahe needs more than 8 each way")
        return clahe(picture)


def stretch(picture: np.ndarray, low: float, high: float) -> np.ndarray:
    """[H, W] or [H, W, 3] of uint8 or uint16 whose percentiles `low` and `high`, of all channels together, are now 0
    and full scale; values beyond are clipped. Where the two percentiles are one, it stays as it is."""
    limit = np.iinfo(picture.dtype).max
    black, white = np.percentile(picture, (low, high))
    if not white > black:
        return picture
    return np.round(np.clip((picture - black) * (limit / (white - black)), 0, limit)).astype(picture.dtype)


def clahe(picture: np.ndarray) -> np.ndarray:
    """[H, W] or [H, W, 3] of uint8 or uint16, larger than `TILES`, after contrast-limited adaptive histogram
    equalisation (Zuiderveld 1994), each channel on its own; in 256 steps, also of 16 bits."""
    limit = np.iinfo(picture.dtype).max
    channels = picture[None] if picture.ndim == 2 else picture.transpose(2, 0, 1)
    values = torch.from_numpy(channels.astype(np.float32) / limit)
    values = equalize_clahe(values, CLIP, TILES).mul_(limit).round_().clamp_(0, limit).numpy().astype(picture.dtype)
    return values[0] if picture.ndim == 2 else np.ascontiguousarray(values.transpose(1, 2, 0))
