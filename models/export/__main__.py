"""Write a trained run as one file that works without pix2mask, and check it against test.py's masks.

    python -m models.export RUN --to onnx           checkpoints/RUN/latest.onnx, for onnxruntime
    python -m models.export RUN --to torchexport    checkpoints/RUN/latest.pt2, for torch.export.load
    python -m models.export RUN --to page           checkpoints/RUN/latest.html, which segments X-rays in a browser

RUN is a name under --checkpoints_dir. Flags of test.py may follow (--epoch best, --mask_threshold auto, --tta, ...);
those you omit are read from the run's options.json. The file is checked on images of phase val, or of --phase.
"""

from __future__ import annotations

import argparse
import contextlib
import sys
import tempfile
from collections.abc import Iterator, Set
from dataclasses import replace
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from models.export import FORMATS
from options.complete.names import existing_run
from options.test import TEST, resolve
from util.commands import CHECKPOINTS_DIR
from util.errors import UserError, run_script
from util.folds.record import refuse_folds

# torch takes seconds to load. It is imported inside functions, which run when the flags are known to be right.
if TYPE_CHECKING:
    import numpy as np

    from data.base import PairedDataset
    from data.loader import Loader

IMAGES = 8
"""The file is checked on so many images."""


def main() -> int:
    args, flags = parse()
    typed = TEST.typed([*flags, "--name", args.run])
    checkpoints_dir = Path(str(typed.get("checkpoints_dir", CHECKPOINTS_DIR)))
    folder = existing_run(checkpoints_dir, args.run, f"run {args.run}")
    refuse_folds(checkpoints_dir, args.run, f"run {args.run}")
    own = {"phase": "val", "num_test": IMAGES, "gpu_ids": "-1"}
    if not (folder / "options.json").is_file():  # a folder of upstream, whose test.py keeps dropout on
        own["stochastic"] = False
    opt = resolve(own | typed)
    path = Path(args.out) if args.out else folder / f"{opt.epoch}.{FORMATS[args.to].extension}"
    if path.exists() and not args.overwrite:
        raise UserError(f"{path} exists already; take another --out, or --overwrite")
    export(args, opt, path, typed.keys())
    return 0


def parse() -> tuple[argparse.Namespace, list[str]]:
    """The flags of this command, and the others, which are test.py's."""
    title, *commands = (__doc__ or "").splitlines()
    parser = argparse.ArgumentParser(
        prog="python -m models.export",
        description=title,
        epilog="\n".join(commands),
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    parser.add_argument("run", nargs="?", default="", metavar="RUN", help="the run; it comes before all flags")
    parser.add_argument("--to", default="", metavar="|".join(FORMATS), help="what is written")
    parser.add_argument("--out", default="", help="the file to write (<checkpoints_dir>/<RUN>/<epoch>.<extension>)")
    parser.add_argument("--overwrite", action="store_true", help="replace a file that exists")
    parser.add_argument("--int8", action="store_true", help="weights of convolutions in 8 bits: a quarter of the size")
    args, flags = parser.parse_known_args()
    if not args.run or sys.argv[1].startswith("-"):
        raise UserError("name a run first: python -m models.export RUN --to onnx (see --help)")
    if "," in args.run:
        raise UserError(f"{args.run}: a file holds one run; name one")
    if args.to not in FORMATS:
        raise UserError(f"--to {args.to or 'nothing'}: choose one of {', '.join(FORMATS)}")
    if args.int8 and args.to == "torchexport":
        raise UserError("--int8: only --to onnx and --to page have it; leave it out")
    return args, flags


def export(args: argparse.Namespace, opt: argparse.Namespace, path: Path, typed: Set[str]) -> None:
    """Write the file, unless its masks differ from test.py's. typed: the flags of test.py that the user typed."""
    from data.enhance import INTENSITY
    from models.export.check import MOST, MOST_INT8, as_input, difference, refuse_different
    from models.export.exported import exported, refuse
    from models.norm_stats import inference
    from util.files import replacing

    refuse(opt)
    form = FORMATS[args.to]
    with images(opt, bool(typed & {"dataroot", "phase", "dataset_mode"})) as (loader, where):
        dataset = loader.dataset
        run = exported(opt, loader, INTENSITY[opt.intensity], "mask_threshold" in typed)
        if args.int8:
            run = replace(run, calibration=[as_input(pixels) for pixels in learnt_from(opt, dataset)])
        with inference(run.whole.net, opt.norm_stats):
            content = resolve_name(form.write)(run)
        apply = resolve_name(form.apply)(content)
        largest = difference(run, apply, lambda index: dataset.read(dataset.samples[index])[0])
    print(f"checked on {largest.images} {where}: probabilities differ by up to {largest.probability:.2g}, ", end="")
    print(f"masks in up to {largest.mask:.4%} of an image's pixels")
    refuse_different(largest, path, MOST_INT8 if args.int8 else MOST)
    with replacing(path, "wb", durable=True) as file:
        file.write(content)
    print(f"{path}: {len(content) / 1e6:.1f} MB")


def learnt_from(opt: argparse.Namespace, checked_on: PairedDataset) -> Iterator[np.ndarray]:
    """Images of phase train, by which --int8 is calibrated or, where they are not on this machine, those that the file
    is checked on."""
    from data import create_dataset

    try:
        dataset = create_dataset(opt, "train", train=False, num_test=2 * IMAGES).dataset
    except UserError:
        dataset = checked_on
    return (dataset.read(sample)[0] for sample in dataset.samples)


@contextlib.contextmanager
def images(opt: argparse.Namespace, chosen: bool) -> Iterator[tuple[Loader, str]]:
    """Images to check the file on, and what they are: the run's own or, where they are not on this machine, drawn ones
    of another size than the network's. chosen: the user said which, so that no drawn ones take their place."""
    from PIL import Image

    from data import create_dataset
    from data.classes import MASKS
    from data.phantom import FIRST
    from data.phantom.chests import chest

    try:
        own = create_dataset(opt, opt.phase, train=False, num_test=opt.num_test)
    except UserError as error:
        if chosen:
            raise
        print(f"{error}; drawn X-rays take the place of the run's images")
    else:
        yield own, f"images of phase {opt.phase}"
        return
    with tempfile.TemporaryDirectory() as folder:
        for index in range(IMAGES):
            drawn, _ = chest(FIRST["val"] + index, size=opt.crop_size * 3 // 2)
            Image.fromarray(drawn[index:]).save(Path(folder) / f"{index}.png")
        classes = opt.classes or (MASKS if opt.dataset_mode == "masks" else None)
        single = {"dataset_mode": "single", "dataroot": folder, "classes": classes}
        yield create_dataset(argparse.Namespace(**vars(opt) | single), opt.phase, train=False), "drawn X-rays"


if __name__ == "__main__":
    run_script(main)
