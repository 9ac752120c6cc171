"""`python -m data.prepare siim`: DICOM files, a table of masks, and no patient data in the result."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from pydicom import dcmread

from data.dicomseg import masks_show
from tests.data.prepare.helpers import facts_of, pixels, rows_of
from tests.dicoms import PATIENT, write_dicom
from util.errors import UserError

ROOT = "1.2.276.0.7230010.3.1.4.8323329"
UIDS = [f"{ROOT}.{i}.1517875160.{i}" for i in range(1, 6)]


@pytest.fixture
def siim(tmp_path) -> Path:
    """Five images of 20 x 16 pixels; the second and third show one patient, the fourth is not in the table."""
    root = tmp_path / "siim"
    for i, (uid, patient) in enumerate(zip(UIDS, ("SECRET-9", "SECRET-1", "SECRET-1", "SECRET-3", ""), strict=True)):
        folder = root / "dicom-images-train" / f"{uid}.1" / f"{uid}.2"
        write_dicom(
            folder / f"{uid}.dcm",
            np.full((20, 16), 10 * i + 7, np.uint8),
            SOPInstanceUID=uid,
            PatientID=patient,
            PixelSpacing=[0.2, 0.1],
        )
    (root / "train-rle.csv").write_text(
        "ImageId, EncodedPixels\n"
        + "\n".join(
            [
                f"{UIDS[0]}, -1",
                f"{UIDS[1]}, 0 2 18 1",
                f"{UIDS[1]}, 319 1",
                f"{UIDS[2]}, 5 10",
                f"{UIDS[4]},-1",
                f"{ROOT}.99.1,-1",
            ]
        )
        + "\n"
    )
    return root


def test_several_rows_of_one_image_form_one_mask(siim, tmp_path, prepare):
    dst = tmp_path / "out"
    prepare("siim", siim, dst)
    mask = pixels(dst / "masks" / f"{UIDS[1]}.png")
    assert mask.shape == (20, 16)
    assert np.argwhere(mask).tolist() == [[0, 0], [0, 1], [1, 0], [19, 15]]
    assert not pixels(dst / "masks" / f"{UIDS[0]}.png").any()
    assert (pixels(dst / "images" / f"{UIDS[1]}.png") == 17).all()
    rows = rows_of(dst)
    assert [rows[uid]["label"] for uid in UIDS if uid in rows] == [
        "no pneumothorax",
        "pneumothorax",
        "pneumothorax",
        "no pneumothorax",
    ]
    assert {row["spacing"] for row in rows.values()} == {"0.2 0.1"}
    assert masks_show(str(dst)) == "pneumothorax"  # so no DICOM Segmentation calls such a mask a lung
    assert facts_of(dst)["left_out"] == {
        "not listed in train-rle.csv": [f"{UIDS[3]}.dcm"],
        "listed in train-rle.csv, but no DICOM file of it": [f"{ROOT}.99.1"],
    }


def test_patients_are_numbered_and_stay_in_one_split(siim, tmp_path, prepare, capsys):
    dst = tmp_path / "out"
    prepare("siim", siim, dst, "--folds", 2)
    rows = rows_of(dst)
    assert [rows[uid]["patient"] for uid in UIDS if uid in rows] == [
        "siim-00001",
        "siim-00002",
        "siim-00002",
        "siim-00003",
    ]
    assert rows[UIDS[1]]["split"] == rows[UIDS[2]]["split"]
    assert rows[UIDS[1]]["fold"] == rows[UIDS[2]]["fold"]
    prepare("siim", siim, dst, "--folds", 2)
    assert rows_of(dst) == rows
    out = capsys.readouterr()
    written = b"".join(path.read_bytes() for path in dst.rglob("*") if path.is_file())
    for secret in ("SECRET", *PATIENT.values()):
        assert secret.encode() not in written
        assert secret not in out.out + out.err


def test_a_split_file_that_divides_a_patient_is_reported(siim, tmp_path, prepare, capsys):
    mine = tmp_path / "mine.csv"
    mine.write_text(f"image,split\n{UIDS[0]}.dcm,train\n{UIDS[1]}.png,train\n{UIDS[2]},test\n{UIDS[4]},test\n")
    prepare("siim", siim, tmp_path / "out", "--split_file", mine)
    assert "odd: 1 (patients whose images mine.csv puts into several splits)\n  siim-00002" in capsys.readouterr().out


@pytest.mark.parametrize("src", ["dicom-images-train", ".."])
def test_a_folder_around_or_inside_the_set_will_do(siim, tmp_path, prepare, src):
    prepare("siim", siim / src, tmp_path.parent / f"{tmp_path.name}-out")
    assert len(rows_of(tmp_path.parent / f"{tmp_path.name}-out")) == 4


def test_12_bits_and_monochrome1_are_converted(siim, tmp_path, prepare):
    path = next(siim.rglob(f"{UIDS[0]}.dcm"))
    write_dicom(
        path,
        np.full((20, 16), 1000, np.uint16),
        SOPInstanceUID=UIDS[0],
        BitsStored=12,
        PhotometricInterpretation="MONOCHROME1",
    )
    prepare("siim", siim, tmp_path / "out", "--keep_bits")
    image = pixels(tmp_path / "out" / "images" / f"{UIDS[0]}.png")
    assert image.dtype == np.uint16
    assert (image == round((4095 - 1000) * 65535 / 4095)).all()


def test_one_id_in_all_headers_is_no_patient(tmp_path, prepare, capsys):
    """Some programs anonymise so. All 30 images were once one patient, and landed in train."""
    root = tmp_path / "siim"
    uids = [f"{ROOT}.{i}" for i in range(30)]
    for uid in uids:
        write_dicom(root / f"{uid}.dcm", np.zeros((8, 8), np.uint8), SOPInstanceUID=uid, PatientID="ANON")
    (root / "train-rle.csv").write_text("ImageId,EncodedPixels\n" + "".join(f"{uid},-1\n" for uid in uids))
    prepare("siim", root, tmp_path / "out")
    rows = rows_of(tmp_path / "out").values()
    assert len({row["patient"] for row in rows}) == 30
    assert Counter(row["split"] for row in rows) == {"train": 21, "val": 3, "test": 6}
    assert facts_of(tmp_path / "out")["odd"] == {
        "one PatientID in all headers: each image counts as a patient": ["30 images"]
    }
    assert "no image is in" not in capsys.readouterr().out


ABSOLUTE = ["1 2 21 1", "1 1 300 21", "6 10"]
"""The masks of three images of 20 x 16 pixels."""


def masks_of(siim, dst, prepare, masks: list[str], *flags) -> list[np.ndarray]:
    rows = [f"{uid},{mask}" for uid, mask in zip(UIDS, masks, strict=False)]
    (siim / "train-rle.csv").write_text("\n".join(["ImageId,EncodedPixels", *rows]) + "\n")
    prepare("siim", siim, dst, *flags)
    return [pixels(dst / "masks" / f"{uid}.png") for uid in UIDS[: len(masks)]]


def test_absolute_runs_are_recognised_by_what_fits_the_images(siim, tmp_path, prepare):
    relative = ["0 2 18 1", "0 1 298 21", "5 10"]
    absolute = masks_of(siim, tmp_path / "absolute", prepare, ABSOLUTE)
    for one, other in zip(absolute, masks_of(siim, tmp_path / "relative", prepare, relative), strict=True):
        assert (one == other).all()
        assert one.any()
    with pytest.raises(UserError, match="absolute: holds masks whose runs were read as absolute; they are relative"):
        masks_of(siim, tmp_path / "absolute", prepare, relative)


def test_runs_that_fit_either_way_or_contradict_each_other_are_asked_for(siim, tmp_path, prepare):
    dst = tmp_path / "out"
    with pytest.raises(UserError, match=rf"train-rle.csv: those of {UIDS[1]} fit either way; .*--runs relative"):
        masks_of(siim, dst, prepare, ["-1", "6 10"])
    clash = rf"mask of {UIDS[0]} only fits if they are absolute and the mask of {UIDS[1]} only .* relative"
    with pytest.raises(UserError, match=clash):
        masks_of(siim, dst, prepare, ["300 1 310 9", "0 5"])
    assert not dst.exists()
    assert masks_of(siim, dst, prepare, ["-1", "6 10"], "--runs", "absolute")[1][5:15, 0].all()
    assert masks_of(siim, tmp_path / "two", prepare, ["-1", "6 10"], "--runs", "relative")[1][6:16, 0].all()


def test_files_need_no_extension_and_empty_masks_are_written_in_many_ways(siim, tmp_path, prepare):
    for path in siim.rglob("*.dcm"):
        path.rename(path.with_suffix(""))
    masks = masks_of(siim, tmp_path / "out", prepare, ["", "nan", "-1.0", "0 2"])
    assert [bool(mask.any()) for mask in masks] == [False, False, False, True]
    assert [row["label"] for row in rows_of(tmp_path / "out").values()] == ["no pneumothorax"] * 3 + ["pneumothorax"]


def test_bad_files_and_bad_runs_are_named_and_left_out(siim, tmp_path, prepare):
    next(siim.rglob(f"{UIDS[0]}.dcm")).write_bytes(b"<html>")
    table = siim / "train-rle.csv"
    table.write_text(table.read_text().replace("5 10", "5 10000"))
    prepare("siim", siim, tmp_path / "out")
    assert set(rows_of(tmp_path / "out")) == {UIDS[1], UIDS[4]}
    header, runs = facts_of(tmp_path / "out")["left_out"]["damaged"]
    assert f"{UIDS[0]}.dcm: not a DICOM file" in header
    assert f"{UIDS[2]}.dcm: the table gives it a mask that reaches pixel 10000 of an image of 16 x 20" in runs


def test_a_table_without_dicom_files_is_an_error(siim, tmp_path, prepare):
    for path in siim.rglob("*.dcm"):
        path.unlink()
    with pytest.raises(UserError, match=r"train-rle.csv lists masks, but there are no DICOM files \(\*.dcm\)"):
        prepare("siim", siim, tmp_path / "out")


def test_a_table_of_other_images_is_an_error(siim, tmp_path, prepare):
    (siim / "train-rle.csv").write_text(f"ImageId,EncodedPixels\n{ROOT}.98.1,-1\n{ROOT}.99.1,-1\n")
    with pytest.raises(
        UserError,
        match="no image of siim can be used: 5 not listed in train-rle.csv, such as "
        rf"{UIDS[0]}.dcm; 2 listed in train-rle.csv, but no DICOM file of it",
    ):
        prepare("siim", siim, tmp_path / "out")


def test_real_dicom_files_with_a_table_are_prepared(real_data, tmp_path, prepare):
    files = sorted((real_data / "dicom").glob("siim_*.dcm"))
    uids = [path.stem.removeprefix("siim_") for path in files]
    src = tmp_path / "src"
    src.mkdir()
    for uid, path in zip(uids, files, strict=True):
        (src / f"{uid}.dcm").symlink_to(path)
    (src / "train-rle.csv").write_text(f"ImageId,EncodedPixels\n{uids[0]},-1\n{uids[1]},0 16384\n")  # 16 columns
    prepare("siim", src, tmp_path / "out", "--size", 64)
    rows = rows_of(tmp_path / "out")
    assert {uid: row["spacing"] for uid, row in rows.items()} == {uids[0]: "2.288 2.288", uids[1]: "2.688 2.688"}
    assert (pixels(tmp_path / "out" / "masks" / f"{uids[1]}.png")[:, 0] == 255).all()
    image = pixels(tmp_path / "out" / "images" / f"{uids[0]}.png")
    assert image.shape == (64, 64)
    assert 60 < image.mean() < 200
    listed = (tmp_path / "out" / "splits.csv").read_text()
    assert not any(dcmread(path, stop_before_pixels=True).PatientID in listed for path in files)
