"""The building blocks of phantoms: outlines as signed distances, soft edges, round bodies, smooth noise.

An outline is a float32 array with about the distance to the edge, positive inside. Functions take and return arrays of
one shape. Lengths are in units of the coordinates, not in pixels.
"""

import numpy as np
from PIL import Image


def step(level: np.ndarray, width: float) -> np.ndarray:
    """0 where level < -width, 1 where level > width, smooth between."""
    t = np.clip(level * (0.5 / width) + 0.5, 0, 1)
    return t * t * (3 - 2 * t)


def rounded(depth: np.ndarray, radius: float) -> np.ndarray:
    """Relative thickness 0..1 of a round body seen from the front, `depth` inside its outline."""
    t = 1 - np.clip(depth * (1 / radius), 0, 1)
    return np.sqrt(1 - t * t)


def join(a: np.ndarray, b: np.ndarray, fillet: float) -> np.ndarray:
    """The union of two outlines with its inner corners rounded over `fillet`."""
    h = np.maximum(fillet - np.abs(a - b), 0)
    return np.maximum(a, b) + h * h * (0.25 / fillet)


def ellipse(x: np.ndarray, y: np.ndarray, cx: float, cy: float, rx: float, ry: float, tilt: float = 0.0) -> np.ndarray:
    """Outline of an ellipse. Distances are only exact near the edge, along the shorter axis. tilt: in radians."""
    c, s = float(np.cos(tilt)), float(np.sin(tilt))
    dx, dy = x - cx, y - cy
    u, v = (c * dx + s * dy) * (1 / rx), (c * dy - s * dx) * (1 / ry)
    return (1 - u * u - v * v) * (min(rx, ry) / 2)


def capsule(x: np.ndarray, y: np.ndarray, x0: float, y0: float, x1: float, y1: float, radius: float) -> np.ndarray:
    """Outline of a rod with round ends from (x0, y0) to (x1, y1)."""
    ex, ey = x1 - x0, y1 - y0
    dx, dy = x - x0, y - y0
    t = np.clip((dx * ex + dy * ey) * (1 / (ex * ex + ey * ey)), 0, 1)
    dx, dy = dx - t * ex, dy - t * ey
    return radius - np.sqrt(dx * dx + dy * dy)


def smooth_noise(rng: np.random.Generator, size: int, cells: int) -> np.ndarray:
    """Float32 [size, size] noise with about `cells` bumps a side, mean about 0, deviation about 0.7.

    It draws `cells` ** 2 random numbers at every size, so the same generator gives the same field at every size.
    """
    grid = Image.fromarray(rng.standard_normal((cells, cells), dtype=np.float32))
    return np.asarray(grid.resize((size, size), Image.Resampling.BICUBIC))
