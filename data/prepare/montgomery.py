"""The Montgomery County chest X-ray set (NLM): MontgomerySet/CXR_png and ManualMask/leftMask, rightMask."""

from pathlib import Path

from PIL import Image

from data.prepare.source import Inventory, Item, Source, files_by_name, in_folders, with_both_lungs
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


class Montgomery(Source):
    """138 X-rays of 4020 x 4892 or 4892 x 4020 pixels, 8 bits, one per patient, 58 of them with tuberculosis. Each lung
    has a mask file; the two are joined."""

    name = "montgomery"
    about = "Montgomery County: 138 X-rays, lungs, tuberculosis"
    homepage = "https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/"
    licence = "released by the U.S. National Library of Medicine for research and education; citation required"
    citation = f"{JAEGER}; {CANDEMIR}"
    inner = frozenset({"CXR_png", "ManualMask", "leftMask", "rightMask", "ClinicalReadings"})

    def find(self, root: Path) -> Inventory:
        inventory = Inventory()
        files = files_by_name(root, r"MCUCXR_\d{4}_[01]\.png")
        left, right = in_folders(files, "leftmask"), in_folders(files, "rightmask")
        pictures = in_folders(files, "cxr_png")
        if not pictures or not (left or right):
            raise UserError(
                f"{root}: not the Montgomery set: looked for CXR_png/MCUCXR_0001_0.png and its like "
                f"(found {len(pictures)}) and for its masks in ManualMask/leftMask/ (found {len(left)}) "
                f"and rightMask/ (found {len(right)}), here and below"
            )
        for name, path, masks in with_both_lungs(pictures, left, right, inventory):
            _, number, ill = name.split("_")
            inventory.items.append(Item(name, path, masks, f"{self.name}-{number}", LABELS[ill]))
        return inventory

    def extent(self, item: Item) -> tuple[float, float] | None:
        with Image.open(item.image) as picture:
            width, height = picture.size
        # Scaled-down copies of the set circulate under the same names; their pixels have another size.
        return (height * MM, width * MM) if {height, width} == {4020, 4892} else None
