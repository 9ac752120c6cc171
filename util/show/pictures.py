"""Pictures for people: tensors as images, outlines over X-rays, right and wrong in colour. PNG on disk."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import binary_erosion

from util.contracts import VOID
from util.files import replacing

# Okabe and Ito's palette: told apart with every common kind of colour blindness, and from grey.
TRUTH = (86, 180, 233)  # sky blue; also what the prediction missed
PREDICTION = (230, 159, 0)  # orange; also what it invented
BOTH = (255, 255, 255)
OPEN = (90, 60, 90)  # where the truth is void


def to_picture(image: torch.Tensor) -> np.ndarray:
    """Float [C, H, W] in [-1, 1], C 1 or 3 -> uint8 [H, W, 3]."""
    grey = ((image.detach().float().cpu().clamp(-1, 1) + 1) * 127.5).round().byte().permute(1, 2, 0).numpy()
    return np.repeat(grey, 3, axis=2) if grey.shape[2] == 1 else grey


def save_png(path: Path, picture: np.ndarray) -> None:
    """Write uint8 [H, W] or [H, W, 3], or uint16 [H, W], whole or not at all."""
    with replacing(path, "wb") as file:
        # Level 1 takes a third of the default's time for files a little larger.
        Image.fromarray(np.ascontiguousarray(picture)).save(file, format="PNG", compress_level=1)


def save_jpeg(path: Path, picture: np.ndarray) -> None:
    """Write uint8 [H, W] or [H, W, 3] for a page, whole or not at all."""
    with replacing(path, "wb") as file:
        Image.fromarray(picture).save(file, format="JPEG", quality=90)


def small(picture: np.ndarray, side: int) -> np.ndarray:
    """A picture uint8 [H, W] or [H, W, 3] with no side longer than `side` pixels."""
    image = Image.fromarray(picture)
    image.thumbnail((side, side), reducing_gap=2.0)
    return np.asarray(image)


def outlines(picture: np.ndarray, prediction: np.ndarray, truth: np.ndarray | None) -> np.ndarray:
    """Draw the borders of two boolean masks [H, W] over the dimmed picture uint8 [H, W, 3]; white where both run."""
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
    return mask & ~binary_erosion(mask, iterations=width, border_value=1)


def differences(picture: np.ndarray, labels: np.ndarray, truth: np.ndarray, binary: bool) -> np.ndarray:
    """Right and wrong pixels of label maps [H, W] in colour over the dimmed picture uint8 [H, W, 3].

    Two classes: hits light, false positives orange, misses blue. Many classes: right dim, wrong orange.
    """
    result = (picture * 0.4).astype(np.uint8)
    wrong, known = labels != truth, truth != VOID
    if binary:
        result[(labels == 1) & (truth == 1)] = (picture[(labels == 1) & (truth == 1)] * 0.45 + 140).astype(np.uint8)
        result[wrong & (truth == 1)] = TRUTH
        result[wrong & (truth == 0)] = PREDICTION
    else:
        result[wrong] = PREDICTION
    result[~known] = OPEN
    return result


def blend(picture: np.ndarray, colours: np.ndarray) -> np.ndarray:
    """Class colours uint8 [H, W, 3] laid half transparent over a picture of the same shape."""
    return ((picture.astype(np.uint16) + colours) // 2).astype(np.uint8)
