"""Implausible masks: those that lie outside of what a run's training masks looked like.

train.py records in the run's folder, in masks_seen.json, between which values the measures of its training masks lay.
A mask outside of these ranges, or an empty one where no training mask was empty, is no proof of a mistake. It is a mask
to look at.
"""

import base64
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, reduce
from pathlib import Path
from typing import cast

import numpy as np

from util.errors import UserError
from util.files import read_json, write_json

RECORD = "masks_seen.json"
SIDE = 256
"""Larger masks are measured on every second, third, ... of their pixels, so that this takes a millisecond or two."""
SPECK = 0.002
"""A part smaller than this share of the image counts as area only."""
MARGIN = 0.25
"""A range is widened at both ends by this share of its width: the next mask may lie outside of those seen so far."""
LEAST = 0.01
"""... and by this much at least."""
COLUMN = "implausible"
SHOWN = 3
THUMB, MOST, LIKE = 32, 256, 5
"""Side of the small masks, how many a run keeps of them, and with how many a new mask is compared."""
FEWEST = 8
"""Fewer training masks say nothing about others."""
MEASURES = ("area", "parts", "top", "bottom", "left", "right")
"""Share of the image; number of parts; and the edges of the box around the parts, 0..1 from the top left."""


def thinned(mask: np.ndarray) -> np.ndarray:
    """Every first, second, third, ... row and column of a mask, so many that no side is longer than SIDE."""
    step = -(-max(mask.shape) // SIDE)
    return np.ascontiguousarray(mask[::step, ::step])


def measure(mask: np.ndarray) -> np.ndarray:
    """The MEASURES of a mask, bool [H, W], as float32 [6]; NaN for a position where there is no part, and everywhere if
    the mask is empty."""
    from scipy.ndimage import find_objects, label

    small = thinned(mask)
    measures = np.full(len(MEASURES), np.nan, np.float32)
    if not mask.any():
        return measures
    labels, count = cast("tuple[np.ndarray, int]", label(small, np.ones((3, 3))))
    sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    boxes = [box for box, size in zip(find_objects(labels), sizes, strict=True) if size >= SPECK * small.size]
    measures[:2] = np.count_nonzero(small) / small.size, len(boxes)
    if boxes:
        height, width = small.shape
        measures[2:4] = min(box[0].start for box in boxes) / height, max(box[0].stop for box in boxes) / height
        measures[4:] = min(box[1].start for box in boxes) / width, max(box[1].stop for box in boxes) / width
    return measures


def shrunk(mask: np.ndarray) -> np.ndarray:
    """A mask, bool [H, W], at THUMB x THUMB, as bits: uint8 [THUMB * THUMB / 8]."""
    small = thinned(mask).astype(np.float32)
    pixels = []
    for axis in (0, 1):
        edges = np.arange(THUMB + 1) * small.shape[axis] // THUMB
        small = np.add.reduceat(small, edges[:-1], axis)
        pixels.append(np.maximum(np.diff(edges), 1))
    return np.packbits(small >= 0.5 * np.outer(*pixels))


@dataclass(frozen=True)
class Shape:
    """A training mask: the measures of every class but the background, float32 [K, 6], and the small mask of all that
    is not background (`shrunk`)."""

    measures: np.ndarray
    small: np.ndarray

    @classmethod
    def of(cls, labels: np.ndarray, classes: int) -> "Shape":
        """labels: class indices [H, W]. classes: how many there are, with the background."""
        return cls(np.stack([measure(labels == index) for index in range(1, classes)]), shrunk(labels != 0))


@dataclass(frozen=True)
class Seen:
    """What training masks looked like, by class.

    ranges: for each class but the background, the lowest and the highest value of each of the MEASURES, float [6, 2];
    NaN where no mask had any. empty: for each class, in how many masks it was missing. masks: how many were measured.
    small: at most MOST of them as small masks (`shrunk`), uint8 [M, THUMB * THUMB / 8].
    """

    ranges: Mapping[str, np.ndarray]
    empty: Mapping[str, int]
    masks: int
    small: np.ndarray

    @classmethod
    def of(cls, names: Sequence[str], shapes: Iterable[Shape]) -> "Seen | None":
        """names: of all classes. shapes: of each mask. None if there are fewer than FEWEST."""
        if len(masks := [*shapes]) < FEWEST:
            return None
        every = np.stack([mask.measures for mask in masks], axis=1).astype(float)  # [K, N, 6]
        missing = np.isnan(every)
        low, high = np.where(missing, np.inf, every).min(1), np.where(missing, -np.inf, every).max(1)
        ranges = np.where(np.isinf([low, high]), np.nan, [low, high]).transpose(1, 2, 0)
        empty = missing[:, :, 0].sum(1).tolist()
        by_name = dict(zip(names[1:], ranges, strict=True)), dict(zip(names[1:], empty, strict=True))
        return cls(*by_name, len(masks), _some(np.stack([mask.small for mask in masks])))

    @classmethod
    def read(cls, folder: Path) -> "Seen | None":
        """The record of the run in `folder`; None if it has none. UserError: it is damaged."""
        try:
            record = read_json(folder / RECORD)
            classes = {name: dict(values) for name, values in record["classes"].items()}
            empty = {name: int(values["empty"]) for name, values in classes.items()}
            ranges = {
                name: np.array([values[measure] or (np.nan, np.nan) for measure in MEASURES], float).reshape(-1, 2)
                for name, values in classes.items()
            }
            small = np.frombuffer(base64.b64decode(record["small"]), np.uint8).reshape(-1, THUMB * THUMB // 8)
            return cls(ranges, empty, int(record["masks"]), small)
        except FileNotFoundError:
            return None
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{folder / RECORD}: damaged; delete it (implausible masks are not named then), or train again"
            ) from error

    def write(self, folder: Path) -> None:
        """Record it in the run's folder."""
        classes = {
            name: {"empty": self.empty[name]}
            | {
                measure: None if np.isnan(low) else [round(low, 4), round(high, 4)]
                for measure, (low, high) in zip(MEASURES, ranges.tolist(), strict=True)
            }
            for name, ranges in self.ranges.items()
        }
        small = base64.b64encode(self.small.tobytes()).decode()
        write_json(folder / RECORD, {"masks": self.masks, "classes": classes, "small": small})

    def joined(self, other: "Seen") -> "Seen":
        """What both saw. They have the same classes, and may have seen the same masks, so the larger number counts."""
        ranges = {
            name: np.stack([np.fmin(mine[:, 0], theirs[:, 0]), np.fmax(mine[:, 1], theirs[:, 1])], 1)
            for (name, mine), theirs in zip(self.ranges.items(), other.ranges.values(), strict=True)
        }
        empty = {name: max(count, other.empty[name]) for name, count in self.empty.items()}
        small = _some(np.unique(np.concatenate([self.small, other.small]), axis=0))
        return Seen(ranges, empty, max(self.masks, other.masks), small)

    def likeness(self, mask: np.ndarray) -> float:
        """The mean Dice of a mask, bool [H, W], with the LIKE most similar training masks and their mirror images, all
        at THUMB x THUMB."""
        own = np.unpackbits(shrunk(mask)).astype(np.float32)
        sums = self._both.sum(1) + own.sum()
        return float(np.sort(np.where(sums > 0, 2 * (self._both @ own) / np.maximum(sums, 1), 1))[-LIKE:].mean())

    @cached_property
    def _both(self) -> np.ndarray:
        """The small masks and their mirror images, float32 [2 M, THUMB * THUMB] of 0 and 1."""
        known = np.unpackbits(self.small, axis=1).reshape(-1, THUMB, THUMB).astype(np.float32)
        return np.concatenate([known, known[:, :, ::-1]]).reshape(-1, THUMB * THUMB)

    def doubts(self, labels: np.ndarray) -> str:
        """Why a mask, class indices [H, W], is implausible; "" if it is not."""
        several = len(self.ranges) > 1
        reasons: list[str] = []
        for index, name in enumerate(self.ranges, 1):
            of_class = self._doubts_of(name, measure(labels == index))
            reasons += [f"{name}: {each}" for each in of_class] if several else of_class
        return "; ".join(reasons)

    def _doubts_of(self, name: str, values: np.ndarray) -> list[str]:
        if np.isnan(values[0]):
            return [] if self.empty[name] else ["empty"]
        low, high = self.ranges[name].T
        if np.isnan(low[0]):
            return ["in no training mask"]
        room = np.maximum(MARGIN * (high - low), LEAST)
        outside = (values < low - room) | (values > high + room)  # False for NaN: nothing has this place
        rows = zip(MEASURES, outside, values.tolist(), low.tolist(), high.tolist(), strict=True)
        return [in_words(measure, value, *seen) for measure, is_out, value, *seen in rows if is_out]


def _some(masks: np.ndarray) -> np.ndarray:
    """At most MOST of these, spread over all."""
    return masks[:: -(-len(masks) // MOST)]


def in_words(measure: str, value: float, low: float, high: float) -> str:
    if measure == "parts":
        seen = f"{low:.0f}" if low == high else f"{low:.0f} to {high:.0f}"
        return f"{value:.0f} part{'s' * (value != 1)} (training: {seen})"
    what = measure if measure == "area" else f"{measure} edge at"
    return f"{what} {100 * value:.1f} % (training: {100 * low:.1f} to {100 * high:.1f})"


def seen_by(folders: Iterable[Path], names: Sequence[str]) -> Seen | None:
    """What the runs in these folders saw together, of the classes `names` (with the background); None without a record
    of just these classes. UserError: a damaged record."""
    records = [record for folder in folders if (record := Seen.read(folder)) and [*record.ranges] == [*names[1:]]]
    return reduce(Seen.joined, records) if records else None


def doubted_in_words(doubted: int, masks: int) -> str:
    """How many of how many masks look implausible."""
    return f"{doubted} of {masks} mask{'s' * (masks != 1)} look{'s' * (doubted == 1)} implausible"


class Doubted:
    """Counts the masks that look implausible, and keeps the first of them."""

    def __init__(self) -> None:
        self._masks = self._doubted = 0
        self._first: list[str] = []

    def add(self, name: str, why: str) -> None:
        """A mask, and why it is implausible; "" if it is not."""
        self._masks += 1
        self._doubted += bool(why)
        if why and len(self._first) < SHOWN:
            first, *others = why.split("; ")
            self._first.append(f"{name} ({first}{', ...' * bool(others)})")

    def lines(self) -> list[str]:
        """For a console: how many there are, and the first of them; [] if there are none."""
        if not self._doubted:
            return []
        more = f", and {self._doubted - SHOWN} more" if self._doubted > SHOWN else ""
        return [f"{doubted_in_words(self._doubted, self._masks)}: {', '.join(self._first)}{more}"]


def remarks(rows: Iterable[Mapping[str, str]]) -> list[str]:
    """`Doubted.lines` of the rows of an evaluation."""
    doubted = Doubted()
    for row in rows:
        doubted.add(row["id"], row.get(COLUMN, ""))
    return doubted.lines()
