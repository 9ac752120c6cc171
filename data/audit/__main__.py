"""Find masks that disagree with what networks draw for images that they have not learnt from.

    python test.py --name lungs --phase val
    python -m data.audit results/lungs/val_latest       a run that was trained on another part
    python -m data.audit results/lungs/out_of_fold      a cross-validation (train.py --fold all): all images

Writes a page with the masks that disagree most to audit/ in the (first) folder of results, and verdicts.csv into the
data set: a line for each image. Write keep, drop or redraw into its column verdict. train.py leaves out images to drop
or redraw; another audit keeps all that you wrote.
"""

import argparse
from pathlib import Path

from util.errors import UserError, run_script


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m data.audit", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("results", nargs="+", type=Path, metavar="RESULTS", help="a folder of results of test.py")
    parser.add_argument("--dataroot", type=Path, help="the data set (default: as the results have recorded)")
    parser.add_argument("--verbose", action="store_true", help="show the traceback of an error")
    opt = parser.parse_args()
    for folder in opt.results:
        if not folder.is_dir():
            raise UserError(f"{folder}: {'a file, not a folder' if folder.exists() else 'no such folder'}")

    from data.audit.run import audit

    audit(opt.results, opt.dataroot)
    return 0


if __name__ == "__main__":
    run_script(main)
