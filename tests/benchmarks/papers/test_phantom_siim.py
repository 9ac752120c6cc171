"""Drawn X-rays with pneumothorax, in SIIM-ACR's layout."""

import numpy as np

from benchmarks.papers.phantom_siim import make_phantom_siim, runs
from data.prepare.run_lengths import decode
from data.read.splits import read_splits


def test_a_mask_becomes_the_challenges_run_lengths_and_back():
    mask = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    assert runs(mask) == "1 1 1 2 3 1"
    assert (decode(runs(mask), 3, 3) == mask).all()
    assert runs(np.zeros((2, 2), bool)) == "-1"


def test_the_drawn_dicom_files_become_a_folder_to_train_on(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.papers.phantom_siim.COUNT", 12)
    monkeypatch.setattr("benchmarks.papers.phantom_siim.SIZE", 64)
    make_phantom_siim(tmp_path / "siim")
    rows = read_splits(tmp_path / "siim" / "splits.csv")
    assert len(rows) == 12
    assert {row.source for row in rows} == {"siim"}
    assert {row.label for row in rows} == {"pneumothorax", "no pneumothorax"}
    make_phantom_siim(tmp_path / "siim")  # the second call leaves the folder as it is
