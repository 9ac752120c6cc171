"""The commands of docs/siim.md, typed as they are, on a small folder of drawn X-rays."""

import csv
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.phantom.chests import chest
from tests.dicoms import PATIENT, write_dicom
from tests.helpers import ROOT, commands, python, read_json


def write_siim(folder: Path, count: int) -> dict[str, int]:
    """Write drawn X-rays in SIIM-ACR's layout: DICOM files three folders deep, and a table of run lengths.

    Every other image shows a pneumothorax, every sixth one on each side. Returns its number of pixels by image.
    """
    rows, areas = [], {}
    for i in range(count):
        image, lungs = chest(i, size=128)
        uid = f"1.2.276.0.7230010.3.1.4.8323329.{i}.1517875160.{850819 + i}"
        masks = [pneumothorax(lungs, side) for side in ("left", "right")[: 0 if i % 2 else 2 if i % 6 == 0 else 1]]
        for mask in masks:
            image = np.where(mask, image // 3, image)
        areas[uid] = int(sum(mask.sum() for mask in masks))
        path = folder / "dicom-images-train" / f"{uid}.1" / f"{uid}.2" / f"{uid}.dcm"
        write_dicom(path, image.astype(np.uint8), SOPInstanceUID=uid, PatientID=f"MRN-{i}", PixelSpacing=[0.5, 0.5])
        rows += [(uid, run_lengths(mask)) for mask in masks] or [(uid, "-1")]
    with (folder / "train-rle.csv").open("w", newline="") as file:
        csv.writer(file).writerows([("ImageId", " EncodedPixels"), *rows])
    return areas


def pneumothorax(lungs: np.ndarray, side: str) -> np.ndarray:
    """An ellipse at the top of the lung on one side of the picture, bool [H, W]."""
    half = np.zeros_like(lungs, bool)
    half[:, :64] = side == "left"
    half[:, 64:] = side == "right"
    rows, columns = np.nonzero(lungs.astype(bool) & half)
    y, x = np.mgrid[:128, :128]
    return ((y - rows.min() - 20) / 18) ** 2 + ((x - columns.mean()) / 10) ** 2 < 1


def run_lengths(mask: np.ndarray) -> str:
    """`start length start length ...`, down the columns. Each start is counted from the end of the run before."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.T.ravel().astype(int), [0]])))
    starts, ends = edges[::2], edges[1::2]
    gaps = starts - np.concatenate([[0], ends[:-1]])
    return " ".join(f"{gap} {length}" for gap, length in zip(gaps, ends - starts, strict=True))


def test_run_lengths_equal_those_worked_out_by_hand():
    mask = np.array([[0, 1, 0], [1, 1, 0], [0, 0, 1]], bool)
    assert run_lengths(mask) == "1 1 1 2 3 1"


@pytest.mark.slow
def test_the_commands_for_siim_lead_from_dicom_files_to_a_page(tmp_path):
    """Only --display_id 0 is added, so that no test draws in a visdom that happens to run."""
    areas = write_siim(tmp_path / "datasets" / "siim_dicom", 30)
    printed = ""
    typed = commands("docs/siim.md")
    assert len(typed) == 4
    for command in typed:
        script = [ROOT / command[0]] if command[0] != "-m" else command[:1]
        extra = ["--display_id", "0"] if command[0] == "train.py" else []
        done = python(*script, *command[1:], *extra, cwd=tmp_path)
        assert done.returncode == 0, f"{command}: {done.stdout[-2000:]}\n{done.stderr[-2000:]}"
        printed += done.stdout + done.stderr

    masks = {path.stem: np.array(Image.open(path)) for path in (tmp_path / "datasets/siim/masks").iterdir()}
    assert {uid: (mask > 0).sum() for uid, mask in masks.items()} == {uid: 4 * area for uid, area in areas.items()}
    folder = tmp_path / "results" / "siim" / "test_latest"
    scores = read_json(folder / "metrics.json")
    assert scores["images"] == len(list((folder / "masks").glob("*.png"))) > 3
    assert 0 <= scores["macro"]["dice"] <= 1

    written = [path for top in ("datasets/siim", "checkpoints", "results") for path in (tmp_path / top).rglob("*")]
    printed += "".join(path.read_text() for path in written if path.suffix in (".html", ".csv", ".json", ".txt"))
    printed += "".join(map(str, written))
    for private in (*PATIENT.values(), "MRN-"):
        assert private not in printed
