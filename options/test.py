"""Flags of test.py. What the command line leaves out comes from the run's options.json."""

import argparse
import sys
from pathlib import Path

from options.base import add_base_options, settle
from options.parser import Parser, with_suffix
from options.parser import parse as parse_flags
from options.types import amount, limit, whole
from util.errors import UserError
from util.files import read_options

# What belongs to the machine or to one training, not to the run's networks and data.
NOT_RECORDED = {
    "phase",
    "load_size",
    "epoch",
    "gpu_ids",
    "num_threads",
    "batch_size",
    "max_dataset_size",
    "serial_batches",
    "verbose",
    "name",
    "suffix",
    "load_iter",
    "checkpoints_dir",
    "skip_bad_files",
    "no_flip",
    "cache_gb",
}
OF_THE_DATA = {"source", "patient_regex", "split_seed", "fold", "train_images"}
# What says which images there are; how a network sees them is its run's own affair.
IMAGES = ("dataroot", "dataset_mode", "phase", "direction", "phantom", "phantom_count", *sorted(OF_THE_DATA))
UPSTREAM_DEFAULTS = {"stochastic": True, "num_test": 50}


def add_test_options(parser: argparse.ArgumentParser) -> None:
    """Add the flags that only testing has."""
    group = parser.add_argument_group("testing")
    group.add_argument("--phase", default="test", help="which part of the data to test on (`all`: every image)")
    group.add_argument("--results_dir", default="./results/", help="pages go to <results_dir>/<name>/<phase>_<epoch>")
    group.add_argument(
        "--compare",
        nargs="+",
        metavar="RUN",
        help="instead of --name: several runs on the images of the first, side by side on one page in "
        "<results_dir>/compare_<RUN>_<RUN>.../<phase>_<epoch>",
    )
    group.add_argument("--num_test", type=limit, default=float("inf"), help="test only the first images")
    group.add_argument("--eval", action="store_true", help="upstream's flag: the same as --norm_stats running")
    group.add_argument(
        "--task",
        default="own",
        choices=("own", "base"),
        help="base: the frozen donor of an adapted run, without what the run added",
    )
    group.add_argument(
        "--surface",
        action="store_true",
        help="also HD95 and average surface distance, in mm where the pixel spacing is known (slower)",
    )
    group.add_argument(
        "--write",
        default="png",
        choices=("png", "dicomseg"),
        help="how masks are written: png, or dicomseg for DICOM Segmentation objects beside the PNG files. Unlike all "
        "else that is written here, these carry the patient data of their source images, as the standard wants",
    )
    group.add_argument(
        "--within",
        default="",
        metavar="RUN",
        help="another run, of lungs for instance, segments each image first (its best epoch, if it has "
        "one): what lies outside is background",
    )
    group.add_argument("--aspect_ratio", type=amount, default=1.0, help="stretch the written pictures' width by this")
    group.add_argument("--tta", action="store_true", help="the mean of every image's result and its mirror image's")
    group.add_argument(
        "--samples",
        type=whole,
        default=0,
        help="passes with dropout alive, drawn from --seed, --seed + 1, ...: their mean is the result, "
        "and their standard deviation a picture of its uncertainty (0: one pass as ever)",
    )
    parser.set_defaults(batch_size=8, load_size=None)


def parse(models: dict[str, type], datasets: dict[str, type], argv: list[str] | None = None) -> argparse.Namespace:
    """test.py's options; UserError for what the user can mend."""
    opt = parse_flags(
        argv,
        "Translate images with a trained run, score them, write a page.",
        [add_base_options, add_test_options],
        models,
        datasets,
        training=False,
        run_defaults=_recorded,
    )
    if opt.load_size not in (None, opt.crop_size):
        raise UserError(f"--load_size {opt.load_size}: testing scales to --crop_size {opt.crop_size}; change that")
    if opt.patch > opt.crop_size and opt.preprocess == "resize_and_crop":
        raise UserError(
            f"--patch {opt.patch}: larger than the images, which testing scales to --crop_size {opt.crop_size}"
        )
    if opt.samples == 1:
        raise UserError("--samples 1: passes are compared with one another, so take at least 2")
    values = vars(opt) | {"load_size": opt.crop_size}
    if opt.eval:
        values |= {"norm_stats": "running", "stochastic": False}
    if learnt := _may_have_learnt(opt):
        print(f"note: {opt.name} was trained {learnt}: images of phase {opt.phase} may be among those it learnt from")
        values["trained"] = learnt
    return settle(argparse.Namespace(**values))


def parse_runs(
    models: dict[str, type], datasets: dict[str, type], argv: list[str] | None = None
) -> list[argparse.Namespace]:
    """test.py's options of every run of `--name A,B,C`; UserError for what the user can mend.

    What the command line says counts for all of them, for the rest each run's own options.json. All read data in the
    way of the first.
    """
    argv = sys.argv[1:] if argv is None else argv
    peek = Parser(add_help=False)
    peek.add_argument("--name", default="")
    listed = peek.parse_known_args(argv)[0].name
    if "," not in listed:
        return [parse(models, datasets, argv)]
    names = [name.strip() for name in listed.split(",")]
    if "" in names or len(set(names)) < len(names):
        raise UserError(f"--name {listed}: want different runs between the commas")
    first = parse(models, datasets, [*argv, "--name", names[0]])
    mode = ["--dataset_mode", first.dataset_mode]
    runs = [first] + [parse(models, datasets, [*argv, "--name", name, *mode]) for name in names[1:]]
    for run in runs:
        _existing(first, run.name, f"--name {listed}")
    return runs


