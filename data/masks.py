"""--dataset_mode masks: a folder `images/` and a folder `masks/`, matched by name."""

import argparse
import re
from dataclasses import replace
from pathlib import Path

import numpy as np

from data.base import PairedDataset, Sample
from data.classes import Classes
from data.read.folders import NoSuchPhase, existing_folder
from data.read.headers import read_patient
from data.read.images import find_images, read_image, safe_ids
from data.read.labels import read_labels
from data.read.matching import match
from data.read.splits import Row, draw, draw_split, read_splits
from util.errors import UserError


class MasksDataset(PairedDataset):
    """<dataroot>/images and <dataroot>/masks.

    A mask belongs to the image of the same name (`data.read.matching`): masks/x.png, masks/x_mask.png,
    masks/left/x.png. Several masks of one image are OR-ed. Images that all have no mask can be tested but not
    trained on.

    <dataroot>/splits.csv (`data.read.splits`) says which image is in which phase. Without it, 70 % of the patients
    train, 10 % are val, 20 % test: a patient's place depends on its name (of DICOM files, the ID in the header) and
    --split_seed alone, so that new images move nobody. --phase all takes every image.

    --fold N, for cross-validation: the images of fold N (column fold of splits.csv) are val, those of the other folds
    train; images without a fold stay where they are, such as in test.
    """

    defaults = {"classes": "lungs"}

    @staticmethod
    def add_options(group: argparse._ArgumentGroup) -> None:
        group.add_argument("--source", default="", help="only these sources of splits.csv, separated by commas")
        group.add_argument("--split_seed", type=int, default=0, help="seed of the split, where there is no splits.csv")
        group.add_argument(
            "--fold",
            type=int,
            default=-1,
            help="cross-validation: this fold of splits.csv is val, the rest train (-1: as it splits)",
        )
        group.add_argument(
            "--train_images",
            type=int,
            default=0,
            help="train on so many images only, drawn with --split_seed (0: on all)",
        )
        group.add_argument(
            "--unpaired",
            action="store_true",
            help="train as if no image had a mask of its own: images and masks of different patients",
        )
        group.add_argument(
            "--patient_regex",
            default="",
            help="regular expression for the patient in an image's name (first group, or whole match); "
            "default: splits.csv's column, else a DICOM file's ID, else every image is its own",
        )

    def target_classes(self, opt: argparse.Namespace) -> Classes:
        return Classes.load(opt.classes or self.defaults["classes"])  # a run on other data may have recorded none

    def find(self, opt: argparse.Namespace, phase: str) -> list[Sample]:
        root = existing_folder(opt.dataroot)
        list_file = root / "splits.csv"
        listed = list_file.is_file()
        by_id = find_rows(root, opt.patient_regex, opt.split_seed)
        ids = {row.image: name for name, row in by_id.items()}
        rows = list(by_id.values())
        if opt.source:
            rows = _of_sources(rows, opt.source, list_file)
        if opt.fold != -1:
            rows = _folded(rows, opt.fold, list_file)
        chosen = [row for row in rows if phase in ("all", row.split)]
        if not chosen:
            splits = ", ".join(
                f"{s or 'none'} ({sum(r.split == s for r in rows)})" for s in sorted({r.split for r in rows})
            )
            raise NoSuchPhase(
                f"--dataroot {root}: no image is in phase {phase!r}; there are {splits}"
                + ("" if listed else "; a splits.csv or another --split_seed changes that")
            )
        # Without a list the masks of all images are known, and a mask that is nobody's is a mistake. Training reads
        # val after train, which has told of those.
        masks = self._masks_of(
            chosen if listed else rows,
            root,
            opt.skip_bad_files,
            {row.image for row in chosen},
            tell_strays=not listed and phase != "val",
        )
        samples = [
            Sample(ids[row.image], row.image, masks.get(row.image, ()), row.patient, row.source, row.label, row.spacing)
            for row in chosen
            if not masks or row.image in masks
        ]
        if phase == "train" and opt.train_images:
            samples = _drawn(samples, opt.train_images, opt.split_seed)
        return _without_pairs(samples, opt.split_seed) if self.train and opt.unpaired else samples

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray | None]:
        return read_image(sample.image), read_labels(sample.targets, self._stored_as) if sample.targets else None

    def _masks_of(
        self, rows: list[Row], root: Path, skip_bad: bool, chosen: set[Path], tell_strays: bool
    ) -> dict[Path, tuple[Path, ...]]:
        """The masks of each image; empty if no image has any, which is fine for testing. Problems are those of the
        images `chosen`, and stray masks if they are to be told."""
        found = {row.image: row.masks for row in rows if row.masks}
        images = [row.image for row in rows if not row.masks]
        strays: list[Path] = []
        if images and (root / "masks").is_dir():
            matching = match(images, root / "images", find_images(root / "masks"), root / "masks")
            if matching.unclear:
                raise UserError(next(iter(matching.unclear.values())))
            found |= {image: tuple(parts) for image, parts in matching.masks_of.items()}
            strays = matching.strays
        if not found and not self.train:
            return {}
        problems = [
            f"{image}: no mask of this name in {root / 'masks'}"
            for image in images
            if image in chosen and image not in found
        ]
        if tell_strays:
            problems += [f"{mask}: no image of this name in {root / 'images'}" for mask in strays]
        if problems and not skip_bad:
            more = f" (and {len(problems) - 1} more such files)" if len(problems) > 1 else ""
            raise UserError(f"{problems[0]}{more}; --skip_bad_files goes on without")
        if not found:
            raise UserError(f"--dataroot {root}: no image has a mask, so there is nothing to train on")
        self.skipped += problems
        return found


