"""Check a folder of images and masks before training on it: `python -m data.prepare masks SRC`."""

import os
import shlex
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path

from data.classes import Classes
from data.masks import find_rows
from data.prepare.contents import Mask, Picture, read_all
from data.prepare.findings import Findings, counted, few, number, report
from data.prepare.lists import in_folds, write_folds
from data.read.folders import PHASES, existing_folder
from data.read.headers import contradicting
from data.read.images import find_images, read_file
from data.read.labels import is_mask
from data.read.matching import match_listed
from data.read.splits import Row, phase_folders
from util.errors import UserError

FEW = 20
"""Fewer patients than this are too few to train a useful segmenter."""
FEW_SCORED = 5
"""Scores of fewer images than this mean nothing."""
DARK = 0.1
"""A 16-bit image whose values stay below this share of the range is nearly black, on the screen and to the network."""
MOSTLY = 0.6
"""A mask is perhaps inverted if it has more foreground than this and reaches all four borders."""

EMPTY = "masks without any foreground: correct if the image shows none, else a lost annotation"
INVERTED = "masks that fill most of the image up to all four borders: is black the background?"
LOSSY = "masks stored as JPEG: their blurred edges are thresholded halfway; PNG keeps edges exact"
DIM = "16-bit images that use only the dark end of 0..65535, such as 12 bits unscaled: multiply their values"
EVEN = "images of one even grey"
TWICE = "the same picture more than once in one split"
SAME_MASK = "different images with exactly the same mask"
ONE_SIDE = "images with the mask of one side, while others have left and right: is a file missing?"
SHAPE = (
    "DICOM files whose PresentationLUTShape contradicts PhotometricInterpretation, which is followed: is bone bright?"
)
UNLISTED = "images that splits.csv does not list, and that are not used"
STRAY = "masks without an image in splits.csv"
UNREAD = "files of a type that is not read"
OWNER = "DICOM files of one patient, by their headers, in two splits: --patient_regex or splits.csv keep them together"
SPLITS = "splits"


def check(root: Path, classes: Classes, patient_regex: str = "", folds: bool = False) -> Findings:
    """Read every file of the data set `root` (the layout of --dataset_mode masks) once and list what is wrong.

    folds: its patients are to be divided into folds. UserError: there are no images, or splits.csv is damaged.
    """
    rows = find_rows(root, patient_regex)
    return _Check(root, classes, list(rows.values()), folds).run()


def check_folder(src: Path, classes_of: str, patient_regex: str, folds: int | None = None) -> int:
    """Print the findings about the folder `src`, whose masks have --classes `classes_of`, and a first training command
    if it has no errors. folds: write so many folds into its splits.csv, if it has no errors. Returns the exit code: 1
    if there are errors, else 0."""
    root = existing_folder(str(src))
    classes = Classes.load(classes_of)
    findings = check(root, classes, patient_regex, folds is not None)
    print(report(root, findings))
    if findings.errors:
        print(
            f"\n{number(len(findings.errors), 'error')}: correct them, or leave out single bad files in training with "
            "--skip_bad_files"
        )
        return 1
    # The shipped donor was trained on facades, including CMP's. It helps with two classes (lungs), but on facades it
    # would have seen the test images.
    start = ["@recipes/lungs.txt"] if classes.binary else ["--dataset_mode", "masks"]
    command = [*start, "--dataroot", str(src), "--name", root.resolve().name]
    if classes_of != "lungs":
        command += ["--classes", classes_of]
    if patient_regex:
        command += ["--patient_regex", patient_regex]
    if folds is not None:
        print(f"\n{write_folds(root, patient_regex, folds)}")
        command += ["--fold", "all"]
    print(f"\nno errors; next:\n  python train.py {shlex.join(command)}")
    return 0


