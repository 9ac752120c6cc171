"""Flags of test.py. Flags you omit are read from the run's options.json."""

import argparse
from pathlib import Path

from options.base import add_base_options, following, settle
from options.flags.types import limit, stretch, whole
from options.parser import Values
from options.recorded import note_unrecorded, read_for_testing
from options.script import Script
from util.errors import UserError


def add_test_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags that only testing has."""
    _add_testing(parser.add_argument_group("testing"))
    _add_applying(parser.add_argument_group("how a run is applied"))


def _add_testing(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--phase", default="test", help="which part of the data to test on (`all`: every image)")
    group.add_argument("--results_dir", default="./results/", help="pages go to <results_dir>/<name>/<phase>_<epoch>")
    group.add_argument(
        "--compare",
        nargs="+",
        metavar="RUN",
        help="instead of --name: apply several runs to the images of the first, side by side on one page in "
        "<results_dir>/compare_<RUN>_<RUN>.../<phase>_<epoch>",
    )
    group.add_argument("--num_test", type=limit, default=float("inf"), help="test only the first images")
    group.add_argument(
        "--surface",
        action="store_true",
        help="also HD95 and average surface distance, in mm where the pixel spacing is known (slower)",
    )
    group.add_argument(
        "--write",
        default="png",
        choices=("png", "dicomseg"),
        help="how masks are written: png, or dicomseg for DICOM Segmentation objects in addition to the PNG files. "
        "Only these objects contain the patient data of their source images, as the standard requires",
    )
    group.add_argument("--aspect_ratio", type=stretch, default=1.0, help="stretch the written pictures' width by this")


def _add_applying(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--eval", action="store_true", help="upstream's flag: the same as --norm_stats running")
    group.add_argument(
        "--task",
        default="own",
        choices=("own", "base", "auto"),
        help="of adapted runs. base: apply only the frozen donor. auto: each image gets the task whose training images "
        "it resembles most, of those of --name A,B,C or of a folder of task files",
    )
    group.add_argument(
        "--within",
        default="",
        metavar="RUN",
        help="another run, such as one that segments lungs, is applied first (its best epoch, if it has one); pixels "
        "outside its masks become background",
    )
    group.add_argument("--tta", action="store_true", help="average the results of each image and its mirror image")
    group.add_argument(
        "--samples",
        type=whole,
        default=0,
        help="average this many passes with dropout on, drawn from --seed, --seed + 1, ...; their standard deviation "
        "becomes a picture of the uncertainty (0: a single pass)",
    )


TEST = Script(
    "Translate images with a trained run, score them, write a page.",
    (add_base_options, add_test_options),
    training=False,
    read_run=read_for_testing,
    defaults={"batch_size": 8, "load_size": None},
    examples="""examples:
  python test.py --name my_lungs                                            the run's own test images
  python test.py --name my_lungs --epoch best --phase val                   its best epoch, on the validation images
  python test.py --name my_lungs --dataset_mode single --dataroot FOLDER    images without masks
  python test.py --compare my_lungs other --phase val                       the same images, one column per run""",
    needed=(
        "name",
        "epoch",
        "phase",
        "dataroot",
        "dataset_mode",
        "compare",
        "tta",
        "mask_threshold",
        "results_dir",
        "gpu_ids",
    ),
)


def parse(argv: list[str] | None = None) -> argparse.Namespace:
    """test.py's options for a single run. UserError: mistakes that the user can correct."""
    return resolve(TEST.typed(argv))


def resolve(typed: Values) -> argparse.Namespace:
    """test.py's options for the run that the typed flags name. UserError: flags that contradict each other."""
    opt = TEST.resolve(typed)
    note_unrecorded(opt)
    if opt.load_size not in (None, opt.crop_size):
        raise UserError(f"--load_size {opt.load_size}: testing scales to --crop_size {opt.crop_size}; change that")
    if opt.patch > opt.crop_size and opt.preprocess == "resize_and_crop":
        raise UserError(
            f"--patch {opt.patch}: larger than the images, which testing scales to --crop_size {opt.crop_size}"
        )
    if opt.samples == 1:
        raise UserError("--samples 1: passes are compared with one another, so take at least 2")
    values = vars(opt) | {"load_size": opt.crop_size}
    if opt.eval and typed.get("stochastic"):
        raise UserError("--eval --stochastic: --eval turns dropout off, --stochastic keeps it on; leave one out")
    if opt.eval:
        values |= {"norm_stats": "running", "stochastic": False}
    return settle(argparse.Namespace(**values))


def in_short(opt: argparse.Namespace) -> str:
    """The options for the console: those that differ from their defaults, which the run's options.json replaces."""
    file = Path(opt.checkpoints_dir) / opt.name / "test_opt.txt"
    differing = TEST.changes(opt, following(opt) | {"load_size": opt.crop_size})
    return f"flags that differ from the defaults (all flags: {file}): {differing}"


def as_text(opt: argparse.Namespace) -> str:
    """The options as upstream prints and stores them (test_opt.txt)."""
    return TEST.as_text(opt)
