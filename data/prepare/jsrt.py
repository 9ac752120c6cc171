"""The JSRT set of lung nodules, 12-bit raw files, with the lung masks of the SCR database."""

from pathlib import Path

import numpy as np

from data.prepare.source import Inventory, Item, Source, files_by_name, in_folders, with_both_lungs
from util.errors import UserError

WHITE = 4095
MM = 0.175
"""Per pixel of the raw files (the SCR database's data description)."""


class Jsrt(Source):
    """247 X-rays scanned from film, one per patient, 154 of them (JPCLN) with a nodule: 2048 x 2048 pixels, 12 bits,
    raw. The masks of the SCR database (scratch/fold1, fold2: left lung, right lung) have 1024 x 1024 pixels. Unless
    --size is given, images are scaled down to that, because scaling the masks up would invent detail."""

    name = "jsrt"
    about = "JSRT with SCR: 247 X-rays of 12 bits, lungs, nodules"
    homepage = "http://db.jsrt.or.jp/eng.php and https://www.isi.uu.nl/Research/Databases/SCR/"
    licence = (
        "images: JSRT, free for research; masks: SCR, free for research and education, no redistribution, no "
        "commercial use; citation of both required"
    )
    citation = (
        "J. Shiraishi et al.: Development of a digital image database for chest radiographs with and without a "
        "lung nodule. AJR 174, 2000; B. van Ginneken, M. B. Stegmann, M. Loog: Segmentation of anatomical "
        "structures in chest radiographs using supervised methods. Med Image Anal 10(1), 2006"
    )
    inner = frozenset({"All247images", "Nodule154images", "NonNodule93images"})
    side = 2048

    def find(self, root: Path) -> Inventory:
        inventory = Inventory()
        pictures = files_by_name(root, r"JPC(LN|NN)\d{3}\.IMG")
        drawn = files_by_name(root, r"JPC(LN|NN)\d{3}\.(gif|tiff?|png)")  # Zenodo's copy of SCR may not be GIF
        left, right = in_folders(drawn, "left lung"), in_folders(drawn, "right lung")
        if not pictures or not (left or right):
            raise UserError(
                f"{root}: not the JSRT set with SCR's masks: looked for JPCLN001.IMG and its like (found "
                f"{len(pictures)}) and for their masks 'left lung/JPCLN001.gif' (found {len(left)}) and "
                f"'right lung/' (found {len(right)}), here and below; images and masks are two downloads: "
                "name a folder that holds both"
            )
        for name, path, masks in with_both_lungs(pictures, left, right, inventory):
            label = "nodule" if name.upper().startswith("JPCLN") else "no nodule"
            inventory.items.append(Item(name, path, masks, patient=name, label=label))
        return inventory

    def read(self, item: Item) -> tuple[np.ndarray, np.ndarray]:
        """The image [2048, 2048], uint16, and its mask [1024, 1024]."""
        return read_raw(item.image, self.side), self.read_mask(item)

    def extent(self, item: Item) -> tuple[float, float]:
        return self.side * MM, self.side * MM


def read_raw(path: Path, side: int) -> np.ndarray:
    """Read a JSRT file: `side` x `side` 12-bit values as big-endian uint16 without a header, where 0 is white. Returns
    uint16 [side, side] from black (0) to white (65535). UserError: not such a file."""
    try:
        raw = np.fromfile(path, ">u2")
    except OSError as error:
        raise UserError(f"{path}: cannot be read: {error.strerror}") from None
    if path.stat().st_size != 2 * side * side:
        raise UserError(
            f"{path}: {path.stat().st_size} bytes; a raw image of {side} x {side} 12-bit values has {2 * side * side}"
        )
    if (raw > WHITE).mean() > 0.01:  # a few values beyond 12 bits are clipped
        raise UserError(f"{path}: values up to {raw.max()}; want 12 bits (0 to {WHITE}) in big-endian order")
    scale = np.round(np.arange(WHITE, -1, -1) * (65535 / WHITE)).astype(np.uint16)
    return scale[np.minimum(raw, WHITE)].reshape(side, side)