def parse_compared(
    models: dict[str, type], datasets: dict[str, type], argv: list[str] | None = None
) -> list[argparse.Namespace]:
    """test.py's options of each run of `--compare`; [] without the flag. UserError for what the user can mend.

    Networks, and how they see an image, are each run's own; which images, is what the command line says or else what
    the first run recorded.
    """
    argv = sys.argv[1:] if argv is None else argv
    peek = Parser(add_help=False)
    peek.add_argument("--compare", nargs="+", default=[])
    peek.add_argument("--name")
    known, rest = peek.parse_known_args(argv)
    names = known.compare
    if not names or {"-h", "--help"} & {*rest}:
        return []
    if known.name:
        raise UserError(f"--name {known.name}: --compare names the runs; leave --name out, or add it to those")
    if len({*names}) < max(2, len(names)):
        raise UserError(f"--compare {' '.join(names)}: want two or more different runs")
    first = parse(models, datasets, [*rest, f"--name={names[0]}"])
    for flag, given in (
        ("--surface", first.surface),
        ("--write dicomseg", first.write == "dicomseg"),
        ("--aspect_ratio", first.aspect_ratio != 1),
    ):
        if given:
            raise UserError(f"{flag}: --compare does not do that; leave it out, or test one run by --name")
    for name in names:
        _existing(first, name, f"--compare {name}")
    words = _as_words(first, *IMAGES, "num_test")
    return [first, *(parse(models, datasets, [*rest, *words, f"--name={name}"]) for name in names[1:])]


def parse_within(models: dict[str, type], datasets: dict[str, type], opt: argparse.Namespace) -> argparse.Namespace:
    """The options with which --within RUN segments the images of `opt`: those images, and all else as RUN recorded it;
    what its colours mean, if it recorded nothing of it, as for `opt`. UserError: no such run, or one that draws images
    from masks.
    """
    folder = _existing(opt, opt.within, f"--within {opt.within}")
    epoch = "best" if any(folder.glob("best_*_G*.pth")) else "latest"
    words = ["--name", opt.within, "--epoch", epoch] + ["--skip_bad_files"] * opt.skip_bad_files
    images = [flag for flag in IMAGES if flag != "direction"]
    words += _as_words(opt, *images, "max_dataset_size", "checkpoints_dir", "gpu_ids", "num_threads", "batch_size")
    run = parse(models, datasets, words)
    if run.direction == "BtoA":
        raise UserError(f"--within {opt.within}: that run draws images from masks (--direction BtoA); take another")
    return argparse.Namespace(**vars(run) | {"classes": run.classes or opt.classes})


def _existing(opt: argparse.Namespace, run: str, flag: str) -> Path:
    """The folder of a run beside that of `opt`. UserError, beginning with the flag that names it: there is none."""
    folder = Path(opt.checkpoints_dir) / run
    if not folder.is_dir():
        raise UserError(f"{flag}: there is no run {folder}; check the name and --checkpoints_dir")
    return folder


def _as_words(opt: argparse.Namespace, *flags: str) -> list[str]:
    """Those of the flags that `opt` has a value of, for a command line."""
    given = {flag: getattr(opt, flag, None) for flag in flags}
    return [f"--{flag}={value}" for flag, value in given.items() if value is not None]


def _same_folder(one: str, other: object) -> bool:
    return bool(one and other) and Path(one).resolve() == Path(str(other)).resolve()


def _may_have_learnt(opt: argparse.Namespace) -> str:
    """The recorded flags by which a run on the same folder drew its training images otherwise; "": it did not."""
    path = Path(opt.checkpoints_dir) / opt.name / "options.json"
    recorded = read_options(path) if path.is_file() else {}
    if opt.phase == "train" or not _same_folder(opt.dataroot, recorded.get("dataroot")):
        return ""
    flags = ["fold"] if opt.phase == "val" else []
    if not (Path(opt.dataroot) / "splits.csv").is_file():
        flags += ["split_seed", "patient_regex"]
    other = [flag for flag in flags if flag in recorded and recorded[flag] != getattr(opt, flag, recorded[flag])]
    return "with " + " ".join(f"--{flag} {recorded[flag]}" for flag in other) if other else ""


def _recorded(known: argparse.Namespace) -> dict[str, object]:
    """The run's options, or upstream's behaviour for a folder that upstream wrote."""
    path = Path(known.checkpoints_dir) / with_suffix(known) / "options.json"
    if path.is_file():
        recorded = read_options(path)
        # Other data has other hospitals, patients and splits.
        other = known.dataroot and not _same_folder(known.dataroot, recorded.get("dataroot"))
        left = NOT_RECORDED | (OF_THE_DATA if other else set())
        return {key: value for key, value in recorded.items() if key not in left}
    if path.parent.is_dir():
        print(f"{path.parent} has no options.json: upstream's defaults hold (50 images, dropout alive; see --help)")
        return UPSTREAM_DEFAULTS
    return {}
