"""The Shenzhen chest X-ray set (NLM), ChinaSet_AllFiles/CXR_png, with the lung masks of Stirenko et al."""

from pathlib import Path

from data.prepare.montgomery import JAEGER, LABELS
from data.prepare.source import PICTURE, Inventory, Item, Source, files_by_name, first_of_each
from util.errors import UserError

STIRENKO = (
    "S. Stirenko et al.: Chest X-ray analysis of tuberculosis by deep learning with segmentation and "
    "augmentation. IEEE ELNANO 2018"
)


class Shenzhen(Source):
    """662 X-rays of up to 3000 x 3000 pixels, 8 bits, one per patient, 336 of them with tuberculosis. 566 have a
    mask (a separate download: CHNCXR_0001_0_mask.png). Images without a mask are left out and listed."""

    name = "shenzhen"
    about = "Shenzhen: 662 X-rays, tuberculosis, 566 of them with lungs"
    homepage = "https://data.lhncbc.nlm.nih.gov/public/Tuberculosis-Chest-X-ray-Datasets/"
    licence = (
        "images: released by the U.S. National Library of Medicine for research and education, citation "
        "required; masks: CC BY-NC-SA 4.0"
    )
    citation = f"{JAEGER}; {STIRENKO}"
    inner = frozenset({"CXR_png", "ClinicalReadings"})

    def find(self, root: Path) -> Inventory:
        inventory = Inventory()
        pictures = files_by_name(root, r"CHNCXR_\d{4}_[01]" + PICTURE)
        masks = files_by_name(root, r"CHNCXR_\d{4}_[01]_mask\.png")
        if not pictures or not masks:
            raise UserError(
                f"{root}: not the Shenzhen set with masks: looked for CHNCXR_0001_0.png and its like "
                f"(found {len(pictures)}) and for CHNCXR_0001_0_mask.png (found {len(masks)}), here and "
                "below; images and masks are two downloads: name a folder that holds both"
            )
        mask_of = {name.casefold(): path for name, path in first_of_each(masks, inventory).items()}
        for name, path in first_of_each(pictures, inventory).items():
            mask = mask_of.get(f"{name}_mask".casefold())
            if mask is None:
                inventory.left_out["no mask"].append(path.name)
                continue
            _, number, ill = name.split("_")
            inventory.items.append(Item(name, path, (mask,), f"{self.name}-{number}", LABELS[ill]))
        known = {f"{name}_mask".casefold() for name in pictures}
        strays = sorted(name[: -len("_mask")] for name in masks if name.casefold() not in known)
        inventory.left_out["a mask without its image"] += strays
        return inventory
