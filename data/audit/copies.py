"""Pictures that are in a data set twice, exactly or nearly, and patients with images in two of its splits or folds."""

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from data.read.splits import Row

SIDE = 32
"""Pictures are compared as thumbnails of so many pixels a side."""
ALIKE = 0.95
"""Pictures whose thumbnails correlate more than this, without their coarse part, show the same X-ray."""
CHUNK = 1024


@dataclass(frozen=True)
class Thumbnail:
    """A picture's digest, and its fine part: float32 [SIDE * SIDE] of mean 0 and length 1, or 0 for an even picture."""

    digest: bytes
    fine: np.ndarray


@dataclass(frozen=True)
class Copy:
    """Two images, by their places in the list, that show the same. alike: their correlation, 1 for equal pixels."""

    first: int
    second: int
    alike: float


def thumbnail(picture: np.ndarray) -> Thumbnail:
    """Of a picture uint8 [H, W, 3].

    All X-rays of a chest look alike from afar. What is coarser than a sixteenth of the picture is therefore left out.
    """
    from PIL import Image
    from scipy.ndimage import gaussian_filter

    grey = Image.fromarray(picture).convert("L").resize((SIDE, SIDE), Image.Resampling.BOX)
    values = np.asarray(grey, np.float32)
    fine = (values - gaussian_filter(values, SIDE / 16)).ravel()
    fine -= fine.mean()
    length = float(np.linalg.norm(fine))
    digest = hashlib.sha256(f"{picture.shape}".encode() + picture.tobytes()).digest()
    return Thumbnail(digest, fine / length if length > 1e-3 else np.zeros_like(fine))


def copies(thumbnails: Sequence[Thumbnail]) -> list[Copy]:
    """All pairs of images that show the same picture, the most alike first."""
    fine = np.stack([each.fine for each in thumbnails])
    found = []
    for start in range(0, len(fine), CHUNK):
        alike = fine[start : start + CHUNK] @ fine.T
        for row, column in np.argwhere(alike > ALIKE).tolist():
            if start + row < column:
                equal = thumbnails[start + row].digest == thumbnails[column].digest
                found.append(Copy(start + row, column, 1.0 if equal else min(float(alike[row, column]), 0.9999)))
    return sorted(found, key=lambda copy: -copy.alike)


def torn_patients(rows: Sequence[Row]) -> dict[str, str]:
    """Patients with images in two splits or two folds, and in which."""
    torn = {}
    for column in ("split", "fold"):
        places: dict[str, set[str]] = defaultdict(set)
        for row in rows:
            if (place := getattr(row, column)) and row.patient:
                places[row.patient].add(place)
        for patient, own in places.items():
            if len(own) > 1:
                torn.setdefault(patient, f"{column}s {' and '.join(sorted(own))}")
    return torn
