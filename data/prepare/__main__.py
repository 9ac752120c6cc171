"""Turn a public set, as its owner distributes it, into a folder to train on.

    python -m data.prepare montgomery SRC DST      SRC: the unpacked archive (or a folder around or inside it)
    python train.py --dataset_mode masks --dataroot DST

DST gets images/, masks/, splits.csv and dataset.json. Run again, it does only what is missing. Several sets of
lungs can share one DST; train.py's --source picks from them.

    python -m data.prepare masks SRC               checks such a folder, or your own, file by file
"""

import argparse
from collections.abc import Mapping
from pathlib import Path

from data.prepare.assign import SPLITS, deal, from_file, published, torn
from data.prepare.check import add_command as add_check
from data.prepare.convert import Pixels, Written, convert_all
from data.prepare.facades import Facades
from data.prepare.folder import check_free, claim
from data.prepare.jsrt import Jsrt
from data.prepare.lists import describe, earlier, report, write_lists
from data.prepare.montgomery import Montgomery
from data.prepare.shenzhen import Shenzhen
from data.prepare.siim import Siim
from data.prepare.source import Found, Source
from util.errors import UserError, run_script

SOURCES: dict[str, Source] = {s.name: s for s in (Facades(), Jsrt(), Montgomery(), Shenzhen(), Siim())}


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
    command.add_argument("src", type=Path, metavar="SRC", help="folder of the unpacked set")
    command.add_argument("dst", type=Path, metavar="DST", help="new folder, or one that this command began")
    command.add_argument("--size", type=int, help="scale to SIZE x SIZE pixels (default: as large as the mask)")
    command.add_argument(
        "--keep_bits",
        action="store_true",
        help="16-bit PNG where the source has more than 8 bits (default: scaled to 8)",
    )
    command.add_argument(
        "--clahe",
        action="store_true",
        help="equalise the contrast of small regions (CLAHE, clip limit 2, 8 x 8 regions)",
    )
    command.add_argument("--split_file", type=Path, help="your own split: a CSV file with the columns image and split")
    command.add_argument(
        "--split_seed",
        type=int,
        help="draw train, val and test (70, 10, 20 %%) by patient and label with this seed "
        "(default: the published split of the set, else seed 0)",
    )
    command.add_argument(
        "--folds",
        type=int,
        metavar="K",
        help="also deal train and val into K folds, by patient and label, for train.py's --fold",
    )
    command.add_argument("--verbose", action="store_true", help="show the traceback of an error")
    command.set_defaults(run=prepare_source)


def prepare_source(opt: argparse.Namespace) -> None:
    """Fill DST from SRC. UserError: SRC is not this set, DST is not ours, flags that cannot be."""
    if opt.size is not None and not 16 <= opt.size <= 8192:
        raise UserError(f"--size {opt.size}: want 16 to 8192 pixels")
    if opt.folds is not None and opt.folds < 2:
        raise UserError(f"--folds {opt.folds}: want at least 2")
    if opt.split_file and opt.split_seed is not None:
        raise UserError("--split_seed: --split_file already says which image is in which split; leave one away")
    source = SOURCES[opt.set]
    if opt.clahe and source.colour:
        raise UserError(f"--clahe: for grey images; those of {source.name} keep their colour")
    root = source.root(opt.src)
    pixels = Pixels(opt.size, opt.keep_bits, opt.clahe)
    check_free(opt.dst, source, pixels, root)  # before thousands of headers are read
    found = source.find(root)
    if not found.items:
        reasons = "; ".join(f"{len(names)} {why}, such as {names[0]}" for why, names in found.left_out.items() if names)
        raise UserError(f"{root}: no image of {source.name} can be used: {reasons}")
    settings = {
        "split_file": opt.split_file.name if opt.split_file else None,
        "split_seed": opt.split_seed,
        "folds": opt.folds,
    } | vars(pixels)
    earlier_splits, earlier_folds = earlier(opt.dst, source.name, settings)
    # Before anything is converted: a damaged file that is mended later must not move other patients.
    splits, how = _splits(opt, found, earlier_splits)
    folds = {}
    if opt.folds:
        inside = [item for item in found.items if splits[item.id] != "test"]
        if opt.folds > (patients := len({item.patient for item in inside})):
            raise UserError(f"--folds {opt.folds}: train and val have {patients} patients; want at least one a fold")
        folds = deal(inside, {str(k): 1 / opt.folds for k in range(opt.folds)}, opt.split_seed or 0, earlier_folds)
    claim(opt.dst, source, pixels)

    written = []
    for result in convert_all(source, found.items, opt.dst, pixels):
        if isinstance(result, Written):
            written.append(result)
        else:
            found.left_out["damaged"].append(str(result))
    if not written:
        raise UserError(
            f"{root}: none of {len(found.items)} images can be used; the first: {found.left_out['damaged'][0]}"
        )
    _shorten(found, root)
    facts = describe(source, written, splits, found, settings, how)
    write_lists(opt.dst, source, written, splits, folds, facts)
    print(report(opt.dst, source.name, facts))


def _splits(opt: argparse.Namespace, found: Found, earlier: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The split of each id, and in words where it comes from."""
    if opt.split_file:
        splits, unknown = from_file(found.items, opt.split_file)
        found.odd[f"listed in {opt.split_file.name}, but not in this set"] += unknown
        found.odd[f"patients whose images {opt.split_file.name} puts into several splits"] += torn(found.items, splits)
        return splits, f"as {opt.split_file.name} says"
    if opt.split_seed is None and (splits := published(found.items)):
        return splits, "the published split of Gaal et al. 2020"
    seed = opt.split_seed or 0
    return deal(found.items, SPLITS, seed, earlier), f"drawn by patient and label with seed {seed}"


def _shorten(found: Found, root: Path) -> None:
    """Paths below `root` instead of this machine's."""
    for names in (*found.left_out.values(), *found.odd.values()):
        names[:] = [name.replace(f"{root}/", "") for name in names]


if __name__ == "__main__":
    run_script(main)
