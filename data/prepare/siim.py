"""The SIIM-ACR pneumothorax challenge: a tree of DICOM files and a CSV file of masks."""

import re
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np
from tqdm import tqdm

from data.prepare.run_lengths import EMPTY, decode, find_table, read_table
from data.prepare.source import Inventory, Item, Source, files_by_name
from data.read.images import read_image
from util.errors import UserError


@dataclass(frozen=True)
class XRay(Item):
    """runs: the parts of its mask (`data.prepare.run_lengths`). extent: height and width in mm."""

    runs: tuple[str, ...] = ()
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
    inner = frozenset({"dicom-images-train", "dicom-images-test"})

    def find(self, root: Path) -> Inventory:
        inventory = Inventory()
        table = find_table(root)
        runs = read_table(table)
        paths = [path for group in files_by_name(root, r".+\.dcm").values() for path in group]
        if not paths:
            raise UserError(f"{root}: {table.name} lists masks, but there are no DICOM files (*.dcm), here or below")
        xrays: dict[str, XRay] = {}
        for path in tqdm(paths, desc="headers", unit="img", disable=None):
            try:
                xray = _describe(path, runs)
            except (UserError, OSError) as error:
                inventory.left_out["damaged"].append(str(error))
                continue
            if xray is None:
                inventory.left_out[f"not listed in {table.name}"].append(path.name)
            elif xray.id in xrays:
                inventory.odd["a second file of the same image, not used"].append(path.name)
            else:
                xrays[xray.id] = xray
        inventory.left_out[f"listed in {table.name}, but no DICOM file of it"] += sorted(runs.keys() - xrays.keys())
        inventory.items += _numbered([xrays[uid] for uid in sorted(xrays)])
        return inventory

    def read(self, item: Item) -> tuple[np.ndarray, np.ndarray]:
        image = read_image(item.image)
        mask = np.zeros(image.shape, np.uint8)
        for part in cast(XRay, item).runs:
            try:
                mask |= decode(part, *image.shape)
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
    name = path.stem if path.stem in runs else uid
    if name not in runs or not re.fullmatch(r"[\w.-]+", name):
        return None
    ill = any(part != EMPTY for part in runs[name])
    spacing = spacing_of(header)
    extent = spacing and (spacing[0] * header.get("Rows", 0), spacing[1] * header.get("Columns", 0))
    return XRay(
        name,
        path,
        (),
        patient=str(header.get("PatientID") or f"only {name}"),
        label="pneumothorax" if ill else "no pneumothorax",
        runs=tuple(runs[name]),
        extent=extent,
    )


def _numbered(xrays: list[XRay]) -> list[Item]:
    """The images with a number instead of each patient's ID, which must not reach the new files. Patients are numbered
    in the order of their first image."""
    numbers: dict[str, int] = {}
    return [replace(xray, patient=f"siim-{numbers.setdefault(xray.patient, len(numbers) + 1):05d}") for xray in xrays]
