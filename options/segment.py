"""The command line of segment.py: a run, images, and where masks go. All else is read from the run's options.json."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from data.stream import WRITERS
from options.complete.help import with_default
from options.complete.names import existing_run
from options.parser import Parser, Values, checked
from options.recorded import tasks_in_folder
from options.runs import resolve_named
from options.test import TEST
from util.errors import UserError

OF_TEST = (
    "checkpoints_dir",
    "epoch",
    "gpu_ids",
    "seed",
    "num_threads",
    "batch_size",
    "classes",
    "mask_threshold",
    "fill_holes",
    "min_area",
    "keep_largest",
    "within",
    "task",
    "tta",
    "samples",
    "verbose",
)
"""Flags of test.py that segment.py has too, with the same meaning."""

IN_OTHER_WORDS = {
    "seed": "seed of the dropout of --samples",
    "task": "of adapted runs. base: apply only the frozen donor. auto: each image gets the task whose training images "
    "it resembles most, of those of RUN,RUN,... or of a folder of task files",
    "samples": "average this many passes with dropout on, drawn from --seed, --seed + 1, ... (0: a single pass)",
}
"""Help for flags whose text in test.py speaks of what segment.py does not have."""


@dataclass(frozen=True)
class Asked:
    """What was typed. runs: the options of the run, or of those of an ensemble. typed: flags of test.py that were
    typed, by name. out: None for masks beside their images. write: keys of `data.stream.WRITERS`."""

    runs: list[argparse.Namespace]
    typed: Values
    paths: list[str]
    out: Path | None
    write: tuple[str, ...]
    overwrite: bool


def parse(argv: Sequence[str] | None = None) -> Asked:
    """UserError: mistakes that the user can correct."""
    parser = _parser()
    typed = vars(parser.parse_all(list(argv) if argv is not None else None, {}))
    own = {name: typed.pop(name, None) for name in ("run", "paths", "out", "write", "overwrite")}
    runs = resolve(str(own["run"]), typed)
    write = own["write"] or ("png",)
    return Asked(runs, typed, own["paths"], own["out"], write, bool(own["overwrite"]))


def resolve(names: str, typed: Values) -> list[argparse.Namespace]:
    """test.py's options of the run `names`, or of the runs A,B,C, for images without masks.

    typed: flags among `OF_TEST`. UserError: no such run, one that makes no masks, or flags that nothing could use.
    """
    if unknown := [name for name in typed if name not in OF_TEST]:
        raise UserError(f"unknown flag {unknown[0]} for a segmenter; there are {', '.join(OF_TEST)}")
    typed = checked(typed, TEST.all_flags(), "a segmenter's flags")
    checkpoints = Path(str(typed.get("checkpoints_dir") or TEST.all_flags().defaults()["checkpoints_dir"]))
    for name in names.split(","):
        existing_run(checkpoints, name.strip(), f"run {name}")
    runs = resolve_named({**typed, "name": names, "dataset_mode": "single"})
    for run in runs:
        if why := _why_no_masks(run):
            raise UserError(f"run {run.name} {why}")
    return runs


def _why_no_masks(run: argparse.Namespace) -> str:
    """Why a run is no segmenter; "" if it is one."""
    if run.direction == "BtoA":
        return "draws images from masks (--direction BtoA); name one that was trained the other way round"
    if run.classes is None and (tasks := tasks_in_folder(Path(run.checkpoints_dir) / run.name)):
        return f"holds the tasks {', '.join(tasks)}: name one with --epoch, or let each image find its own: --task auto"
    if run.classes is None:
        return (
            "turns pictures into pictures, not into masks (it recorded no --classes); name a run that was trained on "
            "masks, or say what its colours mean, such as --classes lungs"
        )
    if run.classes == "facades":
        return "labels house fronts (--classes facades); it is a donor to start from: train.py --pretrained"
    return ""


def _parser() -> Parser:
    parser = Parser(
        description="Write the masks of images by a trained run. How images are read and masks are made is what the "
        "run recorded; a default below holds where it recorded nothing. Masks have the size of their images.",
        epilog="Exit code 0: every image has its mask. 2: a mistake in the command, or no mask at all. 3: some images "
        "could not be segmented; --out's manifest.csv says why. More: docs/scale.md.",
        argument_default=argparse.SUPPRESS,
    )
    parser.fromfile_prefix_chars = None  # @LIST is a list of images here, not of flags
    parser.add_argument("run", metavar="RUN", help="a run in --checkpoints_dir, or an ensemble RUN,RUN,...")
    parser.add_argument(
        "paths",
        metavar="PATH",
        nargs="+",
        help="an image (DICOM too), a folder of images, @LIST for a file with one path a line, or - for paths on stdin",
    )
    group = parser.add_argument_group("masks")
    group.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        help="folder of the masks and of manifest.csv; it repeats the sub-folders of a folder of images. A command "
        "that was killed goes on if it is repeated. Default, for single images only: beside each image",
    )
    group.add_argument(
        "--write",
        type=_kinds,
        metavar="KIND,...",
        help="png: x_mask.png (default); rle: x_mask.json, run lengths as COCO writes them; dicomseg: x_mask.dcm, a "
        "DICOM Segmentation object, which repeats the patient data of its image; several: png,rle",
    )
    group.add_argument(
        "--overwrite",
        action="store_true",
        help="replace mask files that this command has not written, and try again the images that had failed in --out "
        "(an --out of another run or of other flags stays refused)",
    )
    _add_flags_of_test(parser)
    return parser


def _add_flags_of_test(parser: Parser) -> None:
    of_test = TEST.all_flags().actions()
    for name in OF_TEST:
        action = of_test[name]
        action.help = with_default(action, IN_OTHER_WORDS.get(name, action.help or ""))
        action.default = argparse.SUPPRESS
        parser._add_action(action)  # argparse has no public way to give a flag to a second parser


def _kinds(word: str) -> tuple[str, ...]:
    kinds = tuple(dict.fromkeys(kind.strip() for kind in word.split(",")))
    if unknown := [kind for kind in kinds if kind not in WRITERS]:
        raise argparse.ArgumentTypeError(f"{unknown[0]!r}: choose from {', '.join(WRITERS)}")
    return kinds
