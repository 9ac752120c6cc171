"""`python -m data.prepare jsrt`: 12-bit raw files, and masks of another size."""

from pathlib import Path

import numpy as np
import pytest

from data.prepare.jsrt import Jsrt, read_raw
from tests.data.prepare.helpers import facts_of, pixels, rows_of
from util.errors import UserError


def write_raw(path: Path, values: np.ndarray) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    values.astype(">u2").tofile(path)
    return path


@pytest.fixture
def jsrt(tmp_path, save, monkeypatch) -> Path:
    """Four images of 32 x 32 pixels, brighter to the left, and masks of 16 x 16 in SCR's two folders, GIF and TIFF."""
    monkeypatch.setattr(Jsrt, "side", 32)
    root = tmp_path / "src"
    for i, name in enumerate(("JPCLN001", "JPCLN013", "JPCNN001", "JPCNN002")):
        write_raw(root / "All247images" / f"{name}.IMG", np.tile(np.arange(32) * 100 + i, (32, 1)))
        for organ, columns in (("left lung", slice(9, 14)), ("right lung", slice(2, 7)), ("heart", slice(6, 10))):
            mask = np.zeros((16, 16), np.uint8)
            mask[4:12, columns] = 255
            save(root / "scratch" / f"fold{1 + i % 2}" / "masks" / organ / f"{name}.{('gif', 'tif')[i % 2]}", mask)
    return root


def test_a_file_of_the_real_size_is_big_endian_and_its_0_is_white(tmp_path):
    values = np.full((2048, 2048), 0x0123, np.uint16)
    values[0, 0], values[0, 1], values[1, 0], values[2047, 2047] = 0, 4095, 4100, 2048
    path = write_raw(tmp_path / "JPCLN001.IMG", values)
    assert path.stat().st_size == 8_388_608
    assert path.read_bytes()[4:6] == b"\x01\x23"
    image = read_raw(path, 2048)
    assert image.shape == (2048, 2048)
    assert image.dtype == np.uint16
    assert image[0, 0] == 65535
    assert image[0, 1] == image[1, 0] == 0
    assert image[5, 5] == round((4095 - 0x123) * 65535 / 4095)
    assert image[2047, 2047] == round(2047 * 65535 / 4095)


def test_the_image_is_scaled_to_the_size_of_its_mask(jsrt, tmp_path, prepare):
    dst = tmp_path / "out"
    prepare("jsrt", jsrt, dst, "--keep_bits")
    rows = rows_of(dst)
    assert {name: (row["split"], row["label"]) for name, row in rows.items()} == {
        "JPCLN001": ("train", "nodule"),
        "JPCLN013": ("val", "nodule"),
        "JPCNN001": ("train", "no nodule"),
        "JPCNN002": ("train", "no nodule"),
    }
    assert rows["JPCLN001"]["spacing"] == "0.35 0.35"
    assert rows["JPCLN001"]["patient"] == "JPCLN001"
    image, mask = pixels(dst / "images" / "JPCLN001.png"), pixels(dst / "masks" / "JPCLN001.png")
    assert image.shape == mask.shape == (16, 16)
    assert image.dtype == np.uint16
    assert (np.diff(image[8].astype(int)) < 0).all()  # raw values rise to the right, and 0 is white
    assert (mask > 0).sum() == 8 * (5 + 5)  # both lungs, no heart


def test_without_keep_bits_twelve_bits_become_eight(jsrt, tmp_path, prepare):
    prepare("jsrt", jsrt, tmp_path / "out", "--size", 32)
    image = pixels(tmp_path / "out" / "images" / "JPCLN001.png")
    assert image.dtype == np.uint8
    assert image.shape == (32, 32)
    assert image[0].tolist() == [round((4095 - 100 * x) * 255 / 4095) for x in range(32)]
    assert rows_of(tmp_path / "out")["JPCLN001"]["spacing"] == "0.175 0.175"


def test_short_and_byte_swapped_files_are_refused(jsrt, tmp_path, prepare):
    images = jsrt / "All247images"
    (images / "JPCLN001.IMG").write_bytes(b"\0" * 100)
    np.full((32, 32), 300, "<u2").tofile(images / "JPCNN001.IMG")
    prepare("jsrt", images, tmp_path / "out")
    short, swapped = facts_of(tmp_path / "out")["left_out"]["damaged"]
    assert short == "All247images/JPCLN001.IMG: 100 bytes; a raw image of 32 x 32 12-bit values has 2048"
    assert "JPCNN001.IMG: values up to 11265; want 12 bits (0 to 4095) in big-endian order" in swapped


def test_images_without_the_separate_download_of_masks_are_refused(jsrt, tmp_path, prepare):
    (jsrt / "scratch").rename(tmp_path / "scratch")
    with pytest.raises(UserError, match=r"JPCLN001.IMG .*\(found 4\).*\(found 0\).* two downloads"):
        prepare("jsrt", jsrt, tmp_path / "out")
