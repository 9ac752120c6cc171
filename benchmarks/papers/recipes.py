"""The papers' experiments in recipes/: their flags, the runs they need, and how they shrink for a small machine."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.runs import ROOT, words

FOLDER = ROOT / "recipes"
PHANTOM = "results/papers/phantom_siim"  # the data of paper 004 with --scale small
HORSES = "datasets/weights/horse2zebra_gancompression_mobile_resnet9_latest_net_G.pth"

SMALL: dict[str, list[str]] = {
    "000_*": words("--n_epochs 10"),
    "001_*": words("--load_size 128 --crop_size 128 --n_epochs 4"),
    "002_*": words("--n_epochs 3 --n_epochs_decay 7"),
    "002_pix2pix_decay30": words("--n_epochs 0 --n_epochs_decay 10"),
    "002_facades_donor": words("--ngf 16 --ndf 16"),
    "002_cyclegan_*": words(
        f"--netG mobile_resnet_9blocks --pretrained {HORSES} --pretrained_B same --ndf 16 --load_size 143 "
        "--crop_size 128 --n_epochs 30 --n_epochs_decay 0"
    ),
    "002_cyclegan_120": words("--n_epochs 32"),
    "003_*": words("--load_size 256 --crop_size 256 --n_epochs 8"),
    "004_*": words(f"--dataroot {PHANTOM} --load_size 192 --crop_size 192 --n_epochs 20"),
}
"""Flags that --scale small adds to the recipes whose names match, in this order."""


TESTS: dict[str, dict[str, list[str]]] = {
    "": {"": []},
    "000": {
        "image_statistics": ["--norm_stats", "image"],
        "cutoff_0.03": ["--mask_threshold", "0.03"],
    },
    "004": {"image_statistics": ["--norm_stats", "image"]},
}
"""How the runs of a paper are tested ("": those of every paper): folder of results/papers ("": of results), flags."""


@dataclass(frozen=True)
class Recipe:
    """script: train.py, test.py or forgetting.py. words: its flags, with those of the files that it includes. needs:
    the recipes whose runs it starts from or compares."""

    name: str
    script: str
    words: tuple[str, ...]
    needs: tuple[str, ...]

    @property
    def paper(self) -> str:
        return self.name[:3]

    def flags(self, scale: str, imagenet: bool) -> list[str]:
        """Its flags at a scale. With "small", its run and those it needs are called `<recipe>_small`.

        imagenet: whether ImageNet's weights may be downloaded. If not, encoders start from random weights.
        """
        recipes = (self.name, *self.needs)
        flags = [
            re.sub(r"[^=,]+", lambda m: run_name(m[0], scale) if m[0] in recipes else m[0], word) for word in self.words
        ]
        if self.script != "train.py":
            return flags
        if scale == "small":
            flags += [word for pattern, more in SMALL.items() if fnmatch(self.name, pattern) for word in more]
        downloads = "--encoder_weights" in flags and flags[flags.index("--encoder_weights") + 1] == "imagenet"
        return flags + ["--encoder_weights", "none"] * (downloads and not imagenet)


def run_name(recipe: str, scale: str) -> str:
    """The name of a recipe's run."""
    return f"{recipe}_small" if scale == "small" else recipe


def read_recipes() -> dict[str, Recipe]:
    """The recipes of all papers by their names. A recipe comes after those that it needs."""
    paths = {path.stem: path for path in sorted(FOLDER.glob("[0-9]*.txt"))}
    recipes: dict[str, Recipe] = {}

    def add(name: str) -> None:
        if name in recipes:
            return
        flags = tuple(read_words(paths[name]))
        parts = {part for word in flags for part in re.split("[=,]", word)}
        # A recipe of test.py tests another recipe's run, so its --name is the other's name.
        needs = tuple(sorted(parts & (paths.keys() - {name})))
        for other in needs:
            add(other)
        script = paths[name].read_text(encoding="utf-8").split()[2]
        recipes[name] = Recipe(name, script, flags, needs)

    for name in paths:
        add(name)
    return recipes


def read_words(path: Path) -> Iterable[str]:
    """The flags of a recipe. The flags of a file that it includes as @recipes/... take that word's place."""
    for line in path.read_text(encoding="utf-8").splitlines():
        for word in shlex.split(line, comments=True):
            if word.startswith("@"):
                yield from read_words(ROOT / word[1:])
            else:
                yield word


def with_needs(recipes: dict[str, Recipe], names: Iterable[str]) -> list[Recipe]:
    """The named recipes and those that they need, in an order in which they can run."""
    wanted: set[str] = set()

    def want(name: str) -> None:
        wanted.add(name)
        for other in recipes[name].needs:
            want(other)

    for name in names:
        want(name)
    return [recipe for name, recipe in recipes.items() if name in wanted]
