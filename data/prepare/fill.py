"""Fill DST from a public set: `python -m data.prepare SET SRC DST`."""

import argparse
from collections.abc import Mapping
from pathlib import Path

from data.prepare.assign import SPLITS, deal, from_file, published, torn
from data.prepare.convert import Pixels, Written, convert_all
from data.prepare.folder import check_dialect, check_free, claim
from data.prepare.lists import describe, earlier, earlier_count, report, write_lists
from data.prepare.source import Inventory, Source
from util.errors import UserError


def fill(source: Source, opt: argparse.Namespace) -> None:
    """Convert the set in SRC to DST, write its lists and print a report.

    UserError: SRC is not this set, DST belongs to something else, flags contradict each other, no file can be used.
    """
    _check_flags(source, opt)
    source = source.with_flags(opt)
    root = source.root(opt.src)
    pixels = Pixels(opt.size, opt.keep_bits, opt.clahe)
    check_free(opt.dst, source, pixels, root)  # before thousands of headers are read
    inventory = source.find(root)
    check_dialect(opt.dst, inventory.dialect)
    if not inventory.items:
        reasons = (f"{len(names)} {why}, such as {names[0]}" for why, names in inventory.left_out.items() if names)
        raise UserError(f"{root}: no image of {source.name} can be used: {'; '.join(reasons)}")
    if opt.folds is None:
        opt.folds = earlier_count(opt.dst, source.name)
    split_file = opt.split_file.name if opt.split_file else None
    settings = {"split_file": split_file, "split_seed": opt.split_seed, "folds": opt.folds} | vars(pixels)
    # Splits are drawn before any file is converted. Otherwise a damaged file, once repaired, would move other patients.
    earlier_splits, earlier_folds = earlier(opt.dst, source.name, settings)
    splits, how = _splits(opt, inventory, earlier_splits)
    folds = _folds(opt, inventory, splits, earlier_folds) if opt.folds else {}
    claim(opt.dst, source, pixels, root, inventory.dialect)
    written = _convert(source, inventory, root, opt.dst, pixels)
    facts = describe(source, written, splits, inventory, settings, how)
    write_lists(opt.dst, source, written, splits, folds, facts)
    print(report(opt.dst, source.name, facts))


def _check_flags(source: Source, opt: argparse.Namespace) -> None:
    if opt.size is not None and not 16 <= opt.size <= 8192:
        raise UserError(f"--size {opt.size}: want 16 to 8192 pixels")
    if opt.folds is not None and opt.folds < 2:
        raise UserError(f"--folds {opt.folds}: want at least 2")
    if opt.split_file and opt.split_seed is not None:
        raise UserError("--split_seed: --split_file already says which image is in which split; leave one out")
    if opt.clahe and source.colour:
        raise UserError(f"--clahe: for grey images; those of {source.name} keep their colour")


def _splits(opt: argparse.Namespace, inventory: Inventory, before: Mapping[str, str]) -> tuple[dict[str, str], str]:
    """The split of each id, and a phrase that says where it comes from."""
    if opt.split_file:
        name = opt.split_file.name
        splits, unknown = from_file(inventory.items, opt.split_file)
        inventory.odd[f"listed in {name}, but not in this set"] += unknown
        inventory.odd[f"patients whose images {name} puts into several splits"] += torn(inventory.items, splits)
        return splits, f"as {name} says"
    if opt.split_seed is None and inventory.splits:
        return inventory.splits, "that of SRC"
    if opt.split_seed is None and (splits := published(inventory.items)):
        return splits, "the published split of Gaal et al. 2020"
    seed = opt.split_seed or 0
    return deal(inventory.items, SPLITS, seed, before), f"drawn by patient and label with seed {seed}"


def _folds(
    opt: argparse.Namespace, inventory: Inventory, splits: Mapping[str, str], before: Mapping[str, str]
) -> dict[str, str]:
    """The fold of each id in train and val."""
    inside = [item for item in inventory.items if splits[item.id] != "test"]
    if opt.folds > (patients := len({item.patient for item in inside})):
        raise UserError(f"--folds {opt.folds}: train and val have {patients} patients; want at least one a fold")
    return deal(inside, {str(k): 1 / opt.folds for k in range(opt.folds)}, opt.split_seed or 0, before)


def _convert(source: Source, inventory: Inventory, root: Path, dst: Path, pixels: Pixels) -> list[Written]:
    """Convert all items. Damaged ones are listed in `inventory` as left out."""
    written = []
    for result in convert_all(source, inventory.items, dst, pixels):
        if isinstance(result, Written):
            written.append(result)
        else:
            inventory.left_out["damaged"].append(str(result))
    if not written:
        first = inventory.left_out["damaged"][0]
        raise UserError(f"{root}: none of {len(inventory.items)} images can be used; the first: {first}")
    # The lists name files by their paths below `root`: where this machine keeps them does not belong there.
    for names in (*inventory.left_out.values(), *inventory.odd.values()):
        names[:] = [name.replace(f"{root}/", "") for name in names]
    return written
