"""--dataset_mode masks: a folder `images/` and a folder `masks/`, matched by name."""

import argparse
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import cast

import numpy as np

from data.audit.verdicts import left_out
from data.base import PairedDataset, Sample
from data.classes import MASKS, Classes
from data.read.folders import (
    PHASES,
    PREPARED,
    NoSuchPhase,
    existing_folder,
    left_out_in_words,
    named_for_masks,
    renaming,
    split_masks,
)
from data.read.headers import read_patient
from data.read.images import find_images, read_file, safe_ids, without_extension
from data.read.labels import read_labels
from data.read.matching import match_listed
from data.read.splits import Row, draw, draw_split, folded, is_list, phase_folders, read_splits, splits_by_folders
from util.errors import UserError
from util.folds.record import OUT_OF_FOLD
from util.run.learnt import digests

REST = "rest"
"""--unlabelled: all images of the data set that do not train with a mask."""


class MasksDataset(PairedDataset):
    """<dataroot>/images and <dataroot>/masks.

    A mask belongs to the image with the same path below its folder (`data.read.matching`): masks/x.png,
    masks/x_mask.png, masks/left/x.png. Masks of one image that name its sides (x_left, x_right) are OR-ed; any other
    second mask is an error. A folder without any masks can be used for testing, not for training.

    <dataroot>/splits.csv (`data.read.splits`) lists the phase of each image. Without it, folders images/train,
    images/val and images/test do. Without these, 70 % of the patients are in train, 10 % in val and 20 % in test. A
    patient's phase then depends on the patient's name (for DICOM files, the ID in the header; without it, the image's
    own path below images/) and on --split_seed alone, so new images move no patient. The header also says who the
    patient is where splits.csv does not.
    --phase all takes every image.

    With --fold N (cross-validation), the images of fold N (column fold of splits.csv) are phase out_of_fold, and those
    of the other folds train and val (`data.read.splits.folded`). Images without a fold stay in their phase, usually
    test.

    <dataroot>/verdicts.csv (`data.audit.verdicts`) leaves images out of training.

    With --unlabelled, training also sees images without masks: those in or below a folder, or with `rest` all images of
    the phase that do not train with a mask, whatever their source.
    """

    def target_classes(self, opt: argparse.Namespace) -> Classes:
        return Classes.load(opt.classes or MASKS)  # a run on data without classes has recorded None

    def find(self, opt: argparse.Namespace, phase: str) -> list[Sample]:
        root = existing_folder(opt.dataroot)
        list_file = root / "splits.csv"
        listed = list_file.is_file()
        by_id = find_rows(root, opt.patient_regex, opt.split_seed)
        ids = {row.image: name for name, row in by_id.items()}
        everyone = list(by_id.values())
        if opt.fold != -1:
            everyone = folded(everyone, _one(opt.fold), list_file)
        rows = _of_sources(everyone, opt.source, list_file) if opt.source else everyone
        chosen = [row for row in rows if phase in ("all", row.split)]
        if not chosen:
            raise _no_such_phase(phase, rows, root, drawn=not (listed or phase_folders(root / "images")))
        if self.train:
            self.notes += _torn(chosen, everyone, phase)
            self.notes += _unused(everyone, root, phase) if listed else []
        if self.trained_on:
            chosen = self._without_bad(chosen, list(ids), root)
        # Every mask must belong to an image, so all images are matched, whatever their phase. A list may name masks of
        # its own, and others may lie beside them. Training reads val right after train: then strays were reported.
        # With `rest`, an image without a mask trains as such.
        learnt = self.trained_on or phase == "train"
        wanted = set() if learnt and opt.unlabelled == REST else {row.image for row in chosen}
        strays = not listed and phase != "val"
        masks = self._masks_of(rows, root, opt.skip_bad_files, wanted, report_strays=strays)
        samples = [
            Sample(ids[row.image], row.image, masks.get(row.image, ()), row.patient, row.source, row.label, row.spacing)
            for row in chosen
            if not masks or row.image in masks
        ]
        if phase == "train" and opt.train_images:
            samples = _drawn(samples, opt.train_images, opt.split_seed)
        if self.trained_on and opt.unlabelled:
            samples = samples[: int(min(opt.max_dataset_size, len(samples)))]
            free = _unlabelled(opt, phase, everyone, {s.image for s in samples}, self.notes)
            # What a network learnt from looks like is read as testing sees it, where no image is beside another.
            return samples + (free if self.train else [replace(sample, unlabelled=False) for sample in free])
        return _without_pairs(samples, opt.split_seed) if self.train and opt.unpaired else samples

    def _without_bad(self, rows: list[Row], known: list[Path], root: Path) -> list[Row]:
        """The rows without those that verdicts.csv keeps out of training. known: all images of the data set."""
        bad, line = left_out(root, {row.image for row in rows}, known)
        if len(bad) == len(rows):
            raise UserError(f"{line}: no image is left to train on")
        self.skipped += [line] * bool(line)
        return [row for row in rows if row.image not in bad]

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray | None]:
        classes = cast(Classes, self._stored_as)  # masks always have classes
        image = read_file(sample.image)
        return image.pages[0].pixels, read_labels(sample.targets, classes, image) if sample.targets else None

    def _masks_of(
        self, rows: list[Row], root: Path, skip_bad: bool, chosen: set[Path], report_strays: bool
    ) -> dict[Path, tuple[Path, ...]]:
        """The masks of each image. Empty if no image has one, which is fine for testing. Only the images `chosen` and,
        with `report_strays`, masks without an image are problems. UserError: a problem, unless `skip_bad`."""
        masks_of = {row.image: row.masks for row in rows if row.masks}
        images = [row.image for row in rows if not row.masks]
        strays: dict[Path, str] = {}
        if images and (root / "masks").is_dir():
            matching = match_listed(rows, root)
            if lines := list(matching.unclear.values()):
                raise UserError(lines[0] + _more(lines))
            masks_of |= {image: tuple(parts) for image, parts in matching.masks_of.items()}
            strays = matching.strays
        if not masks_of and not self.train:
            return {}
        problems = [
            f"{image}: no mask of this name in {root / 'masks'}"
            if image.exists()
            else f"{root / 'splits.csv'}: lists {image}, but there is no such file"
            for image in images
            if image in chosen and image not in masks_of
        ]
        if report_strays:
            problems += strays.values()
        if not masks_of and (advice := renaming(root)):
            raise UserError(f"--dataroot {root}: no image has a mask; {advice}")
        if problems and not skip_bad:
            raise UserError(f"{problems[0]}{_more(problems)}; --skip_bad_files leaves them out")
        if not masks_of:
            raise UserError(f"--dataroot {root}: no image has a mask, so there is nothing to train on")
        self.skipped += problems
        return masks_of


