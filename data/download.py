"""Download published data sets and generators by name.

    python -m data.download --list              what there is, and what has to be fetched by hand
    python -m data.download facades             a data set, to datasets/facades
    python -m data.download horse2zebra         a name of both: the data set and the generator
    python -m data.download zebra2horse         a generator, to checkpoints/zebra2horse_pretrained
    python -m data.download horse2zebra_pretrained    only the generator

A download that was cut goes on where it stopped when the command is run again.
"""

import argparse
import difflib
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
    # All names are looked up before anything is fetched.
    for item in [item for name in opt.names for item in meant(name)]:
        if isinstance(item, Donor):
            path = obtain_donor(item, opt.checkpoints_dir)
            print(f"{path}: is there; train.py --pretrained {item.name} {flags(item)}")
        else:
            folder = obtain_data_set(item, opt.datasets_dir)
            print(f"{folder}: is there; next: {next_steps(item, folder)}")


def meant(name: str) -> list[DataSet | Donor]:
    """What a name stands for: a data set, a generator or one of each. UserError for an unknown name."""
    found = [item for item in (DATA_SETS.get(name), donor(name)) if item]
    if not found:
        near = difflib.get_close_matches(name.lower(), {**DATA_SETS, **DONORS}, n=3)
        hint = f"did you mean {' or '.join(near)}? " if near else ""
        raise UserError(f"{name}: no published data set or generator of that name; {hint}--list shows them all")
    return found


def print_list(datasets_dir: Path) -> None:
    print("Data sets")
    for item in DATA_SETS.values():
        sizes = [file.size for file in item.files]
        size = "by hand" if not sizes else "size unknown" if None in sizes else f"{sum(sizes) / 1e6:,.0f} MB"
        print(f"  {item.name:<31}{size:>12}  {item.about}")
        if item.by_hand:
            print(f"  {'':<31}{'':>12}  {next_steps(item, datasets_dir / item.name)}")
    print("\nGenerators (train.py --pretrained NAME downloads them too), by the flags that they need")
    for make in dict.fromkeys(map(flags, DONORS.values())):
        print(f"  {make}")
        for item in [item for item in DONORS.values() if flags(item) == make]:
            size = f"{item.file.size / 1e6:,.0f} MB" if item.file.size else "size unknown"
            print(f"    {item.name:<29}{size:>12}  {item.about}")
    print(f"  --netG unet_256 --ngf 16 --norm batch\n    {'facades_photo2label':<41}  comes with pix2mask")


if __name__ == "__main__":
    run_script(main)
