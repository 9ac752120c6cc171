"""Folders of DICOM files, with and without extension, in every dataset mode."""

from pathlib import Path

import numpy as np
import pytest

from data import create_dataset
from data.aligned import AlignedDataset
from data.classes import Classes
from data.masks import MasksDataset
from data.prepare.check import SHAPE, check
from data.read.headers import is_dicom
from data.read.images import find_images, read_image, safe_ids
from data.single import SingleDataset
from tests.dicoms import write_dicom

GREY = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5


def test_dicom_files_are_found_without_an_extension(tmp_path, save):
    write_dicom(tmp_path / "a" / "IM0001", GREY)
    write_dicom(tmp_path / "a" / "1.2.840.10008.1", GREY)
    write_dicom(tmp_path / "a" / "1.2.840.10008.2", GREY)
    write_dicom(tmp_path / "b.DCM", GREY)
    write_dicom(tmp_path / "c.dicom", GREY)
    write_dicom(tmp_path / "DICOMDIR", GREY)  # a disc's table of contents
    save(tmp_path / "d.png", GREY)
    (tmp_path / "README").write_text("not a picture " * 20)
    found = find_images(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == [
        "a/1.2.840.10008.1",
        "a/1.2.840.10008.2",
        "a/IM0001",
        "b.DCM",
        "c.dicom",
        "d.png",
    ]
    assert all(np.array_equal(read_image(path), GREY) for path in found)
    assert safe_ids(found, tmp_path) == ["1.2.840.10008.1", "1.2.840.10008.2", "IM0001", "b", "c", "d"]
    assert not is_dicom(tmp_path / "d.png")
    assert not is_dicom(tmp_path / "nothing")


@pytest.fixture
def dicom_lungs(tmp_path, save) -> Path:
    """Two X-rays of 48 x 40 pixels as DICOM, one without extension, and their masks as PNG."""
    random, mask = np.random.default_rng(0), np.zeros((48, 40), np.uint8)
    mask[10:30, 5:20] = 255
    for name, spacing in (("a.dcm", [0.2, 0.1]), ("1.2.840.3", None)):
        pixels = random.integers(0, 4096, (48, 40), np.uint16)
        write_dicom(tmp_path / "images" / name, pixels, BitsStored=12, PixelSpacing=spacing)
    save(tmp_path / "masks" / "a.png", mask)
    save(tmp_path / "masks" / "1.2.840.3_mask.png", mask)
    return tmp_path


def test_images_of_a_masks_folder_may_be_dicom(dicom_lungs, flags):
    data = MasksDataset(flags(dataroot=str(dicom_lungs)), "all", train=False)
    assert data.ids == ["1.2.840.3", "a"]
    assert [data.spacing(i) for i in range(2)] == [None, (0.2, 0.1)]
    assert data.truth(1).sum() == 20 * 15
    assert data.image(0).shape == (48, 40, 3)
    (dicom_lungs / "splits.csv").write_text("image,split,spacing\nimages/1.2.840.3,test,0.3\nimages/a.dcm,test,\n")
    data = MasksDataset(flags(dataroot=str(dicom_lungs)), "test", train=False)
    assert [data.spacing(i) for i in range(2)] == [(0.3, 0.3), (0.2, 0.1)]


def test_single_folders_and_aligned_pairs_may_be_dicom(dicom_lungs, flags):
    data = SingleDataset(flags(dataroot=str(dicom_lungs / "images")), "test", train=False)
    assert data.ids == ["1.2.840.3", "a"]
    assert data.spacing(1) == (0.2, 0.1)
    write_dicom(dicom_lungs / "test" / "p.dcm", np.hstack([GREY, 255 - GREY]))
    pair = AlignedDataset(flags(dataroot=str(dicom_lungs)), "test", train=False)
    assert np.array_equal(pair.image(0)[..., 0], GREY)


def test_a_contradiction_about_black_and_white_is_counted_for_a_whole_folder(tmp_path, save, flags, capsys):
    for i in range(3):
        shape = "INVERSE" if i else "IDENTITY"
        write_dicom(tmp_path / "images" / f"x{i}.dcm", GREY + np.uint8(i), PresentationLUTShape=shape)
        save(tmp_path / "masks" / f"x{i}.png", (100 + i < GREY) * np.uint8(255))
    create_dataset(flags(dataroot=str(tmp_path), dataset_mode="masks"), "all", train=False)
    said = capsys.readouterr().err
    assert "all: 2 of 3 images have a PresentationLUTShape that contradicts their PhotometricInterpretation" in said
    assert f"the first is {tmp_path / 'images' / 'x1.dcm'}" in said
    assert check(tmp_path, Classes.load("lungs")).hints[SHAPE] == ["images/x1.dcm", "images/x2.dcm"]
