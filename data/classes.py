"""Classes: their names, their colours in label pictures, and the way back from colours to class indices."""

import json
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path

import numpy as np
import torch

from util.errors import UserError

VOID = 255
"""Label of a pixel that belongs to no class: it is left out of every score."""
VOID_BIT = 128
"""Marks a void pixel inside the data package, on top of the class that the network is shown there."""

# The twelve classes of CMP facades in the colours of pix2pix's JPEG files (jet(64)[5k] of MATLAB, measured on the
# published files); the palette of the original CMP PNG files differs.
FACADES = {
    "background": (0, 0, 222),
    "facade": (0, 48, 255),
    "window": (0, 128, 255),
    "door": (0, 207, 255),
    "cornice": (32, 255, 224),
    "sill": (112, 255, 143),
    "balcony": (191, 255, 64),
    "blind": (255, 239, 0),
    "deco": (255, 159, 0),
    "molding": (255, 80, 0),
    "pillar": (255, 0, 0),
    "shop": (175, 0, 0),
}
LUNGS = {"background": (0, 0, 0), "lung": (255, 255, 255)}
# Lungs are dark in an X-ray: between these two a CycleGAN need not turn brightness round.
LUNGS_DARK = {"background": (255, 255, 255), "lung": (0, 0, 0)}
KNOWN = {"lungs": LUNGS, "lungs_dark": LUNGS_DARK, "facades": FACADES}
FACADES_VOID = 28.0
"""In pix2pix's JPEG files pixels farther than this from every colour, a tenth of them, lie on edges."""


