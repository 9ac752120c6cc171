"""The CMP facade database as its authors distribute it: base/cmp_b0001.jpg + .png + .xml, extended/cmp_x0001.*"""

from pathlib import Path

import numpy as np
from PIL import Image

from data.classes import Classes
from data.prepare.source import Inventory, Item, Source, files_by_name, first_of_each
from data.read.decode import Stored
from util.errors import UserError

PARTS = {"b": "base", "x": "extended"}


class Facades(Source):
    """606 rectified photos of house fronts in colour, 378 `base` (Prague and other sources) and 228 `extended`, each
    with a picture of its twelve classes. Train with --classes facades.

    pix2pix's own 400/100/106 split cannot be restored from the originals: its files have other numbers, and its paper
    only says that the split is random. So the split is drawn, stratified by part.
    """

    name = "facades"
    about = "CMP facades: 606 photos of house fronts, 12 classes (train.py --classes facades)"
    homepage = "https://cmp.felk.cvut.cz/~tylecr1/facade/"
    licence = "for research, citation required; see the homepage"
    citation = (
        "R. Tyleček, R. Šára: Spatial Pattern Templates for Recognition of Objects with Regular Structure. GCPR 2013"
    )
    inner = frozenset({"base", "extended"})
    target = "facades"
    classes = Classes.load("facades")
    colour = True

    def find(self, root: Path) -> Inventory:
        inventory = Inventory()
        photos, labels = (files_by_name(root, rf"cmp_[bx]\d{{4}}\.{suffix}") for suffix in ("jpg", "png"))
        if not photos or not labels:
            raise UserError(
                f"{root}: not the CMP facades: looked for base/cmp_b0001.jpg and its like (found "
                f"{len(photos)}) and for base/cmp_b0001.png (found {len(labels)}), here and below; "
                "pix2pix's own copy (train/1.jpg) needs no preparing: --dataset_mode aligned reads it"
            )
        for lists in files_by_name(root, r"label_names\.txt").values():
            for path in lists:
                self._compare(path)
        label_of = first_of_each(labels, inventory)
        for name, photo in first_of_each(photos, inventory).items():
            if name not in label_of:
                inventory.left_out["no label picture"].append(photo.name)
                continue
            part = PARTS[name[4].lower()]
            inventory.items.append(Item(name, photo, (label_of[name],), f"{self.name}-{name[4:]}", part, part))
        inventory.left_out["a label picture without its photo"] += sorted(labels.keys() - photos.keys())
        return inventory

    def read_mask(self, item: Item, image: Stored | None = None) -> np.ndarray:
        """Class indices 0..11 from the file's labels 1..12. Label 0, which belongs to no class, becomes background."""
        path = item.masks[0]
        try:
            with Image.open(path) as picture:
                indices = np.array(picture) if picture.mode in ("P", "L") else None
        except (OSError, SyntaxError, ValueError) as error:  # Pillow raises these on damaged PNG files
            raise UserError(f"{path}: the image is damaged: {error}") from None
        if indices is None or indices.max() > len(self.classes):
            what = "colours in place of labels" if indices is None else f"labels up to {indices.max()}"
            raise UserError(f"{path}: {what}; CMP's originals hold the labels 0 to {len(self.classes)}")
        return np.maximum(indices, 1) - np.uint8(1)

    def _compare(self, path: Path) -> None:
        """UserError if the set's own list of labels (lines of number, name, drawing order) differs from ours."""
        lines = [line.split() for line in path.read_text(encoding="utf-8", errors="replace").splitlines()]
        listed = {line[0]: line[1].lower() for line in lines if len(line) >= 2 and line[0].isdigit()}
        ours = {str(number): name for number, name in enumerate(self.classes.names, 1)}
        for number, name in ours.items():
            if listed.get(number, name) != name:
                raise UserError(
                    f"{path}: label {number} is {listed[number]!r} there, but {name!r} here: a version of "
                    "the set that this command does not know"
                )
