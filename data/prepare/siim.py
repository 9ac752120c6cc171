"""The SIIM-ACR pneumothorax challenge: a tree of DICOM files and a CSV file of masks."""

import argparse
import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from tqdm import tqdm

from data.prepare.run_lengths import DIALECTS, EMPTY, decode, dialects_of, find_table, read_table
from data.prepare.source import Inventory, Item, Source
from data.read.headers import is_dicom
from data.read.images import files_below, read_image
from util.errors import UserError


@dataclass(frozen=True)
class XRay(Item):
    """runs: the parts of its mask (`data.prepare.run_lengths`), and their dialect. size: height and width in pixels, by
    the header. extent: the same in mm."""

    runs: tuple[str, ...] = ()
    dialect: str = "relative"
    size: tuple[int, int] = (0, 0)
    extent: tuple[float, float] | None = None


class Siim(Source):
    """12,047 X-rays of 1024 x 1024 pixels, 8 bits, 2,669 of them with pneumothorax. Masks are runs of pixels in
    train-rle.csv; several rows of one image form one mask, and -1 means an empty mask. Files are named by the image's
    UID. Patients are numbered. Of the DICOM headers, only the pixel spacing is kept."""

    name = "siim"
    about = "SIIM-ACR pneumothorax: DICOM and a CSV file of runs, pneumothorax"
    homepage = "https://www.kaggle.com/c/siim-acr-pneumothorax-segmentation"
    licence = "the rules of the Kaggle competition; images from NIH ChestX-ray14"
    citation = (
        "SIIM-ACR Pneumothorax Segmentation, Kaggle 2019; X. Wang et al.: ChestX-ray8: Hospital-scale chest "
        "X-ray database and benchmarks. CVPR 2017"
    )
    target = "pneumothorax"
    dialect = ""
    inner = frozenset({"dicom-images-train", "dicom-images-test"})

    def add_flags(self, command: argparse.ArgumentParser) -> None:
        runs = "the table counts pixels from the run before, or from the first pixel (default: what fits the images)"
        command.add_argument("--runs", choices=DIALECTS, help=runs)

    def with_flags(self, opt: argparse.Namespace) -> Source:
        source = Siim()
        source.dialect = opt.runs or ""
        return source

    def find(self, root: Path) -> Inventory:
        inventory = Inventory()
        table = find_table(root)
        runs = read_table(table)
        paths = [path for path in files_below(root) if is_dicom(path)]
        if not paths:
            raise UserError(f"{root}: {table.name} lists masks, but there are no DICOM files (*.dcm), here or below")
        xrays: dict[str, XRay] = {}
        for path in tqdm(paths, desc="headers", unit="img", disable=None):
            try:
                xray = _describe(path, runs)
            except (UserError, OSError) as error:
                inventory.left_out["damaged"].append(str(error))
                continue
            except Exception as error:  # pydicom decodes a value when it is read, and raises nearly anything
                inventory.left_out["damaged"].append(f"{path}: its header is damaged: {error}")
                continue
            if xray is None:
                inventory.left_out[f"not listed in {table.name}"].append(path.name)
            elif xray.id in xrays:
                inventory.odd["a second file of the same image, not used"].append(path.name)
            else:
                xrays[xray.id] = xray
        inventory.left_out[f"listed in {table.name}, but no DICOM file of it"] += sorted(runs.keys() - xrays.keys())
        listed = [xrays[uid] for uid in sorted(xrays)]
        inventory.dialect = self.dialect or find_dialect(listed, table)
        owners = {xray.patient for xray in listed} - {""}
        if len(owners) == 1 and len(listed) > 1:  # some programs anonymise by writing one ID into all files
            inventory.odd["one PatientID in all headers: each image counts as a patient"] = [f"{len(listed)} images"]
            listed = [replace(xray, patient="") for xray in listed]
        inventory.items += _numbered([replace(xray, dialect=inventory.dialect) for xray in listed])
        return inventory

    def read(self, item: Item) -> tuple[np.ndarray, np.ndarray]:
        image = read_image(item.image)
        mask = np.zeros(image.shape, np.uint8)
        xray = cast(XRay, item)
        for part in xray.runs:
            try:
                mask |= decode(part, *image.shape, dialect=xray.dialect)
            except UserError as error:
                raise UserError(f"{item.image}: the table gives it {error}") from None
        return image, mask

    def extent(self, item: Item) -> tuple[float, float] | None:
        return cast(XRay, item).extent


def _describe(path: Path, runs: dict[str, list[str]]) -> XRay | None:
    """One image by its header and the table, with the patient's ID of the header. None: the table does not list it."""
    from data.read.dicom import read_header, spacing_of

    header = read_header(path)
    uid = str(header.get("SOPInstanceUID", ""))
    name = next((name for name in (path.stem, path.name) if name in runs), uid)
    if name not in runs or not re.fullmatch(r"[\w.-]+", name):
        return None
    ill = any(part != EMPTY and set(part.split()[1::2]) != {"0"} for part in runs[name])
    spacing = spacing_of(header)
    size = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
    extent = spacing and (spacing[0] * size[0], spacing[1] * size[1])
    return XRay(
        name,
        path,
        (),
        patient=str(header.get("PatientID") or "").strip(),
        label="pneumothorax" if ill else "no pneumothorax",
        runs=tuple(runs[name]),
        size=size,
        extent=extent,
    )


def find_dialect(xrays: list[XRay], table: Path) -> str:
    """The dialect of a table's runs, which must fit into their images. Read in the wrong one, most masks of several
    runs leave the image or go back. UserError: the masks contradict each other or fit both."""
    only: dict[str, str] = {}
    undecided = ""
    for xray in xrays:
        for part in xray.runs:
            fitting = dialects_of(part, *xray.size) if part != EMPTY else set()
            if len(fitting) == 1:
                only.setdefault(fitting.pop(), xray.id)
            elif fitting:
                undecided = xray.id
    if len(only) == 1 or not (only or undecided):
        return next(iter(only), DIALECTS[0])
    if only:
        why = " and ".join(
            f"the mask of {name} only fits if they are {dialect}" for dialect, name in sorted(only.items())
        )
    else:
        why = f"those of {undecided} fit either way"
    raise UserError(
        f"{table}: {why}; say how its runs count pixels: --runs relative (from the run before, as the challenge does) "
        "or --runs absolute (from the first pixel)"
    )


def _numbered(xrays: list[XRay]) -> list[Item]:
    """The images with a number instead of each patient's ID, which must not reach the new files. Patients are numbered
    in the order of their first image. An image without an ID is its own patient."""
    numbers: dict[str, int] = {}
    keys = [xray.patient or f"only {xray.id}" for xray in xrays]
    return [
        replace(xray, patient=f"siim-{numbers.setdefault(key, len(numbers) + 1):05d}")
        for xray, key in zip(xrays, keys, strict=True)
    ]
