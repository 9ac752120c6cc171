"""Classes: their names, their colours in label pictures, and how colours become class indices again."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from util.errors import UserError
from util.files import parse_json, read_json

if TYPE_CHECKING:  # masks on disk are read and prepared without torch
    import torch

VOID_BIT = 128
"""Added to the class index of a void pixel inside the data package: a network needs some target there, and the
likeliest class serves as one. Scores see `util.contracts.VOID` instead. This bit limits a data set to 128 classes."""

# The twelve classes of CMP facades in the colours of pix2pix's JPEG files (MATLAB's jet(64)[5k], measured on the
# published files). The original CMP PNG files use other colours.
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
# Lungs are dark in an X-ray. With dark lungs in the mask, too, a CycleGAN need not invert the brightness.
LUNGS_DARK = {"background": (255, 255, 255), "lung": (0, 0, 0)}
MASKS = "lungs"
"""--classes of --dataset_mode masks, unless the flag says otherwise."""
UNNAMED = {"lungs": LUNGS, "lungs_dark": LUNGS_DARK}
"""Masks have these classes by default, so they may show something else."""
# White on black. A DICOM Segmentation knows their codes (data/dicomseg.py).
NAMED = {
    name: {"background": (0, 0, 0), name: (255, 255, 255)}
    for name in ("lung", "left lung", "right lung", "heart", "pneumothorax", "nodule")
}
# The patient's right lung is on the left of an X-ray.
LUNG_SIDES = {"background": (0, 0, 0), "right lung": (255, 0, 0), "left lung": (0, 0, 255)}
KNOWN = UNNAMED | NAMED | {"lung_sides": LUNG_SIDES, "facades": FACADES}
FACADES_VOID = 28.0
"""A tenth of the pixels in pix2pix's JPEG files are farther than this from every colour; they lie on edges."""


