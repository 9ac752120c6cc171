"""Pictures to look at: tensors as images, outlines over X-rays, correct and wrong pixels in colour."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image

from util.contracts import VOID
from util.files import replacing

# Orange and blue differ in every common kind of colour blindness. These two also differ in brightness, by a contrast of
# 3 : 1, so that they stay apart in a grey print, where blue is darker than most of an X-ray and orange lighter.
TRUTH = (0, 105, 210)  # blue: outlines of the ground truth, false negatives
PREDICTION = (255, 184, 0)  # orange: outlines of the prediction, false positives
BOTH = (255, 255, 255)
OPEN = (90, 60, 90)  # pixels whose ground truth is void


def to_picture(image: torch.Tensor) -> np.ndarray:
    """Float [C, H, W] in [-1, 1], C 1 or 3 -> uint8 [H, W, 3]."""
    grey = ((image.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    return np.repeat(grey, 3, axis=2) if grey.shape[2] == 1 else grey


def save_png(path: Path, picture: np.ndarray) -> None:
    """Write a picture, uint8 [H, W] or [H, W, 3] or uint16 [H, W], whole or not at all."""
    with replacing(path, "wb") as file:
        # Level 1 takes a third of the time of the default, and the files are only a little larger.
        Image.fromarray(np.ascontiguousarray(picture)).save(file, format="PNG", compress_level=1)


def save_jpeg(path: Path, picture: np.ndarray) -> None:
    """Write a picture for a page, uint8 [H, W] or [H, W, 3], whole or not at all."""
    with replacing(path, "wb") as file:
        Image.fromarray(picture).save(file, format="JPEG", quality=90)


def small(picture: np.ndarray, side: int) -> np.ndarray:
    """Shrink a picture, uint8 [H, W] or [H, W, 3], until no side is longer than `side` pixels."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side), reducing_gap=2.0)
    return np.asarray(image)


def outlines(picture: np.ndarray, prediction: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
    """Draw the borders of two masks, bool [H, W], over the dimmed picture, uint8 [H, W, 3]; white where both are."""
    result = (picture * 0.75).astype(np.uint8)
    width = max(1, round(max(prediction.shape) / 170))
    predicted = _border(prediction, width)
    result[predicted] = PREDICTION
    if truth is not None:
        actual = _border(truth, width)
        result[actual] = TRUTH
        result[actual & predicted] = BOTH
    return result


def _border(mask: np.ndarray, width: int) -> np.ndarray:
    from scipy.ndimage import binary_erosion

    # border_value=1: a mask that reaches the picture's edge has no outline along it.
    return mask & ~np.asarray(binary_erosion(mask, iterations=width, border_value=1), dtype=bool)


def differences(picture: np.ndarray, labels: np.ndarray, truth: np.ndarray, binary: bool) -> np.ndarray:
    """Colour the pixels of a predicted label map, uint8 [H, W], over the dimmed picture, uint8 [H, W, 3].

    binary: true positives are light, false positives orange, false negatives blue. More classes: wrong pixels are
    orange.
    """
    result = (picture * 0.3).astype(np.uint8)  # darker than missed pixels, in a grey print too
    wrong = labels != truth
    if binary:
        hit = (labels == 1) & (truth == 1)
        result[hit] = (picture[hit] * 0.45 + 140).astype(np.uint8)
        result[wrong & (truth == 1)] = TRUTH
        result[wrong & (truth == 0)] = PREDICTION
    else:
        result[wrong] = PREDICTION
    result[truth == VOID] = OPEN
    return result


def blend(picture: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Lay class colours, uint8 [H, W, 3], half transparent over a picture of the same shape."""
    return ((picture.astype(np.uint16) + colours) // 2).astype(np.uint8)
