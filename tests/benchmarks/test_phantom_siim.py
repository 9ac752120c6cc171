"""Drawn pneumothorax in SIIM-ACR's layout."""

import numpy as np

from benchmarks.phantom_siim import make_phantom_siim, runs
from data.prepare.runs import decode
from data.read.splits import read_splits


def test_runs_are_what_the_challenge_writes():
    mask = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    assert runs(mask) == "1 1 1 2 3 1"
    assert (decode(runs(mask), 3, 3) == mask).all()
    assert runs(np.zeros((2, 2), bool)) == "-1"


def test_it_becomes_a_folder_to_train_on(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.phantom_siim.COUNT", 12)
    monkeypatch.setattr("benchmarks.phantom_siim.SIZE", 64)
    make_phantom_siim(tmp_path / "siim")
    rows = read_splits(tmp_path / "siim" / "splits.csv")
    assert len(rows) == 12
    assert {row.source for row in rows} == {"siim"}
    assert {row.label for row in rows} == {"pneumothorax", "no pneumothorax"}
    make_phantom_siim(tmp_path / "siim")  # once is enough
