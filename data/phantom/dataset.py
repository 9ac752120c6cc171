"""--dataset_mode phantom: images that are drawn when they are read. They need no --dataroot."""

import argparse
from pathlib import Path
from pkgutil import resolve_name

import numpy as np

from data.base import PairedDataset, Sample
from data.classes import Classes
from data.phantom import FIRST, KINDS, check_count, indices
from data.read.folders import NoSuchPhase
from util.errors import UserError


class PhantomDataset(PairedDataset):
    """Phantoms, drawn at the size at which the network sees them. They depend on their index alone, not on --seed."""

    def target_classes(self, opt: argparse.Namespace) -> Classes:
        draw, name = KINDS[opt.phantom]
        self._draw = resolve_name(draw)
        if opt.classes not in (None, name):
            raise UserError(f"--classes {opt.classes}: phantom {opt.phantom} show {name}; take --classes {name}")
        return Classes.load(name)

    def find(self, opt: argparse.Namespace, phase: str) -> list[Sample]:
        check_count(opt.phantom_count)
        if phase not in (*FIRST, "all"):
            raise NoSuchPhase(f"--phase {phase}: phantoms have the phases {', '.join(FIRST)} and all")
        phases = FIRST if phase == "all" else (phase,)
        self._index = {f"{opt.phantom}_{i:07d}": i for p in phases for i in indices(p, opt.phantom_count)}
        self._size = self.geometry.loaded_size(opt.crop_size, opt.crop_size)[0]
        # These files do not exist. Pages and messages show the path as a name.
        return [Sample(name, Path(name), (Path(name),), source="phantom") for name in self._index]

    def read(self, sample: Sample) -> tuple[np.ndarray, np.ndarray]:
        return self._draw(self._index[sample.id], size=self._size)
