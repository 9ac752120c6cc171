"""`python -m data.prepare shenzhen`, on a small copy of the set's layout."""

import numpy as np
import pytest

from tests.data.prepare.helpers import facts_of, pixels, rows_of
from util.errors import UserError

NAMES = ["CHNCXR_0001_0", "CHNCXR_0002_0", "CHNCXR_0003_0", "CHNCXR_0327_1", "CHNCXR_0025_0"]


@pytest.fixture
def shenzhen(tmp_path, save):
    """Five X-rays of their own sizes, one of them in colours, and four masks beside the set."""
    root = tmp_path / "downloads"
    for i, name in enumerate(NAMES):
        image = np.full((20 + i, 24), 40 + i, np.uint8)
        save(root / "ChinaSet_AllFiles" / "CXR_png" / f"{name}.png", np.dstack([image] * 3) if i == 1 else image)
        if i < 4:
            mask = np.zeros((20 + i, 24), np.uint8)
            mask[5:15, 4:20] = 255
            save(root / "mask" / f"{name}_mask.png", mask)
    (root / "ChinaSet_AllFiles" / "ClinicalReadings").mkdir()
    (root / "ChinaSet_AllFiles" / "ClinicalReadings" / "CHNCXR_0001_0.txt").write_text("male 45yrs\nnormal\n")
    return root


def test_images_without_a_mask_are_left_out_and_listed(shenzhen, tmp_path, prepare, capsys):
    dst = tmp_path / "out"
    prepare("shenzhen", shenzhen, dst)
    rows = rows_of(dst)
    assert list(rows) == sorted(NAMES[:4])
    assert [rows[name]["split"] for name in NAMES[:4]] == ["train", "val", "test", "test"]
    assert rows["CHNCXR_0327_1"]["label"] == "tuberculosis" and rows["CHNCXR_0327_1"]["patient"] == "shenzhen-0327"
    facts = facts_of(dst)
    assert facts["left_out"] == {"no mask": ["CHNCXR_0025_0.png"]} and facts["spacing_mm"] == {"unknown": 4}
    assert "left out: 1 (no mask): CHNCXR_0025_0.png" in capsys.readouterr().out
    coloured = pixels(dst / "images" / "CHNCXR_0002_0.png")
    assert coloured.shape == (21, 24) and (coloured == 41).all()


def test_a_mask_of_another_size_is_named(shenzhen, tmp_path, prepare, save):
    save(shenzhen / "mask" / "CHNCXR_0002_0_mask.png", np.zeros((8, 8), np.uint8))
    prepare("shenzhen", shenzhen, tmp_path / "out")
    assert facts_of(tmp_path / "out")["left_out"]["damaged"] == [
        "mask/CHNCXR_0002_0_mask.png: 8 x 8 pixels, but its image CHNCXR_0002_0.png has 24 x 21"]


def test_a_copy_of_a_file_is_not_a_second_image(shenzhen, tmp_path, prepare, save):
    save(shenzhen / "zz copy" / "CHNCXR_0001_0.png", np.zeros((8, 8), np.uint8))
    prepare("shenzhen", shenzhen, tmp_path / "out")
    assert facts_of(tmp_path / "out")["odd"] == {
        "a second file of the same name, not used": ["zz copy/CHNCXR_0001_0.png"]}
    assert (pixels(tmp_path / "out" / "images" / "CHNCXR_0001_0.png") == 40).all()


def test_images_and_masks_are_two_downloads(shenzhen, tmp_path, prepare):
    with pytest.raises(UserError, match=r"\(found 5\) .*_mask.png \(found 0\).* name a folder that holds both"):
        prepare("shenzhen", shenzhen / "ChinaSet_AllFiles", tmp_path / "out")
