"""Which patient is in which split or fold: by the published split, by a user's list, or by a stratified draw."""

import json
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path

from data.prepare.findings import few
from data.prepare.source import Item
from data.read.splits import TRAIN, VAL, draw, read_splits
from util.errors import UserError

SPLITS = {"train": TRAIN, "val": VAL, "test": 1 - TRAIN - VAL}


def deal(items: Sequence[Item], shares: Mapping[str, float], seed: int, before: Mapping[str, str]) -> dict[str, str]:
    """Give each item's id a place (a key of `shares`). Items of one patient share a place, and within each label the
    places are filled as close to the shares as that allows.

    The result depends on the patients' names and the seed alone, not on the order of items. before: places from an
    earlier run. Those ids and their patients stay; new patients go where images are missing.
    """
    patients: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        patients[item.patient].append(item)
    settled = {p: before[i.id] for p, own in patients.items() for i in own if before.get(i.id) in shares}
    filled: dict[str, Counter[str]] = defaultdict(Counter)
    places: dict[str, str] = {}
    for patient in sorted(patients, key=lambda p: (p not in settled, draw(p, seed))):
        own = patients[patient]
        counts = filled["+".join(sorted({item.label for item in own}))]
        total = counts.total() + len(own)
        place = settled.get(patient) or max(shares, key=lambda s: shares[s] * total - counts[s])
        counts[place] += len(own)
        places |= {item.id: place for item in own}
    return places


def published(items: Sequence[Item]) -> dict[str, str] | None:
    """The split of Gaal et al. 2020 (https://arxiv.org/abs/2003.10304) by the numbers in the files' names:
    Montgomery 96/14/28, Shenzhen 396/56/114, JSRT 172/25/50 images. None if a name belongs to none of these sets."""
    sets = json.loads(Path(__file__).with_name("gaal2020.json").read_text(encoding="utf-8"))
    places = {}
    for item in items:
        name = re.match(r"([A-Z]+)_?(\d+)", item.id.upper())
        if name is None or name[1] not in sets:
            return None
        listed = sets[name[1]]
        number = int(name[2])
        places[item.id] = next((split for split in ("val", "test") if number in listed[split]), "train")
    return places


def from_file(items: Sequence[Item], path: Path) -> tuple[dict[str, str], list[str]]:
    """Splits by a CSV file with the columns image and split. Returns the split of each item, and the file's images that
    are not among the items. The file may name images with or without folder and extension.

    UserError: the file does not list an item, lists one in two splits, or has other splits than train, val and test.
    """
    if not path.is_file():
        raise UserError(f"--split_file {path}: no such file")
    ids = {item.id for item in items}
    listed: dict[str, str] = {}
    for row in read_splits(path):
        name = row.image.name if row.image.name in ids else row.image.stem
        if row.split not in SPLITS:
            raise UserError(f"--split_file {path}: {name} is in split {row.split!r}; want {', '.join(SPLITS)}")
        if listed.setdefault(name, row.split) != row.split:
            raise UserError(f"--split_file {path}: {name} is listed as {listed[name]} and as {row.split}")
    missing = sorted(ids - listed.keys())
    if missing:
        raise UserError(f"--split_file {path}: does not list {few(missing)}; give each image a split")
    return {name: split for name, split in listed.items() if name in ids}, sorted(listed.keys() - ids)


def torn(items: Sequence[Item], splits: Mapping[str, str]) -> list[str]:
    """The patients with images in more than one split. Scores on them would be too good."""
    places = defaultdict(set)
    for item in items:
        places[item.patient].add(splits[item.id])
    return sorted(patient for patient, own in places.items() if len(own) > 1)
