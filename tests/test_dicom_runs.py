"""Training and testing on DICOM files as a user types it: what comes out, and what must not get out."""

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from data.phantom import chest
from tests.dicoms import PATIENT, write_dicom
from tests.helpers import ROOT

pytestmark = pytest.mark.slow
NET = "--netG unet_64 --ngf 4 --ndf 4 --load_size 64 --crop_size 64"


def python(*words: str) -> subprocess.CompletedProcess:
    env = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.run([sys.executable, *words], cwd=ROOT, env=env, capture_output=True, text=True, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """Drawn X-rays of 12 bits, with headers full of names, and their masks; then a run of one epoch on them, tested
    with everything that can be written."""
    root = tmp_path_factory.mktemp("dicom")
    lines = ["image,split"]
    for i in range(6):
        image, lungs = chest(i, size=96)
        image = image.astype(np.uint16) * 16
        path = root / "chests" / "images" / ("dcm" * (i % 2)) / (f"c{i}.dcm" if i % 2 else f"1.2.3.{i}")
        write_dicom(path, image, BitsStored=12, PixelSpacing=[0.5, 0.25])
        lines.append(f"{path.relative_to(root / 'chests').as_posix()},{'train' if i < 4 else 'test'}")
        (root / "chests" / "masks").mkdir(exist_ok=True)
        name = path.name.removesuffix(".dcm")
        Image.fromarray(lungs.astype(np.uint8) * 255).save(root / "chests" / "masks" / f"{name}.png")
    (root / "chests" / "splits.csv").write_text("\n".join(lines))
    where = [
        "--dataroot",
        str(root / "chests"),
        "--checkpoints_dir",
        str(root / "ck"),
        "--name",
        "tiny",
        "--gpu_ids",
        "-1",
    ]
    train = python(
        "train.py",
        *where,
        "--dataset_mode",
        "masks",
        *NET.split(),
        "--n_epochs",
        "1",
        "--n_epochs_decay",
        "0",
        "--display_id",
        "0",
        "--verbose",
    )
    assert train.returncode == 0, train.stderr
    test = python(
        "test.py", *where, "--results_dir", str(root / "results"), "--surface", "--write", "dicomseg", "--verbose"
    )
    assert test.returncode == 0, test.stderr
    (root / "ck" / "said.txt").write_text(train.stdout + train.stderr + test.stdout + test.stderr)
    return root


def test_the_scores_are_in_millimetres(folder):
    results = folder / "results" / "tiny" / "test_latest"
    with (results / "metrics.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == ["1.2.3.4", "c5"]
    assert "hd95_mm" in rows[0]
    assert "hd95_px" not in rows[0]
    assert "assd_mm" in json.loads((results / "metrics.json").read_text())["macro"]
    assert "HD95 (mm)" in (results / "index.html").read_text()


def test_the_segmentation_objects_hold_the_png_masks(folder):
    results = folder / "results" / "tiny" / "test_latest"
    for path in sorted((results / "masks").iterdir()):
        mask = pydicom.dcmread(results / "dicomseg" / f"{path.stem}.dcm")
        assert np.array_equal(mask.pixel_array * 255, np.asarray(Image.open(path)))
    assert len(list((results / "dicomseg").iterdir())) == 2


def test_nothing_of_the_patient_gets_out(folder):
    words = {*PATIENT.values(), "Zzyzx", "Quillon", "Vroomfondel", "Blorptown"}
    written = [path for part in ("ck", "results") for path in (folder / part).rglob("*") if path.is_file()]
    assert len(written) > 20
    told = [
        (path.name, word)
        for path in written
        for word in words
        if path.parent.name != "dicomseg"
        and (word.encode() in path.read_bytes() or word in str(path.relative_to(folder)))
    ]
    assert not told
    # The search can find them: the segmentation objects carry their sources' data, as the standard wants.
    for path in (folder / "results" / "tiny" / "test_latest" / "dicomseg").iterdir():
        assert PATIENT["PatientID"].encode() in path.read_bytes()
        assert PATIENT["PatientID"] not in path.name


def test_other_input_is_refused_before_anything_is_computed(folder):
    results = folder / "refused"
    done = python(
        "test.py",
        "--dataroot",
        str(folder / "chests" / "masks"),
        "--dataset_mode",
        "single",
        "--checkpoints_dir",
        str(folder / "ck"),
        "--name",
        "tiny",
        "--gpu_ids",
        "-1",
        "--results_dir",
        str(results),
        "--write",
        "dicomseg",
    )
    assert done.returncode == 2
    assert not results.exists()
    assert "error: --write dicomseg: " in done.stderr
    assert ".png is not a DICOM file" in done.stderr
