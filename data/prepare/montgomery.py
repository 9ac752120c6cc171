"""The Montgomery County chest X-ray set (NLM): MontgomerySet/CXR_png and ManualMask/leftMask, rightMask."""

from pathlib import Path

from PIL import Image

from data.prepare.source import PICTURE, Inventory, Item, Source, files_by_name, in_folders, with_both_lungs
from data.read.headers import is_dicom, read_spacing
from util.errors import UserError

JAEGER = (
    "S. Jaeger, S. Candemir, S. Antani, Y. X. Wang, P. X. Lu, G. Thoma: Two public chest X-ray datasets for "
    "computer-aided screening of pulmonary diseases. Quant Imaging Med Surg 4(6), 2014"
)
CANDEMIR = (
    "S. Candemir et al.: Lung segmentation in chest radiographs using anatomical atlases with nonrigid "
    "registration. IEEE Trans Med Imaging 33(2), 2014"
)
LABELS = {"0": "normal", "1": "tuberculosis"}
"""The last digit of a file name to its label, here and in the Shenzhen set."""
MM = 0.0875
"""Millimetres per pixel of the original files."""
MERGED = ("mask", "masks")
"""Folders in which copies of the set (on Kaggle) hold one mask of both lungs."""
MASK_FOLDERS = {"leftmask", "rightmask", "manualmask", *MERGED}


class Montgomery(Source):
    """138 X-rays of 4020 x 4892 or 4892 x 4020 pixels, 8 bits, one per patient, 58 of them with tuberculosis, as PNG or
    DICOM. Each lung has a mask file, and the two are joined; copies on Kaggle have one file of both in masks/."""

    name = "montgomery"
    about = "Montgomery County: 138 X-rays, lungs, tuberculosis"
    homepage = "https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/"
    licence = "released by the U.S. National Library of Medicine for research and education; citation required"
    citation = f"{JAEGER}; {CANDEMIR}"
    inner = frozenset({"CXR_png", "ManualMask", "leftMask", "rightMask", "ClinicalReadings"})

    def find(self, root: Path) -> Inventory:
        inventory = Inventory()
        files = files_by_name(root, r"MCUCXR_\d{4}_[01]" + PICTURE)
        left, right = in_folders(files, "leftmask"), in_folders(files, "rightmask")
        merged = in_folders(files, *MERGED)
        pictures = {
            name: images
            for name, paths in files.items()
            if (images := [path for path in paths if path.parent.name.lower() not in MASK_FOLDERS and is_image(path)])
        }
        if not pictures or not (left or right or merged):
            raise UserError(
                f"{root}: not the Montgomery set: looked for CXR_png/MCUCXR_0001_0.png and its like, PNG or DICOM "
                f"(found {len(pictures)}) and for its masks in ManualMask/leftMask/ (found {len(left)}) "
                f"and rightMask/ (found {len(right)}), or merged in masks/ (found {len(merged)}), here and below"
            )
        for name, path, masks in with_both_lungs(pictures, left, right, inventory, merged):
            _, number, ill = name.split("_")
            inventory.items.append(Item(name, path, masks, f"{self.name}-{number}", LABELS[ill]))
        return inventory

    def extent(self, item: Item) -> tuple[float, float] | None:
        if is_dicom(item.image):
            from data.read.dicom import read_header

            header, spacing = read_header(item.image), read_spacing(item.image)
            height, width = header.get("Rows") or 0, header.get("Columns") or 0
            if spacing:
                return height * spacing[0], width * spacing[1]
        else:
            with Image.open(item.image) as picture:
                width, height = picture.size
        # Scaled-down copies of the set circulate under the same names; their pixels have another size.
        return (height * MM, width * MM) if {height, width} == {4020, 4892} else None


def is_image(path: Path) -> bool:
    return path.suffix.lower() == ".png" or is_dicom(path)
