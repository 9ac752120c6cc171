"""Write phantoms as files, in the layout that your own data should have.

python -m data.phantom OUT                      chests: images/, masks/, splits.csv (--dataset_mode masks)
python -m data.phantom OUT --phantom pneumothorax    the same chests, half of them with air beside the lung as the mask
python -m data.phantom OUT --phantom facades    train/, val/, test/, photo beside labels (--dataset_mode aligned)
"""

import argparse
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
from PIL import Image

from data.classes import Classes
from data.phantom import FIRST, KINDS, add_phantom_options, check_count, indices
from util.errors import UserError, run_script
from util.files import write_text


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m data.phantom", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("out", type=Path, metavar="OUT", help="new or empty folder")
    add_phantom_options(parser)
    parser.add_argument("--size", type=int, default=256, help="width and height in pixels (default: %(default)s)")
    opt = parser.parse_args()
    check_count(opt.phantom_count)
    if opt.size < 16:
        raise UserError(f"--size {opt.size}: want at least 16 pixels")
    if opt.out.exists() and (not opt.out.is_dir() or any(opt.out.iterdir())):
        raise UserError(f"{opt.out}: exists and is not an empty folder; name a new one")
    if opt.phantom == "facades":
        write_facades(opt.out, opt.phantom_count, opt.size)
    else:
        write_chests(opt.out, opt.phantom_count, opt.size, opt.phantom)
    print(f"{opt.out}: phantom {opt.phantom} for --dataset_mode {'aligned' if opt.phantom == 'facades' else 'masks'}")


def write_chests(out: Path, count: int, size: int, kind: str = "chests") -> None:
    """Write X-rays and masks {0, 255} as grey PNG, and splits.csv with the phase of each image."""
    draw = resolve_name(KINDS[kind][0])
    for folder in ("images", "masks"):
        (out / folder).mkdir(parents=True)
    rows = ["image,mask,source,split,patient\n"]
    for phase in FIRST:
        for index in indices(phase, count):
            image, mask = draw(index, size=size)
            name = f"chest_{index:07d}"
            Image.fromarray(image).save(out / "images" / f"{name}.png")
            Image.fromarray(mask * np.uint8(255)).save(out / "masks" / f"{name}.png")
            rows.append(f"images/{name}.png,masks/{name}.png,phantom,{phase},{name}\n")
    write_text(out / "splits.csv", "".join(rows))


def write_facades(out: Path, count: int, size: int) -> None:
    """Write photo (left) and label colours (right) as RGB PNG. JPEG would blur the colours of the labels."""
    drawer, name = KINDS["facades"]
    draw = resolve_name(drawer)
    classes = Classes.load(name)
    for phase in FIRST:
        (out / phase).mkdir(parents=True)
        for index in indices(phase, count):
            photo, labels = draw(index, size=size)
            pair = np.concatenate([photo, classes.encode(labels)], axis=1)
            Image.fromarray(pair).save(out / phase / f"facade_{index:07d}.png")


if __name__ == "__main__":
    run_script(main)
