"""Flags and defaults that a data set (--dataset_mode) brings."""

import argparse
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from data.classes import MASKS
from data.phantom import KINDS, add_phantom_options
from options.flags.of_models import no_flags
from options.flags.types import fold


@dataclass(frozen=True)
class DataFlags:
    """add: adds the flags of this data set. defaults: values for flags that neither the command line nor
    the run gives. model: the --model that suits it."""

    model: str
    defaults: Mapping[str, object] = field(default_factory=dict)
    add: Callable[[argparse._ArgumentGroup], None] = no_flags


def _add_masks(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--source", default="", help="use only these sources of splits.csv (separate them by commas)")
    group.add_argument("--split_seed", type=int, default=0, help="seed of the split, if there is no splits.csv")
    group.add_argument(
        "--fold",
        type=fold,
        default=-1,
        metavar="N|all",
        help="cross-validation: keep this fold of splits.csv aside (phase out_of_fold), and train and validate on the "
        "others (-1: use the column split). all: train every fold, then score each image by the run that has not seen "
        "it",
    )
    group.add_argument(
        "--train_images",
        type=int,
        default=0,
        help="train on this many images only, drawn by --split_seed (0: all)",
    )
    group.add_argument(
        "--unlabelled",
        default="",
        metavar="FOLDER|rest",
        help="also learn from images without masks: those of a folder, or `rest`: all training images of --dataroot "
        "that do not train with a mask (beyond --train_images, of other sources, without a mask)",
    )
    group.add_argument(
        "--unpaired",
        action="store_true",
        help="train as if no image had a mask of its own: images and masks come from different patients",
    )
    group.add_argument(
        "--patient_regex",
        default="",
        help="regular expression that finds the patient in an image's name (its first group, or the whole match); "
        "default: the column patient of splits.csv, or a DICOM file's patient ID, or each image is its own patient",
    )


OF_DATA = {
    "unaligned": DataFlags("cycle_gan"),
    "aligned": DataFlags("pix2pix"),
    "masks": DataFlags("pix2pix", {"classes": MASKS}, _add_masks),
    "single": DataFlags("test"),
    "phantom": DataFlags("pix2pix", {"classes": KINDS["chests"][1]}, add_phantom_options),
}
"""By the keys of `data.DATASETS`."""
