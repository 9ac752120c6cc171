"""How often an image finds its own task (test.py --task auto), and how often an image of another kind is noticed.

    python -m benchmarks.trust.which_task --donor facades_photo2label --lungs LUNGS --facades FACADES [--size 256]

Each task is described by its training images, at most 400; a quarter of them is left out and chosen for (train). With
--val the images of phase val are chosen for instead; facades have a phase test in its place. Nothing is trained,
because what a task file says of its images does not depend on the training. LUNGS: a folder with images/, masks/ and
splits.csv, whose sources are montgomery and shenzhen. FACADES: upstream's, with train/ and test/.
"""

import argparse
from pathlib import Path

import numpy as np
import torch

from benchmarks.runs import markdown, parser
from data import inputs_of
from models.apply.generator import load_generator
from models.networks.generator import Generator
from models.piggyback.inputs import PARTS, Chooser, Inputs, features
from options.train import TRAIN
from util.errors import run_script


def main() -> None:
    flags = parser(__doc__)
    flags.add_argument("--donor", default="facades_photo2label")
    flags.add_argument("--checkpoints_dir", type=Path, default=Path("checkpoints"))
    flags.add_argument("--lungs", required=True)
    flags.add_argument("--facades", required=True)
    flags.add_argument("--size", type=int, default=256)
    flags.add_argument("--val", action="store_true")
    args = flags.parse_args()
    net = load_generator(args.donor, args.checkpoints_dir).network.eval()
    known, new = {}, {}
    for name, data in sets(args.lungs, args.facades).items():
        known[name] = seen(net, data, "train", args.size)
        if args.val:
            new[name] = seen(net, data, "test" if name == "facades" else "val", args.size)
        else:
            left_out = np.arange(len(known[name])) % PARTS == 0
            known[name], new[name] = known[name][~left_out], known[name][left_out]
    print(markdown(["images", "number", *known, "right", "unlike all", "unlike the others"], rows(known, new)))


def sets(lungs: str, facades: str) -> dict[str, dict[str, object]]:
    """The flags of each task's images."""
    return {
        "facades": {"dataset_mode": "aligned", "dataroot": facades, "classes": "facades"},
        "montgomery": {"dataset_mode": "masks", "dataroot": lungs, "source": "montgomery"},
        "shenzhen": {"dataset_mode": "masks", "dataroot": lungs, "source": "shenzhen"},
        "drawn chests": {"dataset_mode": "phantom", "phantom": "chests", "phantom_count": 200},
    }


def seen(net: Generator, data: dict[str, object], phase: str, size: int) -> np.ndarray:
    """The features of a phase's images, [N, D]."""
    read = {"crop_size": size, "input_nc": 3, "phase": phase}
    opt = argparse.Namespace(**TRAIN.default_values("pix2pix", str(data["dataset_mode"])) | data | read)
    return np.concatenate([features(net, image[None]) for image in inputs_of(opt)])


def rows(known: dict[str, np.ndarray], new: dict[str, np.ndarray]) -> list[list[str]]:
    """For each kind of image: how many got which task, the share that got its own, and of the flagged ones: with all
    tasks there, and without its own."""
    tasks = [described for each in known.values() if (described := Inputs.of(each))]
    lines, right, total = [], 0, 0
    for number, (name, images) in enumerate(new.items()):
        chosen = Chooser(tasks).choose(images)
        counts = np.bincount([choice.task for choice in chosen], minlength=len(tasks)).tolist()
        without = Chooser([task for other, task in enumerate(tasks) if other != number]).choose(images)
        right, total = right + counts[number], total + len(images)
        flagged = [sum(choice.unlike for choice in choices) for choices in (chosen, without)]
        shares = [f"{counts[number] / len(images):.3f}", *map(str, flagged)]
        lines.append([name, str(len(images)), *map(str, counts), *shares])
    return [*lines, ["all", str(total), *[""] * len(tasks), f"{right / total:.3f}", "", ""]]


if __name__ == "__main__":
    torch.set_num_threads(2)
    run_script(main)
