"""The Montgomery County chest X-ray set (NLM): MontgomerySet/CXR_png and ManualMask/leftMask, rightMask."""

from pathlib import Path

from PIL import Image

from data.prepare.source import Found, Item, Source, files_by_name, first_of_each
from util.errors import UserError

JAEGER = ("S. Jaeger, S. Candemir, S. Antani, Y. X. Wang, P. X. Lu, G. Thoma: Two public chest X-ray datasets for "
          "computer-aided screening of pulmonary diseases. Quant Imaging Med Surg 4(6), 2014")
CANDEMIR = ("S. Candemir et al.: Lung segmentation in chest radiographs using anatomical atlases with nonrigid "
            "registration. IEEE Trans Med Imaging 33(2), 2014")
LABELS = {"0": "normal", "1": "tuberculosis"}
"""By the last digit of a name, here and in the Shenzhen set."""
MM = 0.0875
"""Per pixel, in the originals."""

NAME = r"MCUCXR_(\d{4})_([01])\.png"


class Montgomery(Source):
    """138 X-rays of 4020 x 4892 or 4892 x 4020 pixels, 8 bits, one per patient, 58 of them with tuberculosis. A mask
    for each lung; both together are the mask."""

    name = "montgomery"
    about = "Montgomery County: 138 X-rays, lungs, tuberculosis"
    homepage = "https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/"
    licence = "released by the U.S. National Library of Medicine for research and education; citation required"
    citation = f"{JAEGER}; {CANDEMIR}"
    inner = frozenset({"CXR_png", "ManualMask", "leftMask", "rightMask", "ClinicalReadings"})

    def find(self, root: Path) -> Found:
        found = Found()
        files = files_by_name(root, NAME)
        sides = {side: {name: hits for name, paths in files.items()
                        if (hits := [p for p in paths if p.parent.name.lower() == f"{side}mask"])}
                 for side in ("left", "right")}
        pictures = {name: hits for name, paths in files.items()
                    if (hits := [p for p in paths if p.parent.name.lower() not in ("leftmask", "rightmask")])}
        if not pictures or not any(sides.values()):
            raise UserError(f"{root}: not the Montgomery set: looked for CXR_png/MCUCXR_0001_0.png and its like "
                            f"(found {len(pictures)}) and for ManualMask/leftMask/ (found {len(sides['left'])}) and "
                            f"rightMask/ (found {len(sides['right'])}), here and below")
        left, right = (first_of_each(sides[side], found) for side in ("left", "right"))
        for name, path in first_of_each(pictures, found).items():
            if name not in left or name not in right:
                missing = " and ".join(s for s, masks in (("left", left), ("right", right)) if name not in masks)
                found.left_out[f"no mask of the {missing} lung"].append(path.name)
                continue
            _, number, ill = name.split("_")
            found.items.append(Item(name, path, (left[name], right[name]), f"{self.name}-{number}",
                                    LABELS[ill]))
        found.left_out["a mask without its image"] += sorted((left.keys() | right.keys()) - pictures.keys())
        return found

    def extent(self, item: Item) -> tuple[float, float] | None:
        with Image.open(item.image) as picture:
            width, height = picture.size
        # Others have scaled the set down and passed it on under the same names.
        return (height * MM, width * MM) if {height, width} == {4020, 4892} else None
