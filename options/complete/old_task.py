"""The images of the old task, for --adapt ewc and --replay: as the donor recorded them, or as --old_... say."""

import argparse
import math
from pathlib import Path

from options.complete.donor import folder_of_donor
from options.forgetting import DATA
from options.of_data import OF_DATA
from options.parser import holds_masks
from options.recorded import read_run
from options.train import TRAIN
from util.errors import UserError
from util.flags import Fact, flags

DESCRIBING = {*flags(Fact.IMAGES | Fact.OF_THE_DATA), "classes", "intensity", "clahe", "unpaired", "balance"}
"""Flags that say which images there are and what they show. All others, such as sizes, are the new run's own."""


def old_task(opt: argparse.Namespace) -> argparse.Namespace:
    """train.py's options to read the old task's training images as the new run reads its own: in size and channels.

    UserError: nothing says where they are.
    """
    folder = folder_of_donor(opt.pretrained, Path(opt.checkpoints_dir))
    recorded = {name: value for name, value in (read_run(folder) if folder else {}).items() if name in DESCRIBING}
    given = {flag: getattr(opt, f"old_{end}", None) for end, flag in DATA.items()}
    typed = {flag: value for flag, value in given.items() if value}
    if root := str(typed.get("dataroot", "")):  # other images have other sources, patients and splits
        recorded = {name: value for name, value in recorded.items() if name not in flags(Fact.OF_THE_DATA)}
        if recorded.get("dataset_mode", "phantom") == "phantom":  # drawn images are in no folder
            recorded["dataset_mode"] = "masks" if holds_masks(root) else "aligned"
    mode = str(typed.get("dataset_mode") or recorded.get("dataset_mode") or "")
    if not mode or (mode != "phantom" and not (root or recorded.get("dataroot"))):
        raise UserError(
            f"--pretrained {opt.pretrained} does not record which images its task has: name their folder with "
            "--old_data, and --old_mode and --old_classes"
        )
    if mode not in OF_DATA:
        raise UserError(f"--old_mode {mode}: unknown; choose one of {', '.join(OF_DATA)}")
    own = {name: value for name, value in vars(opt).items() if name not in DESCRIBING}
    changed = {"dataset_mode": mode, "unlabelled": "", "unpaired": False, "balance": None, "max_dataset_size": math.inf}
    return argparse.Namespace(**TRAIN.default_values("pix2pix", mode) | own | recorded | typed | changed)
