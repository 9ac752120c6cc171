"""`python -m data.prepare shenzhen`, on a small copy of the set's layout."""

import numpy as np
import pytest

from tests.data.prepare.helpers import SHENZHEN, facts_of, pixels, rows_of
from tests.dicoms import write_dicom
from util.errors import UserError


def test_images_without_a_mask_are_left_out_and_listed(shenzhen, tmp_path, prepare, capsys):
    dst = tmp_path / "out"
    prepare("shenzhen", shenzhen, dst)
    rows = rows_of(dst)
    assert list(rows) == sorted(SHENZHEN[:4])
    assert [rows[name]["split"] for name in SHENZHEN[:4]] == ["train", "val", "test", "test"]
    assert rows["CHNCXR_0327_1"]["label"] == "tuberculosis"
    assert rows["CHNCXR_0327_1"]["patient"] == "shenzhen-0327"
    facts = facts_of(dst)
    assert facts["left_out"] == {"no mask": ["CHNCXR_0025_0.png"]}
    assert facts["spacing_mm"] == {"unknown": 4}
    assert "left out: 1 (no mask)\n  CHNCXR_0025_0.png" in capsys.readouterr().out
    coloured = pixels(dst / "images" / "CHNCXR_0002_0.png")
    assert coloured.shape == (21, 24)
    assert (coloured == 41).all()


def test_a_mask_of_another_size_is_named(shenzhen, tmp_path, prepare, save):
    save(shenzhen / "mask" / "CHNCXR_0002_0_mask.png", np.zeros((8, 8), np.uint8))
    prepare("shenzhen", shenzhen, tmp_path / "out")
    assert facts_of(tmp_path / "out")["left_out"]["damaged"] == [
        "mask/CHNCXR_0002_0_mask.png: 8 x 8 pixels, but its image CHNCXR_0002_0.png has 24 x 21"
    ]


def test_a_copy_of_a_file_is_not_a_second_image(shenzhen, tmp_path, prepare, save):
    save(shenzhen / "zz copy" / "CHNCXR_0001_0.png", np.zeros((8, 8), np.uint8))
    prepare("shenzhen", shenzhen, tmp_path / "out")
    assert facts_of(tmp_path / "out")["odd"] == {
        "a second file of the same name, not used": ["zz copy/CHNCXR_0001_0.png"]
    }
    assert (pixels(tmp_path / "out" / "images" / "CHNCXR_0001_0.png") == 40).all()


def test_images_without_the_separate_download_of_masks_are_refused(shenzhen, tmp_path, prepare):
    with pytest.raises(UserError, match=r"\(found 5\) .*_mask.png \(found 0\).* name a folder that holds both"):
        prepare("shenzhen", shenzhen / "ChinaSet_AllFiles", tmp_path / "out")


def test_images_may_be_dicom_and_masks_have_names_in_any_case(shenzhen, tmp_path, prepare):
    for path in (shenzhen / "ChinaSet_AllFiles" / "CXR_png").glob("*.png"):
        write_dicom(path.with_suffix(".dcm"), pixels(path).reshape(*pixels(path).shape[:2], -1)[..., 0])
        path.unlink()
    for path in (shenzhen / "mask").iterdir():
        path.rename(path.with_name(path.name.upper()))
    prepare("shenzhen", shenzhen, tmp_path / "out")
    assert list(rows_of(tmp_path / "out")) == sorted(SHENZHEN[:4])
    assert facts_of(tmp_path / "out")["left_out"] == {"no mask": ["CHNCXR_0025_0.dcm"]}
