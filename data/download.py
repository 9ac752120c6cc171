"""Download published data sets and generators by name.

    python -m data.download --list              all names, and the sets that you must download by hand
    python -m data.download facades             a data set, to datasets/facades
    python -m data.download horse2zebra         the data set and the generator of this name
    python -m data.download zebra2horse         a generator, to checkpoints/zebra2horse_pretrained
    python -m data.download horse2zebra_pretrained    only the generator

If a download was interrupted, run the command again: it continues where it stopped.
"""

import argparse
import difflib
from collections.abc import Iterable
from pathlib import Path

from util.errors import UserError, run_script
from util.fetch.catalogue import DATA_SETS, DONORS, DataSet, Donor, donor
from util.fetch.obtain import flags, next_steps, obtain_data_set, obtain_donor


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m data.download", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="what to download")
    parser.add_argument("--list", action="store_true", help="list all names")
    parser.add_argument(
        "--datasets_dir", type=Path, default=Path("datasets"), help="where data sets go (default: %(default)s)"
    )
    parser.add_argument(
        "--checkpoints_dir", type=Path, default=Path("checkpoints"), help="where generators go (default: %(default)s)"
    )
    parser.add_argument("--verbose", action="store_true", help="show the traceback of an error")
    opt = parser.parse_args()
    if not opt.names and not opt.list:
        parser.error("want a NAME or --list")
    if opt.list:
        print_list(opt.datasets_dir)
    # All names are looked up before the first download, so that a typing error shows at once.
    for item in [item for name in opt.names for item in meant(name)]:
        if isinstance(item, Donor):
            path = obtain_donor(item, opt.checkpoints_dir)
            print(f"{path}: ready; use it with train.py --pretrained {item.name} {flags(item)}")
        else:
            folder = obtain_data_set(item, opt.datasets_dir)
            print(f"{folder}: ready; next: {next_steps(item, folder)}")


def meant(name: str) -> list[DataSet | Donor]:
    """The data set and the generator of this name, or whichever of the two exists. UserError: an unknown name."""
    items = [item for item in (DATA_SETS.get(name), donor(name)) if item]
    if not items:
        near = difflib.get_close_matches(name.lower(), {**DATA_SETS, **DONORS}, n=3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise UserError(f"{name}: no published data set or generator of that name; {hint}--list shows them all")
    return items


def print_list(datasets_dir: Path) -> None:
    print("Data sets")
    for item in DATA_SETS.values():
        size = megabytes(file.size for file in item.files) if item.files else "by hand"
        print(f"  {item.name:<31}{size:>12}  {item.about}")
        if item.by_hand:
            print(f"  {'':<31}{'':>12}  {next_steps(item, datasets_dir / item.name)}")
    print("\nGenerators (train.py --pretrained NAME downloads them too), by the flags that they need")
    for needed in dict.fromkeys(map(flags, DONORS.values())):
        print(f"  {needed}")
        for item in [item for item in DONORS.values() if flags(item) == needed]:
            print(f"    {item.name:<29}{megabytes([item.file.size]):>12}  {item.about}")
    print(f"  --netG unet_256 --ngf 16 --norm batch\n    {'facades_photo2label':<41}  comes with pix2mask")


def megabytes(sizes: Iterable[int | None]) -> str:
    """The sum of sizes in bytes, as text; None is an unknown size."""
    total = 0
    for size in sizes:
        if size is None:
            return "size unknown"
        total += size
    return f"{total / 1e6:,.0f} MB"


if __name__ == "__main__":
    run_script(main)