class _Check:
    def __init__(self, root: Path, classes: Classes, rows: list[Row], folds: bool = False) -> None:
        self.root, self.classes = root, classes
        self.listed = (root / "splits.csv").is_file()
        self.by_folders = not self.listed and bool(phase_folders(root / "images"))
        self.findings = Findings()
        self.split = {row.image: row.split for row in rows}
        self.fold = {row.image: row.fold for row in rows}
        self.patient = {row.image: row.patient for row in rows}
        self.rows = rows
        self.dealt = {row.image for row in in_folds(root, rows)} if folds else set()
        self.masks_of: dict[Path, tuple[Path, ...]] = {row.image: row.masks for row in rows if row.masks}
        self.pictures: dict[Path, Picture] = {}
        self.masks: dict[Path, Mask] = {}

    def run(self) -> Findings:
        self._pair()
        self._check_sides()
        self._decode()
        for image in self.pictures:
            self._check_image(image)
        for image in contradicting(self.pictures):
            self._hint(SHAPE, image)
        for path, mask in self.masks.items():
            self._check_mask(path, mask)
        self._check_foreground()
        self._check_duplicates()
        self._check_patients()
        self._check_splits()
        self._summarise()
        self.findings.errors.sort()
        return self.findings

    def _error(self, line: str) -> None:
        self.findings.errors.append(self._short(line))

    def _hint(self, hint: str, path: Path | str, detail: str = "") -> None:
        self.findings.hints[hint].append(self._short(f"{path}{detail and ': '}{detail}"))

    def _short(self, line: str) -> str:
        return line.replace(f"{self.root}{os.sep}", "")

    def _by_split(self, images: list[Path]) -> str:
        """A few images of each split, if the images are in more than one split; else ""."""
        splits = sorted({self.split[image] for image in images} - {""})
        return " and ".join(
            f"{few(i for i in images if self.split[i] == split)} ({split})" for split in splits if len(splits) > 1
        )

    def _by_fold(self, images: list[Path]) -> str:
        """A few images, and how folds tear them apart; "" if they do not."""
        if len(folds := sorted({self.fold[image] for image in images} - {""})) > 1:
            return f"{few(images)}: the same picture in folds {' and '.join(folds)}"
        if len({self.patient[image] for image in images if image in self.dealt}) > 1:
            return f"{few(images)}: the same picture of several patients, whom --folds could put into several folds"
        return ""

    def _pair(self) -> None:
        """Match masks to images as `MasksDataset` does, and list the files that no training would use."""
        image_root, mask_root = self.root / "images", self.root / "masks"
        unlisted = [image for image in find_images(image_root) if image not in self.split]
        for image in unlisted:
            self._hint(UNLISTED, image)
        matching = match_listed(self.rows, self.root)
        for line in matching.unclear.values():
            self._error(line)
        for mask, line in matching.strays.items():
            # Without splits.csv, training refuses such a mask, because its image may be missing.
            if self.listed:
                self._hint(STRAY, mask)
            else:
                self._error(line)
        self.masks_of |= {image: tuple(masks) for image, masks in matching.masks_of.items()}
        if not self.masks_of:
            self._error(f"{mask_root}: no image has a mask, so there is nothing to train on")
        for image in self.split if self.masks_of else ():
            if image not in self.masks_of and image not in matching.unclear and image.exists():
                self._error(f"{image}: no mask of this name in masks/")
        for folder in (image_root, mask_root):
            pictures = set(find_images(folder))
            others = [p for p in folder.rglob("*") if p.is_file() and p.name[0] != "." and p not in pictures]
            for suffix, count in Counter(p.suffix or "without extension" for p in others).most_common():
                self._hint(UNREAD, f"{folder.name}/: {suffix} ({count})")

    def _check_sides(self) -> None:
        if any(len(masks) > 1 for masks in self.masks_of.values()):
            for masks in self.masks_of.values():
                if len(masks) == 1:
                    self._hint(ONE_SIDE, masks[0])

    def _decode(self) -> None:
        image_of = {mask: image for image, masks in self.masks_of.items() for mask in masks}
        swapped = 0
        for path, content in read_all(sorted(self.split), sorted(image_of), self.classes):
            if isinstance(content, UserError) and path in image_of and self._is_mask(image_of[path]):
                swapped += 1
            elif isinstance(content, UserError):
                self._error(
                    str(content) if path.exists() else f"{path}: splits.csv lists it, but there is no such file"
                )
            elif isinstance(content, Mask):
                self.masks[path] = content
            else:
                self.pictures[path] = content
        if swapped:
            self._error(
                f"{self.root}: images/ and masks/ are swapped: {swapped} of {len(image_of)} files in masks/ are no "
                "masks, and their images are; exchange the names of the two folders"
            )

    def _is_mask(self, image: Path) -> bool:
        return image in self.pictures and is_mask(read_file(image), self.classes)

    def _check_image(self, image: Path) -> None:
        picture = self.pictures[image]
        if picture.even:
            self._hint(EVEN, image)
        elif picture.kind.startswith("16") and picture.high < DARK:
            self._hint(DIM, image, f"{picture.high:.1%} of the range")
        for mask in self.masks_of.get(image, ()):
            if mask in self.masks and self.masks[mask].picture.orientation != picture.orientation:
                self._error(f"{mask}: rotation: one of this mask and its image is turned by an EXIF orientation")
            elif mask in self.masks and self.masks[mask].picture.size != picture.size:
                self._error(
                    f"{mask}: {_size(self.masks[mask].picture.size)}, but its image {image} has "
                    f"{_size(picture.size)}: both need one size"
                )

    def _check_mask(self, path: Path, mask: Mask) -> None:
        if mask.soft is not None:
            self._hint(LOSSY, path, f"{mask.soft:.1%} of its pixels lie between two classes")
        if self.classes.binary and mask.borders and mask.foreground > MOSTLY:
            self._hint(INVERTED, path, f"{mask.foreground:.0%} foreground")

    def _check_foreground(self) -> None:
        whole = {
            image: [self.masks[m] for m in masks]
            for image, masks in self.masks_of.items()
            if all(m in self.masks for m in masks)
        }
        empty = {image for image, masks in whole.items() if not any(m.foreground for m in masks)}
        for image in whole:
            if image in empty:
                self._hint(EMPTY, self.masks_of[image][0])
        if whole and len(empty) == len(whole):
            self._error(f"{self.root / 'masks'}: no mask has any foreground")
        elif whole:
            self._check_empty_splits(whole.keys(), empty)
            masks = [mask for masks in whole.values() for mask in masks]
            unused = [name for k, name in enumerate(self.classes.names) if not any(mask.counts[k] for mask in masks)]
            if unused:
                self._hint("classes that no mask holds", ", ".join(unused))

    def _check_empty_splits(self, images: Iterable[Path], empty: set[Path]) -> None:
        for split, use in (("train", "train on"), ("val", "choose the best epoch with"), ("test", "score")):
            masked = [image for image in images if self.split[image] == split]
            if masked and empty.issuperset(masked):
                line = f"all {number(len(masked), 'mask')} in {split} are empty: nothing to {use}"
                if split == "train":
                    self._error(f"splits: {line}")
                else:
                    self._hint(SPLITS, line)

    def _check_duplicates(self) -> None:
        for images in _groups((picture.digest, path) for path, picture in self.pictures.items()):
            if named := self._by_split(images):
                cure = "put them in one split" if self.listed else "give them one patient (--patient_regex, splits.csv)"
                self._error(f"{named}: the same picture in two splits; remove one, or {cure}")
            elif torn := self._by_fold(images):
                self._error(f"{torn}: remove one, or give them one patient and one fold")
            else:
                self._hint(TWICE, images[0], few(images[1:]))
        filled = (
            (self.masks[masks[0]].picture.digest, image)
            for image, masks in self.masks_of.items()
            if len(masks) == 1 and masks[0] in self.masks and self.masks[masks[0]].foreground and image in self.pictures
        )
        for images in _groups(filled):
            if len({self.pictures[image].digest for image in images}) == len(images):
                self._hint(SAME_MASK, images[0], few(images[1:]))

    def _check_patients(self) -> None:
        for place in ("split", "fold"):
            places_of: dict[str, dict[str, Path]] = defaultdict(dict)
            for row in self.rows:
                if name := getattr(row, place):
                    places_of[row.patient].setdefault(name, row.image)
            for patient, places in places_of.items():
                if len(places) > 1:
                    listed = " and ".join(f"{place} {name} ({image})" for name, image in places.items())
                    known = "the network is tested on a patient it was trained on"
                    where = "splits.csv" if self.listed else "images/"
                    self._error(f"{where}: patient {patient} is in {listed}: {known}")

        owners = {path: picture.owner for path, picture in self.pictures.items() if picture.owner}
        if len(set(owners.values())) > 1:  # one ID in all files is what anonymising leaves
            for images in _groups((owner, path) for path, owner in owners.items()):
                if named := self._by_split(images):
                    self._hint(OWNER, named)

    def _check_splits(self) -> None:
        counts = Counter(self.split.values())
        if not counts["train"]:
            self._error(
                "splits.csv: no image is in split train"
                if self.listed
                else "images/: no image is in images/train"
                if self.by_folders
                else "images/: too few images: the draw leaves none in split train"
            )
        for split in sorted(counts.keys() - set(PHASES)):
            images = number(counts[split], "image")
            self._hint(
                SPLITS,
                f"{split!r} ({images}) is read only by --phase" if split else f"{images} without a split, not used",
            )
        for split, use in (("val", "choose the best epoch"), ("test", "score")):
            if not counts[split]:
                self._hint(SPLITS, f"no image is in {split} to {use} with")
            elif counts[split] < FEW_SCORED:
                self._hint(SPLITS, f"{number(counts[split], 'image')} in {split}: too few to {use} with")
        if 0 < counts["train"] < counts["val"] + counts["test"]:
            self._hint(SPLITS, f"train has fewer images ({counts['train']}) than val and test together")
        patients = len(set(self.patient.values()))
        if patients < FEW:
            self._hint(SPLITS, f"only {number(patients, 'patient')}: too few to learn or to conclude much from")

    def _summarise(self) -> None:
        counts, patients = Counter(self.split.values()), defaultdict(set)
        for image, split in self.split.items():
            patients[split].add(self.patient[image])
        sources = Counter(row.source for row in self.rows if row.source)
        shares = sorted(mask.foreground for mask in self.masks.values())
        lines = {
            "images": str(len(self.split)),
            "masks": str(sum(map(len, self.masks_of.values()))),
            "patients": str(len(set(self.patient.values()))),
            "sizes": counted(Counter(_size(p.size) for p in self.pictures.values())),
            "pixels": counted(Counter(p.kind for p in self.pictures.values())),
            "foreground": f"{shares[0]:.1%} to {shares[-1]:.1%} of a mask, median {shares[len(shares) // 2]:.1%}"
            if shares
            else "",
            "sources": counted(sources),
            "splits": ", ".join(
                f"{split or 'none'} {counts[split]} ({number(len(patients[split]), 'patient')})"
                for split in sorted(counts, key=lambda s: (*PHASES, s).index(s))
            )
            + (", from splits.csv" if self.listed else ", by folders" if self.by_folders else ", drawn"),
        }
        self.findings.summary = {name: value for name, value in lines.items() if value}


def _groups(pairs: Iterable[tuple[bytes, Path]]) -> list[list[Path]]:
    """The paths that share a digest with another path, grouped by digest."""
    by_digest: dict[bytes, list[Path]] = defaultdict(list)
    for digest, path in pairs:
        by_digest[digest].append(path)
    return [paths for paths in by_digest.values() if len(paths) > 1]


def _size(size: tuple[int, int]) -> str:
    return f"{size[0]} x {size[1]}"