def _more(lines: list[str]) -> str:
    return f" (and {len(lines) - 1} more such files)" if len(lines) > 1 else ""


def find_rows(root: Path, patient_regex: str = "", split_seed: int = 0) -> dict[str, Row]:
    """Every image of the data set `root` by its id. Each row has a patient, if need be by a DICOM file's header, and a
    split: from splits.csv or, without it, by a draw for each patient in images/. UserError: no images, a bad list or
    regular expression."""
    list_file = root / "splits.csv"
    listed = list_file.is_file()
    rows = _listed(root, list_file) if listed else _unlisted(root)
    ids = safe_ids([row.image for row in rows], root / "images")
    owners = ["" if patient_regex or row.patient else read_patient(row.image) for row in rows]
    if len({*owners} - {""}) == 1 and not any(row.patient for row in rows):
        owners = [""] * len(rows)  # some programs anonymise by writing one ID into all files
    rows = [_with_patient(row, own_name(row.image, root), patient_regex) for row in rows]
    # IDs must not become visible, so the patient of a header is named after the first of their images.
    keys = [owner or row.patient for row, owner in zip(rows, owners, strict=True)]
    names: dict[str, str] = {}
    rows = [replace(row, patient=names.setdefault(key, row.patient)) for row, key in zip(rows, keys, strict=True)]
    if not listed:
        by_folder = splits_by_folders([row.image for row in rows], root / "images")
        splits = by_folder or [draw_split(key, split_seed) for key in keys]
        rows = [replace(row, split=split) for row, split in zip(rows, splits, strict=True)]
    return dict(zip(ids, rows, strict=True))