def find_rows(root: Path, patient_regex: str = "", split_seed: int = 0) -> dict[str, Row]:
    """Every image of the data set `root`, by its id, each row with its patient and split: from splits.csv, or of
    images/ by a draw. UserError: no images, a bad list or regular expression."""
    list_file = root / "splits.csv"
    listed = list_file.is_file()
    if listed:
        rows = read_splits(list_file)
    elif (root / "images").is_dir():
        rows = [Row(path) for path in find_images(root / "images")]
    else:
        raise UserError(
            f"--dataroot {root}: no folder images/ in it, as --dataset_mode masks wants; "
            "for a plain folder of images take --dataset_mode single"
        )
    if not rows:
        raise UserError(f"--dataroot {root}: no images in images/ or below it")
    ids = safe_ids([row.image for row in rows], root / "images")
    rows = [_with_patient(row, name, patient_regex) for row, name in zip(rows, ids, strict=True)]
    if not listed:
        known = ["" if patient_regex else read_patient(row.image) for row in rows]
        if len({*known} - {""}) == 1:  # one ID for all is what some programs leave of them
            known = [""] * len(rows)
        rows = _placed(rows, known, split_seed)
    return dict(zip(ids, rows, strict=True))


def _placed(rows: list[Row], known: list[str], seed: int) -> list[Row]:
    """Each row in the split that is drawn for its patient: by the ID that is known of them ("": by `Row.patient`). An
    ID shows up nowhere; the patient is called like their first image."""
    keys = [patient or row.patient for row, patient in zip(rows, known, strict=True)]
    called: dict[str, str] = {}
    return [
        replace(row, patient=called.setdefault(key, row.patient), split=draw_split(key, seed))
        for row, key in zip(rows, keys, strict=True)
    ]


def _drawn(samples: list[Sample], count: int, seed: int) -> list[Sample]:
    """`count` samples in their old order. Patients stand in a line that only names and seed decide, and the first are
    taken: a larger count has the smaller one's images too."""
    if not 0 < count <= len(samples):
        raise UserError(f"--train_images {count}: want 1 to {len(samples)}, as many as there are, or 0 for all")
    by_draw = sorted(samples, key=lambda s: draw(s.patient or s.id, seed))
    taken = {s.id for s in by_draw[:count]}
    return [s for s in samples if s.id in taken]


def _without_pairs(samples: list[Sample], seed: int) -> list[Sample]:
    """Every second patient's samples only lend their masks, the others have none; which, depends on the names and the
    seed."""
    patients = sorted({s.patient or s.id for s in samples}, key=lambda patient: draw(patient, seed))
    if len(patients) < 2:
        raise UserError("--unpaired: images and masks come from different patients, and there is only one")
    lending = set(patients[1::2])
    return [replace(s, lends=True) if (s.patient or s.id) in lending else replace(s, targets=()) for s in samples]


def _with_patient(row: Row, name: str, pattern: str) -> Row:
    if not pattern:
        return replace(row, patient=row.patient or name)
    try:
        hit = re.search(pattern, name)
    except re.error as error:
        raise UserError(f"--patient_regex {pattern}: {error}") from None
    if hit is None:
        raise UserError(f"--patient_regex {pattern}: finds nothing in {name!r}")
    return replace(row, patient=(hit[1] if hit.re.groups else hit[0]) or name)


def _of_sources(rows: list[Row], wanted: str, list_file: Path) -> list[Row]:
    names = {name.strip() for name in wanted.split(",") if name.strip()}
    there = {row.source for row in rows} - {""}
    if names - there:
        raise UserError(f"--source {wanted}: {list_file} knows {', '.join(sorted(there)) or 'no sources'}")
    return [row for row in rows if row.source in names]


def _folded(rows: list[Row], fold: int, list_file: Path) -> list[Row]:
    there = {row.fold for row in rows} - {""}
    if str(fold) not in there:
        known = f"fold {', '.join(sorted(there))}" if there else "no folds"
        raise UserError(
            f"--fold {fold}: {list_file} knows {known}; python -m data.prepare --folds K writes a column fold"
        )
    return [replace(row, split="val" if row.fold == str(fold) else "train") if row.fold else row for row in rows]
