"""pix2mask in a program of your own, by torch.hub or by importing this file.

segmenter = torch.hub.load("PATH or owner/repo", "segmenter", "my_lungs", source="local")
segmentation = segmenter("scan.dcm")
mask, probabilities = segmentation
print(segmentation.confidence)
generator = torch.hub.load("PATH", "generator", "facades_photo2label", source="local")
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

ROOT = Path(__file__).resolve().parent
ROOMS = ("data", "models", "options", "util")
dependencies = ["torch", "numpy", "scipy", "PIL", "pydicom", "imagecodecs", "filelock", "tqdm"]
"""What torch.hub wants to see installed; requirements.txt has the versions, and what else single networks need."""

for room in ROOMS:
    known = sys.modules.get(room)
    if known and ROOT not in Path(str(getattr(known, "__file__", None) or ROOT / room)).resolve().parents:
        raise ImportError(f"pix2mask has a package {room}, and this program another ({known.__file__}): separate them")
if str(ROOT) not in sys.path:  # torch.hub puts it there only while it loads this file; later imports need it too
    sys.path.insert(0, str(ROOT))

from util.errors import UserError  # noqa: E402

if TYPE_CHECKING:  # segment.py --help must not wait for torch
    import torch

    from models.apply.generator import Applied
    from models.apply.segmenter import Segmenter


def segmenter(name: str, checkpoints_dir: str | Path | None = None, **flags: Any) -> Segmenter:
    """A trained run, or an ensemble "A,B,C", as a function of images (`models.apply.segmenter.Segmenter`).

    `segmenter(image)` takes a path, a PIL image, a NumPy array ([H, W] or [H, W, 3] of uint8 or uint16) or a pydicom
    data set. It returns the mask (uint8 [H, W]: 0 and 1, or the index of the class) and the probabilities of foreground
    (float32 [H, W]; None with more than two classes), at the size of the image. A list of images gives a list.

    checkpoints_dir: the folder of the run; by default that of pix2mask. flags: those of segment.py, such as tta=True,
    epoch="best", mask_threshold=0.4, gpu_ids="-1". UserError: no such run, or one that makes no masks.
    """
    from options.segment import resolve

    typed = {"checkpoints_dir": str(checkpoints_dir or ROOT / "checkpoints"), **flags}
    return create_segmenter(resolve(name, typed), typed)


def generator(name: str, checkpoints_dir: str | Path | None = None) -> Applied:
    """A generator by the name that --pretrained takes, such as "facades_photo2label" or "horse2zebra".

    It is a torch module that maps float [N, C, H, W] in [-1, 1] to the same; `generator.network` is the network itself.
    """
    from models.apply.generator import load_generator

    return load_generator(name, Path(checkpoints_dir or ROOT / "checkpoints"))


def create_segmenter(
    runs: Sequence[argparse.Namespace], typed: Mapping[str, object], device: torch.device | None = None
) -> Segmenter:
    """runs: the options of the run, or of those of an ensemble. typed: the flags among them that were typed."""
    from data.classes import Classes
    from data.stream.reader import Reader
    from models.apply.segmenter import Segmenter
    from models.apply.trained import Trained
    from models.apply.translators import shared_input
    from options.runs import resolve_within
    from util.run.device import pick_device

    opt = shared_input(runs)
    device = device or pick_device(opt.gpu_ids)
    # As in test.py, the run of --within keeps the rule of its own options, whatever threshold was chosen for it.
    within = create_segmenter([resolve_within(opt)], {"mask_threshold": "its own"}, device) if opt.within else None
    trained, reader, classes = Trained(runs, device), Reader(opt), Classes.load(opt.classes)
    for one in (classes, within.classes) if within else ():
        if not one.binary:
            raise UserError(
                f"--within {opt.within}: both runs must make masks of two classes (--classes); take another"
            )
    files = within.files if within else []
    rule = trained.chosen_rule(classes, "mask_threshold" in typed, files)
    batch_size = opt.batch_size if "batch_size" in typed else 1 if device.type == "cpu" else 8
    return Segmenter(trained, reader, classes, rule, within, batch_size if reader.one_size else 1)