def _listed(root: Path, list_file: Path) -> list[Row]:
    rows = read_splits(list_file)
    if any(row.image.exists() for row in rows):
        return rows
    missing = next((folder for folder in reversed(rows[0].image.parents) if not folder.exists()), None)
    what = f"there is no folder {missing}, and " if missing else ""
    raise UserError(
        f"{list_file}: {what}none of the {len(rows)} images that it lists exists, such as {rows[0].image}; "
        f"{renaming(root) or 'paths in it are relative to its own folder'}"
    )


def _unlisted(root: Path) -> list[Row]:
    """A row for each image in images/. UserError: there are none, or there was or should be a splits.csv."""
    if (root / PREPARED).is_file():
        raise UserError(
            f"{root}: its splits.csv is missing, because data.prepare was interrupted or the file was deleted: run "
            f"data.prepare again, or delete {PREPARED} to draw the phases"
        )
    near = [path for path in root.iterdir() if path.name.lower() in ("splits.csv", "split.csv")]
    if near and is_list(near[0]):
        raise UserError(f"{near[0]}: the list of phases is called splits.csv: rename it")
    if not (root / "images").is_dir():
        advice = renaming(root) or (
            "put images into images/ and their masks into masks/ (to test on a plain folder of images: "
            "test.py --dataset_mode single)"
        )
        raise UserError(f"--dataroot {root}: no folder images/ in it; {advice}")
    if not (rows := [Row(path) for path in find_images(root / "images")]):
        raise UserError(f"--dataroot {root}: no images in images/ or below it")
    return rows


def _drawn(samples: list[Sample], count: int, seed: int) -> list[Sample]:
    """`count` samples, drawn by patient, in their old order. The draw depends on names and seed alone, and a larger
    count contains the images of a smaller one."""
    if not 0 < count <= len(samples):
        raise UserError(f"--train_images {count}: want 1 to {len(samples)}, as many as there are, or 0 for all")
    by_draw = sorted(samples, key=lambda s: draw(s.patient or s.id, seed))
    taken = {s.id for s in by_draw[:count]}
    return [s for s in samples if s.id in taken]


def _no_such_phase(phase: str, rows: list[Row], root: Path, drawn: bool) -> NoSuchPhase:
    splits = ", ".join(f"{s or 'none'} ({sum(r.split == s for r in rows)})" for s in sorted({r.split for r in rows}))
    return NoSuchPhase(
        f"--dataroot {root}: no image is in phase {phase!r}; there are {splits}"
        + ("; a splits.csv or another --split_seed changes that" if drawn else "")
        + (f"; --phase {OUT_OF_FOLD} scores what a fold's run has not seen" if OUT_OF_FOLD in splits else "")
    )


def _torn(rows: list[Row], everyone: list[Row], phase: str) -> list[str]:
    """A note where patients have images in a phase, which trains, and in others of the data set."""
    patients = {row.patient for row in rows}
    others = [row for row in everyone if row.split not in (phase, "") and row.patient in patients]
    if phase == "all" or not others:
        return []
    count, phases = len({row.patient for row in others}), " and ".join(sorted({row.split for row in others}))
    return [
        f"{count} of {len(patients)} patients in {phase} have images in {phases} too, such as {others[0].patient}; "
        "scores there will be too good"
    ]


def _unused(rows: list[Row], root: Path, phase: str) -> list[str]:
    """Notes on images that take no part, though they look as if they should: a list does not know them, or puts them in
    no phase. rows: of the list."""
    inside, known = root / "images", {os.path.abspath(path) for row in rows for path in (row.image, *row.masks)}
    found = find_images(inside) if inside.is_dir() else []
    others = [path for path in found if os.path.abspath(path) not in known]
    aside = [row for row in rows if row.split not in (*PHASES, OUT_OF_FOLD, phase)] if phase != "all" else []
    words = ", ".join(sorted({row.split or "none" for row in aside}))
    notes = [f"{len(others)} images in {inside} are not in splits.csv, such as {others[0]}"] if others else []
    if aside:
        notes.append(
            f"{len(aside)} images have split {words} in splits.csv and take no part, since that is none of train, val "
            f"and test, such as {aside[0].image}"
        )
    return notes


