"""Training and testing on DICOM files as a user does it: the right files come out, and nothing about the patient."""

from pathlib import Path

import numpy as np
import pydicom
import pytest
from PIL import Image

from data.phantom.chests import chest
from tests.dicoms import PATIENT, write_dicom
from tests.helpers import python, read_json, read_table, words

pytestmark = pytest.mark.slow
RESULTS = "test_latest_write-dicomseg_surface"
NET = words("--netG unet_64 --ngf 4 --ndf 4 --load_size 64 --crop_size 64")


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """A data set in chests/, a run of one epoch on it in ck/, and its test with everything that can be written."""
    root = tmp_path_factory.mktemp("dicom")
    write_chests(root / "chests")
    where = ["--dataroot", root / "chests", "--checkpoints_dir", root / "ck", *words("--name tiny --gpu_ids -1")]
    training = words("--dataset_mode masks --classes lung --n_epochs 1 --n_epochs_decay 0 --display_id 0 --verbose")
    train = python("train.py", *where, *NET, *training)
    assert train.returncode == 0, train.stderr
    flags = words("--surface --write dicomseg --verbose")
    test = python("test.py", *where, "--results_dir", root / "results", *flags)
    assert test.returncode == 0, test.stderr
    (root / "ck" / "printed.txt").write_text(train.stdout + train.stderr + test.stdout + test.stderr)
    return root


def write_chests(root: Path) -> None:
    """Six drawn X-rays of 12 bits whose headers are full of names, with their masks and a split."""
    lines = ["image,split"]
    (root / "masks").mkdir(parents=True)
    for i in range(6):
        image, lungs = chest(i, size=96)
        path = root / "images" / ("dcm" * (i % 2)) / (f"c{i}.dcm" if i % 2 else f"1.2.3.{i}")
        write_dicom(path, image.astype(np.uint16) * 16, BitsStored=12, ImagerPixelSpacing=[0.5, 0.25])
        lines.append(f"{path.relative_to(root).as_posix()},{'train' if i < 4 else 'test'}")
        name = path.name.removesuffix(".dcm")
        mask = root / "masks" / path.relative_to(root / "images").with_name(f"{name}.png")
        mask.parent.mkdir(exist_ok=True)
        Image.fromarray(lungs.astype(np.uint8) * 255).save(mask)
    (root / "splits.csv").write_text("\n".join(lines))


def test_distances_are_in_millimetres_where_the_header_has_the_pixel_spacing(folder):
    results = folder / "results" / "tiny" / RESULTS
    rows = read_table(results / "metrics.csv")
    assert [row["id"] for row in rows] == ["1.2.3.4", "c5"]
    assert "hd95_mm" in rows[0]
    assert "hd95_px" not in rows[0]
    metrics = read_json(results / "metrics.json")
    assert "assd_mm" in metrics["macro"]
    assert metrics["settings"]["mm at the detector"].startswith("2 of 2 images; ")
    assert "HD95 (mm)" in (results / "index.html").read_text()


def test_the_segmentation_objects_hold_the_png_masks(folder):
    results = folder / "results" / "tiny" / RESULTS
    for path in sorted((results / "masks").iterdir()):
        mask = pydicom.dcmread(results / "dicomseg" / f"{path.stem}.dcm")
        assert np.array_equal(mask.pixel_array * 255, np.asarray(Image.open(path)))
    assert len(list((results / "dicomseg").iterdir())) == 2


def test_no_file_but_the_segmentation_objects_says_anything_about_the_patient(folder):
    private = {*PATIENT.values(), "Zzyzx", "Quillon", "Vroomfondel", "Blorptown"}
    written = [path for part in ("ck", "results") for path in (folder / part).rglob("*") if path.is_file()]
    assert len(written) > 20
    leaks = [
        (path.name, word)
        for path in written
        for word in private
        if path.parent.name != "dicomseg"
        and (word.encode() in path.read_bytes() or word in str(path.relative_to(folder)))
    ]
    assert not leaks
    # The standard wants the patient's data in segmentation objects. They are deflated, so a search finds nothing.
    for path in (folder / "results" / "tiny" / RESULTS / "dicomseg").iterdir():
        assert pydicom.dcmread(path).PatientID == PATIENT["PatientID"]
        assert PATIENT["PatientID"] not in path.name


def test_writing_dicomseg_for_other_images_is_refused_before_anything_is_computed(folder):
    results = folder / "refused"
    where = ["--dataroot", folder / "chests" / "masks", "--checkpoints_dir", folder / "ck", "--results_dir", results]
    done = python("test.py", *where, *words("--dataset_mode single --name tiny --gpu_ids -1 --write dicomseg"))
    assert done.returncode == 2
    assert not results.exists()
    assert "error: --write dicomseg: " in done.stderr
    assert ".png is not a DICOM file" in done.stderr


def test_black_and_white_masks_are_called_what_the_training_set_says(folder):
    where = ["--dataroot", folder / "chests", "--checkpoints_dir", folder / "ck", "--results_dir", folder / "named"]
    flags = words("--name tiny --gpu_ids -1 --write dicomseg --num_test 1 --classes lungs")
    done = python("test.py", *where, *flags)
    assert done.returncode == 2
    assert "black and white masks may show anything" in done.stderr
    assert not (folder / "named").exists()
    (folder / "chests" / "dataset.json").write_text('{"target": "pneumothorax"}')
    done = python("test.py", *where, *flags)
    assert done.returncode == 0, done.stderr
    (path,) = (folder / "named" / "tiny").glob("*/dicomseg/*")
    assert pydicom.dcmread(path).SegmentSequence[0].SegmentLabel == "pneumothorax"
