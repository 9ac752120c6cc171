"""Drawn pneumothorax in SIIM-ACR's layout."""

import numpy as np
import pytest

from benchmarks.phantom_siim import collapse, make_phantom_siim, runs
from data.phantom import chest
from data.prepare.runs import decode
from data.splits import read_splits


def test_runs_are_what_the_challenge_writes():
    mask = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    assert runs(mask) == "1 1 1 2 3 1"
    assert runs(np.zeros((2, 2), bool)) == "-1"


@pytest.mark.parametrize("index", range(6))
def test_the_air_lies_in_one_lung_and_the_rest_of_the_picture_stays(index):
    image, lungs = chest(index, size=128)
    drawn, air = collapse(image, lungs > 0, np.random.default_rng(index))
    assert 0.001 < air.mean() < 0.06
    assert not (air & (lungs == 0)).any()
    columns = np.nonzero(air.any(0))[0]
    assert columns.max() < 74 or columns.min() > 54  # one side, and no farther than the middle
    assert drawn[air].mean() < image[air].mean()
    assert (drawn == image)[lungs == 0].all()
    assert (decode(runs(air), 128, 128) == air).all()


def test_it_becomes_a_folder_to_train_on(tmp_path, monkeypatch):
    monkeypatch.setattr("benchmarks.phantom_siim.COUNT", 12)
    monkeypatch.setattr("benchmarks.phantom_siim.SIZE", 64)
    make_phantom_siim(tmp_path / "siim")
    rows = read_splits(tmp_path / "siim" / "splits.csv")
    assert len(rows) == 12 and {row.source for row in rows} == {"siim"}
    make_phantom_siim(tmp_path / "siim")  # once is enough