def _unlabelled(
    opt: argparse.Namespace, phase: str, rows: list[Row], labelled: set[Path], notes: list[str]
) -> list[Sample]:
    """The images that train without a mask. rows: of the whole data set, so that no image of another phase is among
    them, wherever the folder lies. labelled: the images that train with their masks. notes: to add to."""
    for flag, given in (("--unpaired", opt.unpaired), ("--direction BtoA", opt.direction == "BtoA")):
        if given:
            raise UserError(f"--unlabelled {opt.unlabelled}: it goes with images and masks in pairs, not with {flag}")
    if opt.unlabelled == REST:
        paths, others = [row.image for row in rows if row.split == phase], labelled
        where = f"--dataroot {opt.dataroot}, phase {phase}"
    else:
        folder = Path(opt.unlabelled)
        if not folder.is_dir():
            raise UserError(
                f"--unlabelled {folder}: no such folder; give a folder of images, or `{REST}` for the images of "
                "--dataroot that train without a mask"
            )
        if named_for_masks(folder.name):
            raise UserError(f"--unlabelled {folder}: a folder of masks by its name; give the folder of the images")
        if (folder / "splits.csv").is_file():
            paths = [row.image for row in find_rows(folder).values() if row.split == phase]
        else:
            root = folder / "images" if (folder / "images").is_dir() else folder
            paths, left = split_masks(find_images(root), root)
            if splits := splits_by_folders(paths, root):
                paths = [path for path, split in zip(paths, splits, strict=True) if split == phase]
            notes += left_out_in_words(left, f"--unlabelled {folder}")
        others = labelled | {row.image for row in rows if row.split != phase}
        where = str(folder)
    known = {digest for path in others for digest in digests(path)}  # a copy of a test image is one, too
    free = [path for path in paths if known.isdisjoint(digests(path))]
    if not free:
        raise UserError(f"--unlabelled {opt.unlabelled}: {where} holds no image that trains without a mask")
    return [Sample(path.name, path, unlabelled=True) for path in free]


def _without_pairs(samples: list[Sample], seed: int) -> list[Sample]:
    """Separate images from masks: half of the patients, drawn by names and seed, only lend their masks, and the images
    of the other half lose theirs."""
    patients = sorted({s.patient or s.id for s in samples}, key=lambda patient: draw(patient, seed))
    if len(patients) < 2:
        raise UserError("--unpaired: images and masks come from different patients, and there is only one")
    lending = set(patients[1::2])
    return [replace(s, lends=True) if (s.patient or s.id) in lending else replace(s, targets=()) for s in samples]


def own_name(image: Path, root: Path) -> str:
    """The path below images/ in one word, as x_001. An id (`safe_ids`) is shorter where it can be, so it depends on
    what other images there are."""
    inside = image
    for folder in (root, root / "images"):
        inside = image.relative_to(folder) if folder in image.parents else inside
    flat = Path("_".join(part for part in inside.parts if part != inside.root))
    return safe_ids([flat], root)[0]


def _with_patient(row: Row, name: str, pattern: str) -> Row:
    if not pattern:
        return replace(row, patient=row.patient or name)
    # Patterns are written for a file's name or for a name with its sub-folders. Which of them is searched first must
    # not depend on other images.
    last = without_extension(Path(row.image.name)).name
    try:
        hit = re.search(pattern, name) or re.search(pattern, last)
    except re.error as error:
        raise UserError(f"--patient_regex {pattern}: {error}") from None
    if hit is None:
        raise UserError(f"--patient_regex {pattern}: finds nothing in {name!r}")
    return replace(row, patient=(hit[1] if hit.re.groups else hit[0]) or name)


def _of_sources(rows: list[Row], wanted: str, list_file: Path) -> list[Row]:
    names = {name.strip() for name in wanted.split(",") if name.strip()}
    sources = {row.source for row in rows} - {""}
    if names - sources:
        raise UserError(f"--source {wanted}: {list_file} lists {', '.join(sorted(sources)) or 'no sources'}")
    return [row for row in rows if row.source in names]


def _one(fold: int | str) -> int:
    """A fold's number. UserError: `all`, where a single run reads its data."""
    if isinstance(fold, str):
        raise UserError(f"--fold {fold}: only train.py takes it; name one fold, or a cross-validation with --name")
    return fold
