"""The SIIM-ACR pneumothorax challenge: a tree of DICOM files and a CSV file of masks."""

import re
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from tqdm import tqdm

from data.prepare.runs import EMPTY, decode, find_table, read_table
from data.prepare.source import Found, Item, Source, files_by_name
from data.read.images import read_image
from util.errors import UserError


@dataclass(frozen=True)
class XRay(Item):
    """runs: the parts of its mask (`data.prepare.runs`); extent: height and width in mm."""

    runs: tuple[str, ...] = ()
    extent: tuple[float, float] | None = None


class Siim(Source):
    """12,047 X-rays of 1024 x 1024 pixels, 8 bits, 2,669 of them with pneumothorax, whose masks are runs of pixels in
    train-rle.csv (several rows of an image are one mask, -1 is none). Files are called by the image's UID; patients
    are numbered, and nothing else of the DICOM headers is kept but the pixel spacing."""

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

    def find(self, root: Path) -> Found:
        found = Found()
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
                found.left_out["damaged"].append(str(error))
                continue
            if xray is None:
                found.left_out[f"not listed in {table.name}"].append(path.name)
            elif xray.id in xrays:
                found.odd["a second file of the same image, not used"].append(path.name)
            else:
                xrays[xray.id] = xray
        found.left_out[f"listed in {table.name}, but no DICOM file of it"] += sorted(runs.keys() - xrays.keys())
        found.items += _numbered([xrays[uid] for uid in sorted(xrays)])
        return found

    def read(self, item: XRay) -> tuple[np.ndarray, np.ndarray]:
        image = read_image(item.image)
        mask = np.zeros(image.shape, np.uint8)
        for part in item.runs:
            try:
                mask |= decode(part, *image.shape)
            except UserError as error:
                raise UserError(f"{item.image}: the table gives it {error}") from None
        return image, mask

    def extent(self, item: XRay) -> tuple[float, float] | None:
        return item.extent


def _describe(path: Path, runs: dict[str, list[str]]) -> XRay | None:
    """What header and table say of a file, its patient by the header's own id; None: the table does not list it."""
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
    """The same images with a number in place of each patient's id, in the order in which patients appear."""
    numbers: dict[str, int] = {}
    return [replace(xray, patient=f"siim-{numbers.setdefault(xray.patient, len(numbers) + 1):05d}") for xray in xrays]