@dataclass(frozen=True)
class Classes:
    """Names and colours of K classes, 2 <= K <= 128; class 0 is the background of a two-class set.

    names: K names; colours: uint8 [K, 3], RGB; void_distance: a pixel farther than this (Euclidean, in 0..255 RGB)
    from every colour belongs to no class. Two-class sets have none: each pixel goes to the nearer colour.
    white_on_black: masks are stored so, even where the colours are the other way round.
    """

    names: tuple[str, ...]
    colours: np.ndarray
    void_distance: float = float("inf")
    white_on_black: bool = False

    @staticmethod
    def load(spec: str) -> "Classes":
        """A name of `KNOWN`, or the path of a JSON file {name: [r, g, b], ...} in the order of the classes."""
        table = KNOWN.get(spec)
        if table is None:
            table = _read_json(spec)
        colours = np.array(list(table.values()), dtype=np.uint8)
        if len(table) == 2:
            return Classes(tuple(table), colours, white_on_black=spec in KNOWN)
        if spec == "facades":
            return Classes(tuple(table), colours, FACADES_VOID)
        # Within half the way to the nearest other colour a pixel can only belong to its own class.
        nearest = min(np.linalg.norm(a - b) for a, b in combinations(colours.astype(float), 2))
        return Classes(tuple(table), colours, float(int(nearest / 2)))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def binary(self) -> bool:
        """True for {background, foreground}."""
        return len(self.names) == 2

    @property
    def grey(self) -> bool:
        """True if every colour is a shade of grey."""
        return bool((self.colours == self.colours[:, :1]).all())

    def encode(self, labels: np.ndarray) -> np.ndarray:
        """Class indices, uint8 [H, W], to colours, uint8 [H, W, 3]; VOID becomes black."""
        table = np.zeros((256, 3), np.uint8)
        table[: len(self)] = self.colours
        return table[labels]

    def to_network(self, labels: np.ndarray, channels: int) -> torch.Tensor:
        """Class indices, uint8 [H, W], to what a generator should put out, float32 [channels, H, W] in [-1, 1]:
        three channels of class colours, or, of two classes, one channel with background -1 and foreground 1."""
        table = np.array([[-1.0, 1.0]]) if channels == 1 else self.colours.T / 127.5 - 1
        table = table[:1] if self.grey else table
        indices = labels.astype(np.intp)
        values = np.stack([row.take(indices) for row in table.astype(np.float32)])
        return torch.from_numpy(values).expand(channels, -1, -1)

    def nearest(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Index of the nearest class, uint8 [H, W], and the distance to its colour, float32 [H, W]."""
        pixels = rgb.astype(np.int32)
        label = np.zeros(rgb.shape[:2], np.uint8)
        best = np.full(rgb.shape[:2], np.iinfo(np.int32).max, np.int32)
        for index, colour in enumerate(self.colours.astype(np.int32)):
            squared = np.square(pixels - colour).sum(axis=2)
            closer = squared < best
            label[closer] = index
            best[closer] = squared[closer]
        return label, np.sqrt(best, dtype=np.float32)

    def decode(self, prediction: torch.Tensor) -> torch.Tensor:
        """A generator's output, [N, 3, H, W] in [-1, 1] (or [N, 1, H, W] for two classes), to the index of the
        nearest class, uint8 [N, H, W], on the same device; of two classes the foreground begins at the middle. No
        pixel is void."""
        if self.binary:
            return (self.foreground(prediction) >= 0.5).to(torch.uint8)
        return self._distances(prediction).argmin(dim=1).to(torch.uint8)

    def foreground(self, prediction: torch.Tensor) -> torch.Tensor:
        """How much of the foreground there is in a two-class output [N, C, H, W] in [-1, 1]: float [N, H, W] in 0..1,
        the position on the line from the background's colour to the foreground's. For black and white that is the
        mean of the channels; one channel runs from background -1 to foreground 1 whatever the colours."""
        if not self.binary:
            raise ValueError(f"foreground needs two classes, these are {len(self)}")
        if prediction.shape[1] == 1:
            return ((prediction[:, 0] + 1) / 2).clamp(0, 1)
        background, foreground = self._colours_like(prediction)
        line = foreground - background
        position = torch.einsum("nchw,c->nhw", prediction - background[:, None, None], line) / line.dot(line)
        return position.clamp(0, 1)

    def void_rate(self, prediction: torch.Tensor) -> float:
        """Share of pixels of an output [N, 3, H, W] in [-1, 1] that are farther than `void_distance` from every
        class: a generator that no longer speaks in these colours shows here."""
        if self.void_distance == float("inf") or prediction.shape[1] == 1:
            return 0.0
        nearest = self._distances(prediction).amin(dim=1).clamp(min=0).sqrt() * 127.5
        return (nearest > self.void_distance).float().mean().item()

    def _colours_like(self, prediction: torch.Tensor) -> torch.Tensor:
        return torch.from_numpy(self.colours).to(prediction) / 127.5 - 1

    def _distances(self, prediction: torch.Tensor) -> torch.Tensor:
        """Squared distances [N, K, H, W] in units of [-1, 1]."""
        colours = self._colours_like(prediction)
        return torch.stack([(prediction - c[:, None, None]).square().sum(dim=1) for c in colours], dim=1)


def _read_json(spec: str) -> dict[str, tuple[int, int, int]]:
    path = Path(spec)
    if not path.is_file():
        raise UserError(
            f"--classes {spec}: neither {' nor '.join(KNOWN)} nor a file; "
            'give a JSON file like {"background": [0, 0, 0], "heart": [255, 0, 0]}'
        )
    try:
        table = json.loads(path.read_text(encoding="utf-8"))
    except (ValueError, OSError) as error:
        raise UserError(f"--classes {spec}: not a JSON file: {error}") from None
    good = isinstance(table, dict) and all(
        isinstance(c, list) and len(c) == 3 and all(type(v) is int and 0 <= v <= 255 for v in c) for c in table.values()
    )
    if not good:
        raise UserError(f"--classes {spec}: want {{name: [red, green, blue], ...}} with whole numbers 0 to 255")
    if not 2 <= len(table) <= 128:
        raise UserError(f"--classes {spec}: {len(table)} classes; 2 to 128 are possible")
    if len({tuple(c) for c in table.values()}) < len(table):
        raise UserError(f"--classes {spec}: two classes have the same colour")
    return table
