"""Turn a public set, as its owner distributes it, into a folder to train on.

    python -m data.prepare montgomery SRC DST      SRC: the unpacked archive (or a folder around or inside it)
    python train.py --dataset_mode masks --dataroot DST

DST gets images/, masks/, splits.csv and dataset.json. If you run the command again, it only adds what is missing.
Several sets of lungs can share one DST; train.py's --source picks from them.

    python -m data.prepare sides SRC DST           from such a folder of lungs: left and right lung as two classes
    python -m data.prepare masks SRC               checks such a folder, or your own, file by file
    python -m data.prepare masks SRC --folds 5     also writes folds for a cross-validation into SRC/splits.csv
"""

import argparse
from pathlib import Path

from data.prepare.facades import Facades
from data.prepare.jsrt import Jsrt
from data.prepare.montgomery import Montgomery
from data.prepare.shenzhen import Shenzhen
from data.prepare.sides import Sides
from data.prepare.siim import Siim
from data.prepare.source import Source
from util.errors import run_script

# Only names and help texts are needed here: torch and the code that converts are imported once a command runs.
SOURCES: dict[str, Source] = {s.name: s for s in (Facades(), Jsrt(), Montgomery(), Shenzhen(), Siim(), Sides())}


def main() -> int | None:
    parser = argparse.ArgumentParser(
        prog="python -m data.prepare", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="set", metavar="SET", required=True)
    for source in SOURCES.values():
        add_source(commands, source)
    add_check(commands)
    opt = parser.parse_args()
    return opt.run(opt)


def add_source(commands: argparse._SubParsersAction, source: Source) -> None:
    command = commands.add_parser(source.name, help=source.about, description=source.__doc__)
    add = command.add_argument
    add("src", type=Path, metavar="SRC", help="folder of the unpacked set")
    add("dst", type=Path, metavar="DST", help="a new folder, or one that this command has filled before")
    add("--size", type=int, help="scale to SIZE x SIZE pixels (default: the size of the mask)")
    add("--keep_bits", action="store_true", help="16-bit PNG if the source has more than 8 bits (default: scale to 8)")
    add("--clahe", action="store_true", help="equalise contrast by region (CLAHE, clip limit 2, 8 x 8 regions)")
    add("--split_file", type=Path, help="your own split: a CSV file with the columns image and split")
    seed = "draw train, val and test (70, 10, 20 %%) by patient and label with this seed"
    add("--split_seed", type=int, help=f"{seed} (default: the split that the set comes with, else seed 0)")
    folds = "also divide train and val into K folds, by patient and label, for train.py's --fold"
    add("--folds", type=int, metavar="K", help=folds)
    add("--verbose", action="store_true", help="show the traceback of an error")
    source.add_flags(command)
    command.set_defaults(run=prepare)


def prepare(opt: argparse.Namespace) -> None:
    from data.prepare.fill import fill

    fill(SOURCES[opt.set], opt)


def add_check(commands: argparse._SubParsersAction) -> None:
    command = commands.add_parser(
        "masks",
        help="check your own folder of images and masks",
        description="Check a folder of images/, masks/ and perhaps splits.csv, file by file. Only --folds writes. "
        "Exit code 0: no errors, 1: errors, 2: no such folder.",
    )
    command.add_argument("src", type=Path, metavar="SRC", help="the folder, as in train.py's --dataroot")
    command.add_argument("--classes", default="lungs", help="as in train.py (default: %(default)s)")
    command.add_argument("--patient_regex", default="", help="as in train.py")
    folds = "then divide the images into K folds, by patient, for train.py --fold all; written to SRC/splits.csv"
    command.add_argument("--folds", type=int, metavar="K", help=folds)
    command.add_argument("--verbose", action="store_true", help="show the traceback of an error")
    command.set_defaults(run=check)


def check(opt: argparse.Namespace) -> int:
    from data.prepare.check import check_folder

    return check_folder(opt.src, opt.classes, opt.patient_regex, opt.folds)


if __name__ == "__main__":
    run_script(main)