@dataclass(frozen=True)
class Classes:
    """Names and colours of K classes, 2 <= K <= 128; class 0 is the background of a two-class set.

    names: K names. colours: uint8 [K, 3], RGB. void_distance: a pixel farther than this (Euclidean, in 0..255 RGB)
    from every colour belongs to no class; infinite for two classes, where each pixel goes to the nearer colour.
    white_on_black: masks on disk show the foreground white on black, even if `colours` are the other way round.
    """

    names: tuple[str, ...]
    colours: np.ndarray
    void_distance: float = float("inf")
    white_on_black: bool = False

    @staticmethod
    def load(spec: str) -> Classes:
        """Classes by a name in `KNOWN`, or from a JSON file {name: [r, g, b], ...} in the order of the classes, or from
        the text of such a file.

        UserError: no such name or file, not such a table, fewer than 2 or more than 128 classes, a colour used twice.
        """
        table = KNOWN.get(spec)
        if table is None:
            table = _read_json(spec)
        colours = np.array(list(table.values()), dtype=np.uint8)
        if len(table) == 2:
            return Classes(tuple(table), colours, white_on_black=spec in KNOWN)
        if spec == "facades":
            return Classes(tuple(table), colours, FACADES_VOID)
        # A pixel that is less than half the way to the nearest other colour can only belong to its own class.
        nearest = min(np.linalg.norm(a - b) for a, b in combinations(colours.astype(float), 2))
        return Classes(tuple(table), colours, float(int(nearest / 2)))

    def __len__(self) -> int:
        return len(self.names)

    @property
    def binary(self) -> bool:
        """True for {background, foreground}."""
        return len(self.names) == 2

    @property
    def sided(self) -> list[str]:
        """The names of classes that are left or right of something. In a mirror image they are swapped."""
        words = {name: re.findall("[A-Z]?[a-z]+|[A-Z]+", name) for name in self.names}  # LeftLung, left_lung
        return [name for name in self.names if {"left", "right"} & {word.lower() for word in words[name]}]

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
        """Class indices, uint8 [H, W], to a generator's target, float32 [channels, H, W] in [-1, 1]: the colours of the
        classes in three channels, or one channel with background -1 and foreground 1 (two classes only)."""
        import torch

        table = np.array([[-1.0, 1.0]]) if channels == 1 else self.colours.T / 127.5 - 1
        table = table[:1] if self.grey else table
        indices = labels.astype(np.intp)
        values = np.stack([row.take(indices) for row in table.astype(np.float32)])
        return torch.from_numpy(values).expand(channels, -1, -1)

    def nearest(self, rgb: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """The nearest class of each pixel of uint8 [H, W, 3]: its index, uint8 [H, W], and the distance to its colour,
        float32 [H, W] (Euclidean, in 0..255 RGB)."""
        label = np.zeros(rgb.shape[:2], np.uint8)
        distance = np.empty(rgb.shape[:2], np.float32)
        step = max(1, 2**18 // rgb.shape[1])  # a few rows at a time fit into the processor's cache
        for rows in (slice(top, top + step) for top in range(0, len(rgb), step)):
            red, green, blue = np.ascontiguousarray(np.moveaxis(rgb[rows], 2, 0), np.int32)
            best = np.full(red.shape, np.iinfo(np.int32).max, np.int32)
            for index, colour in enumerate(self.colours.astype(np.int32)):
                squared = np.square(red - colour[0]) + np.square(green - colour[1]) + np.square(blue - colour[2])
                closer = squared < best
                label[rows][closer] = index
                best[closer] = squared[closer]
            distance[rows] = np.sqrt(best, dtype=np.float32)
        return label, distance

    def decode(self, prediction: torch.Tensor) -> torch.Tensor:
        """A generator's output, [N, 3, H, W] in [-1, 1] (or [N, 1, H, W] for two classes), to the index of the
        nearest class, uint8 [N, H, W], on the same device. With two classes the threshold is halfway between their
        colours. No pixel is void."""
        if self.binary:
            return (self.foreground(prediction) >= 0.5).byte()
        return self._distances(prediction).argmin(dim=1).byte()

    def foreground(self, prediction: torch.Tensor) -> torch.Tensor:
        """The share of foreground in a two-class output [N, C, H, W] in [-1, 1]: float [N, H, W] in 0..1.

        It is the position on the line from the background's colour to the foreground's; for black and white, the mean
        of the channels. A single channel runs from background -1 to foreground 1, whichever colours the classes have.
        ValueError: not two classes.
        """
        import torch

        if not self.binary:
            raise ValueError(f"foreground needs two classes, these are {len(self)}")
        if prediction.shape[1] == 1:
            return ((prediction[:, 0] + 1) / 2).clamp(0, 1)
        background, foreground = self._colours_like(prediction)
        line = foreground - background
        position = torch.einsum("nchw,c->nhw", prediction - background[:, None, None], line) / line.dot(line)
        return position.clamp(0, 1)

    def certainty(self, prediction: torch.Tensor) -> torch.Tensor:
        """How sure the nearest class is in an output [N, 3, H, W] in [-1, 1]: float [N, H, W] from 1, the colour of the
        class, to 0.5, halfway to the next."""
        nearest = self._distances(prediction).clamp(min=0).topk(2, dim=1, largest=False).values.sqrt()
        return nearest[:, 1] / nearest.sum(1)

    def void_rate(self, prediction: torch.Tensor) -> float:
        """Share of pixels of an output [N, 3, H, W] in [-1, 1] that are farther than `void_distance` from every class.
        A large share means that the generator does not paint in these colours."""
        if self.void_distance == float("inf") or prediction.shape[1] == 1:
            return 0.0
        nearest = self._distances(prediction).amin(dim=1).clamp(min=0).sqrt() * 127.5
        return (nearest > self.void_distance).float().mean().item()

    def _colours_like(self, prediction: torch.Tensor) -> torch.Tensor:
        return prediction.new_tensor(self.colours) / 127.5 - 1

    def _distances(self, prediction: torch.Tensor) -> torch.Tensor:
        """Squared distances of an output to each class, [N, K, H, W], in units of [-1, 1]."""
        import torch

        colours = self._colours_like(prediction)
        return torch.stack([(prediction - c[:, None, None]).square().sum(dim=1) for c in colours], dim=1)


def without_void(labels: np.ndarray) -> np.ndarray:
    """Class indices, uint8, without `VOID_BIT`: a void pixel gets its likeliest class."""
    return labels & ~np.uint8(VOID_BIT)


def without_file(spec: str) -> str:
    """`spec`, or the text of the file that it names: another machine can load it."""
    classes = Classes.load(spec)
    table = dict(zip(classes.names, classes.colours.tolist(), strict=True))
    return spec if spec in KNOWN else json.dumps(table)


def _read_json(spec: str) -> dict[str, tuple[int, int, int]]:
    is_text = spec.startswith("{")
    if not is_text and not Path(spec).is_file():
        raise UserError(
            f"--classes {spec}: neither {', '.join(KNOWN)} nor a file; "
            'give a JSON file like {"background": [0, 0, 0], "heart": [255, 0, 0]}'
        )
    try:
        table = parse_json(spec) if is_text else read_json(Path(spec))
    except (ValueError, OSError) as error:
        raise UserError(f"--classes {spec}: not {'JSON' if is_text else 'a JSON file'}: {error}") from None
    if isinstance(table, dict) and not 2 <= len(table) <= 128:
        raise UserError(f"--classes {spec}: {len(table)} classes; 2 to 128 are possible")
    if isinstance(table, dict) and (odd := [name for name in table if not name.isprintable()]):
        raise UserError(f"--classes {spec}: {odd[0]!a:.50} is no name that can be shown; choose another")
    good = isinstance(table, dict) and all(
        isinstance(c, list) and len(c) == 3 and all(type(v) is int and 0 <= v <= 255 for v in c) for c in table.values()
    )
    if not good:
        raise UserError(f"--classes {spec}: want {{name: [red, green, blue], ...}} with whole numbers 0 to 255")
    if len({tuple(c) for c in table.values()}) < len(table):
        raise UserError(f"--classes {spec}: two classes have the same colour")
    return table
