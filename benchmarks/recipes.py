"""The papers' experiments, as recipes/ has them: flags, what they need, and how they shrink to a small machine."""

import re
import shlex
from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path

from benchmarks.runs import ROOT

FOLDER = ROOT / "recipes"
PHANTOM = "results/papers/phantom_siim"  # what --scale small trains paper 004 on
HORSES = "datasets/weights/horse2zebra_gancompression_mobile_resnet9_latest_net_G.pth"

SMALL: dict[str, list[str]] = {
    "000_*": ["--n_epochs", "10"],
    "001_*": ["--load_size", "128", "--crop_size", "128", "--n_epochs", "4"],
    "002_*": ["--n_epochs", "3", "--n_epochs_decay", "7"],
    "002_pix2pix_decay30": ["--n_epochs", "0", "--n_epochs_decay", "10"],
    "002_facades_donor": ["--ngf", "16", "--ndf", "16"],
    "002_cyclegan_*": [
        "--netG",
        "mobile_resnet_9blocks",
        "--pretrained",
        HORSES,
        "--pretrained_B",
        "same",
        "--ndf",
        "16",
        "--load_size",
        "143",
        "--crop_size",
        "128",
        "--n_epochs",
        "8",
        "--n_epochs_decay",
        "0",
    ],
    "002_cyclegan_120": ["--n_epochs", "32"],
    "003_*": ["--load_size", "256", "--crop_size", "256", "--n_epochs", "8"],
    "004_*": ["--dataroot", PHANTOM, "--load_size", "192", "--crop_size", "192", "--n_epochs", "20"],
}
"""What --scale small adds to the recipes whose names fit, in this order."""


TESTS: dict[str, dict[str, list[str]]] = {
    "": {"": []},
    "000": {
        "image_statistics": ["--norm_stats", "image"],
        "cutoff_0.03": ["--mask_threshold", "0.03"],
    },
    "004": {"image_statistics": ["--norm_stats", "image"]},
}
"""How the runs of a paper ("": of each) are tested: a folder of results/papers ("": results itself), and flags."""


@dataclass(frozen=True)
class Recipe:
    """script: train.py, test.py or forgetting.py; words: its flags, files within files read; needs: the recipes whose
    runs it starts from or compares."""

    name: str
    script: str
    words: tuple[str, ...]
    needs: tuple[str, ...]

    @property
    def paper(self) -> str:
        return self.name[:3]

    def flags(self, scale: str, imagenet: bool) -> list[str]:
        """Its flags at a scale. A run of scale `small` is called `<recipe>_small`, and so are those it needs.
        imagenet: whether weights that would be downloaded can be had; else encoders start from random ones."""
        known = (self.name, *self.needs)
        words = [
            re.sub(r"[^=,]+", lambda m: run_name(m[0], scale) if m[0] in known else m[0], word) for word in self.words
        ]
        if self.script != "train.py":
            return words
        if scale == "small":
            words += [word for pattern, more in SMALL.items() if fnmatch(self.name, pattern) for word in more]
        downloads = "--encoder_weights" in words and words[words.index("--encoder_weights") + 1] == "imagenet"
        return words + ["--encoder_weights", "none"] * (downloads and not imagenet)


def run_name(recipe: str, scale: str) -> str:
    """What the run of a recipe is called."""
    return f"{recipe}_small" if scale == "small" else recipe


def read_recipes() -> dict[str, Recipe]:
    """Every recipe of a paper by its name, those that others need before these."""
    paths = {path.stem: path for path in sorted(FOLDER.glob("[0-9]*.txt"))}
    found: dict[str, Recipe] = {}

    def add(name: str) -> None:
        if name in found:
            return
        words = tuple(read_words(paths[name]))
        parts = {part for word in words for part in re.split("[=,]", word)}
        # A test.py recipe tests the run of another: that one's name is its --name.
        needs = tuple(sorted(parts & (paths.keys() - {name})))
        for other in needs:
            add(other)
        script = paths[name].read_text(encoding="utf-8").split()[2]
        found[name] = Recipe(name, script, words, needs)

    for name in paths:
        add(name)
    return found


def read_words(path: Path) -> Iterable[str]:
    """The flags of a recipe, those of the files that it names as @recipes/... in their place."""
    for line in path.read_text(encoding="utf-8").splitlines():
        for word in shlex.split(line, comments=True):
            if word.startswith("@"):
                yield from read_words(ROOT / word[1:])
            else:
                yield word


def with_needs(recipes: dict[str, Recipe], names: Iterable[str]) -> list[Recipe]:
    """The named recipes and all that they need, in an order in which they can run."""
    wanted: set[str] = set()

    def want(name: str) -> None:
        wanted.add(name)
        for other in recipes[name].needs:
            want(other)

    for name in names:
        want(name)
    return [recipe for name, recipe in recipes.items() if name in wanted]
