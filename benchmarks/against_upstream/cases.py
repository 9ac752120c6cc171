"""What is compared: trainings, a whole test.py, and trainings on large files. Images are drawn."""

import shutil
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.against_upstream.process import Pace, Process, run_once
from benchmarks.runs import ROOT
from util.errors import UserError

PIX2PIX = "--model pix2pix --netG unet_256 --norm batch"
TRAINING = {
    "ngf64": ("pix2pix, unet_256, ngf 64, batch 1", f"{PIX2PIX} --ngf 64 --ndf 64 --batch_size 1", 4),
    "ngf16": ("pix2pix, unet_256, ngf 16, batch 1", f"{PIX2PIX} --ngf 16 --ndf 16 --batch_size 1", 20),
    "batch8": ("pix2pix, unet_256, ngf 16, batch 8", f"{PIX2PIX} --ngf 16 --ndf 16 --batch_size 8", 3),
    "cycle_gan": ("CycleGAN, resnet_9blocks, ngf 64, batch 1", "--model cycle_gan --netG resnet_9blocks", 1),
}
"""By name: a title, flags, and the steps of one round."""

COMMON = "--dataset_mode aligned --num_threads 0"
OURS = "--gpu_ids -1 --num_threads 0 --display_id 0"
LARGE = 3000
"""Pixels of a side of a large image."""


def write_pairs(folder: Path, count: int, size: int, deep: bool = False) -> None:
    """Draw `count` smooth images, each with its target beside it, [size, 2 * size]: RGB JPEG, or 16-bit PNG if deep."""
    from PIL import Image

    folder.mkdir(parents=True)
    for number in range(count):
        random = np.random.default_rng(number)
        coarse = random.random((size // 32, size // 16), np.float32)
        smooth = np.asarray(Image.fromarray(coarse).resize((2 * size, size), Image.Resampling.BICUBIC)).clip(0, 1)
        if deep:
            Image.fromarray((smooth * 65535).astype(np.uint16)).save(folder / f"{number}.png", compress_level=1)
        else:
            grey = (smooth * 255).astype(np.uint8)
            Image.fromarray(np.stack([grey, 255 - grey, grey], 2)).save(folder / f"{number}.jpg", quality=95)


def check_losses(ours: Process, upstream: Process, folder: Path, size: int, batch_size: int) -> float:
    """How far the losses of one step are apart, from upstream's weights and on one batch of noise: the largest
    difference, relative to the loss. UserError: by more than 0.1 %."""
    import torch

    upstream.ask(f"weights {folder / 'weights.pth'}")
    images = torch.rand(2, batch_size, 3, size, size, generator=torch.Generator().manual_seed(0)) * 2 - 1
    held = {
        "networks": torch.load(folder / "weights.pth", weights_only=True),
        "batch": dict(zip("AB", images, strict=True)),
    }
    torch.save(held, folder / "check.pth")
    theirs, own = (side.ask(f"check {folder / 'check.pth'}") for side in (upstream, ours))
    if theirs.keys() != own.keys():
        raise UserError(f"the losses have other names: {', '.join(theirs)} and {', '.join(own)}")
    worst = max(abs(own[name] - loss) / max(abs(loss), 1e-6) for name, loss in theirs.items())
    if worst > 1e-3:
        raise UserError(f"the losses differ: upstream {theirs}, ours {own}")
    return worst


def take_turns(rounds: int, actions: dict[str, Callable[[Pace], Any]]) -> dict[str, Pace]:
    """Round after round, each program takes its turn."""
    paces = {name: Pace() for name in actions}
    for _ in range(rounds):
        for name, act in actions.items():
            act(paces[name])
    return paces


def in_turns(sides: dict[str, Process], rounds: int, order: str) -> dict[str, Pace]:
    """The same order to each, in turns."""
    paces = take_turns(rounds, {name: partial(side.work, order) for name, side in sides.items()})
    for name, side in sides.items():
        paces[name].memory = side.ask("peak")
    return paces


def whole_tests(upstream: Path, data: Path, folder: Path, rounds: int, threads: int) -> dict[str, Pace]:
    """test.py over the images of data/test, as a whole process: upstream's and ours, with the same weights."""
    network = (
        f"--dataroot {data} --name run --dataset_mode aligned --model pix2pix --ngf 16 --netG unet_256 --norm batch"
    )
    own, theirs = folder / "own", folder / "theirs"
    short = f"{OURS} --ndf 16 --max_dataset_size 2 --n_epochs 1 --n_epochs_decay 0 --checkpoints_dir {own}"
    run_once(["train.py", *f"{network} {short}".split()], ROOT, threads, Pace())
    (theirs / "run").mkdir(parents=True)
    shutil.copy(own / "run" / "latest_net_G.pth", theirs / "run")
    other = f"{network} {only_older(upstream)[0]} --checkpoints_dir {theirs} --results_dir {theirs}".split()
    ours = f"--name run --gpu_ids -1 --checkpoints_dir {own} --phase test --results_dir {own / 'results'}".split()
    return take_turns(
        rounds,
        {
            "upstream": lambda pace: run_once(["test.py", *other], upstream, threads, pace),
            "ours": lambda pace: run_once(["test.py", *ours], ROOT, threads, pace),
        },
    )


def only_older(upstream: Path) -> tuple[str, str]:
    """Flags that upstream had until July 2025, as this checkout needs them: of all scripts, and of train.py."""
    has = (upstream / "options" / "base_options.py").read_text(encoding="utf-8")
    older = "--gpu_ids" in has
    return ("--gpu_ids -1", "--display_id 0") if older else ("", "")
