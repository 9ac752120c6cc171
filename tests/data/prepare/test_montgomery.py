"""`python -m data.prepare montgomery`, on a small copy of the set's layout."""

import numpy as np
import pytest
from PIL import Image

from data.prepare.montgomery import Montgomery
from tests.data.prepare.helpers import facts_of, pixels, rows_of, splits_of
from tests.dicoms import write_dicom
from util.errors import UserError


def test_both_lungs_become_one_mask_and_file_names_give_patient_and_label(montgomery, tmp_path, prepare, capsys):
    dst = tmp_path / "out"
    prepare("montgomery", montgomery, dst)
    mask = pixels(dst / "masks" / "MCUCXR_0001_0.png")
    assert mask.dtype == np.uint8
    assert set(np.unique(mask)) == {0, 255}
    assert (mask > 0).sum() == 12 * 6 + 16 * 6
    original = pixels(montgomery / "CXR_png" / "MCUCXR_0001_0.png")
    assert (pixels(dst / "images" / "MCUCXR_0001_0.png") == original).all()
    assert rows_of(dst)["MCUCXR_0104_1"] == {
        "image": "images/MCUCXR_0104_1.png",
        "mask": "masks/MCUCXR_0104_1.png",
        "source": "montgomery",
        "split": "train",
        "patient": "montgomery-0104",
        "label": "tuberculosis",
        "spacing": "",
    }
    facts = facts_of(dst)
    assert facts["images"] == facts["patients"] == 8
    assert facts["sizes"] == {"20 x 24": 8}
    assert facts["counts"]["val"] == {"montgomery": {"normal": 1, "tuberculosis": 1}}
    assert facts["left_out"] == facts["odd"] == {}
    assert "Jaeger" in facts["citation"]
    said = capsys.readouterr().out
    assert "out: montgomery, 8 images of 8 patients: train 5, val 2, test 1 (the published split" in said


def test_the_published_split_goes_by_the_number_in_the_name(montgomery, tmp_path, prepare):
    prepare("montgomery", montgomery, tmp_path / "out")
    places = {int(name[7:11]): split for name, split in splits_of(tmp_path / "out").items()}
    assert places == {1: "train", 2: "train", 3: "val", 4: "test", 104: "train", 108: "train", 117: "val", 162: "train"}


@pytest.mark.parametrize("src", ["..", "CXR_png", "ManualMask", "ManualMask/leftMask"])
def test_a_folder_around_or_inside_the_set_will_do(montgomery, tmp_path, prepare, src):
    prepare("montgomery", montgomery / src, tmp_path / "out")
    assert len(rows_of(tmp_path / "out")) == 8


def test_links_are_followed_and_names_match_in_any_case(montgomery, tmp_path, prepare):
    (montgomery / "CXR_png").rename(tmp_path / "elsewhere")
    (montgomery / "cxr_PNG").symlink_to(tmp_path / "elsewhere")
    (montgomery / "around").symlink_to(montgomery)
    prepare("montgomery", montgomery, tmp_path / "out")
    assert len(rows_of(tmp_path / "out")) == 8
    assert facts_of(tmp_path / "out")["odd"] == {}


def test_a_copy_with_one_mask_of_both_lungs_gives_the_same(montgomery, tmp_path, prepare, save):
    """Kaggle's: CXR_png/ and masks/, which holds Shenzhen's masks too."""
    prepare("montgomery", montgomery, tmp_path / "out")
    kaggle = tmp_path / "Lung Segmentation"
    (montgomery / "CXR_png").rename(kaggle.with_name("x"))
    kaggle.mkdir()
    kaggle.with_name("x").rename(kaggle / "CXR_png")
    for mask in (tmp_path / "out" / "masks").iterdir():
        save(kaggle / "masks" / mask.name, pixels(mask))
    save(kaggle / "masks" / "CHNCXR_0001_0_mask.png", np.zeros((8, 8), np.uint8))
    save(kaggle / "masks" / "MCUCXR_0399_1.png", np.zeros((8, 8), np.uint8))
    prepare("montgomery", kaggle, tmp_path / "merged")
    assert rows_of(tmp_path / "merged") == rows_of(tmp_path / "out")
    for name in rows_of(tmp_path / "out"):
        one, other = (pixels(tmp_path / out / "masks" / f"{name}.png") for out in ("out", "merged"))
        assert (one == other).all()
    assert facts_of(tmp_path / "merged")["left_out"] == {"a mask without its image": ["MCUCXR_0399_1"]}


@pytest.mark.parametrize("extension", [".dcm", ""])
def test_images_may_be_dicom(montgomery, tmp_path, prepare, extension):
    prepare("montgomery", montgomery, tmp_path / "out")
    for path in (montgomery / "CXR_png").glob("*.png"):
        name = montgomery / "DICOM" / f"{path.stem}{extension}"
        write_dicom(name, pixels(path), PixelSpacing=[0.2, 0.1])
        path.unlink()
    prepare("montgomery", montgomery, tmp_path / "dicom")
    rows = rows_of(tmp_path / "dicom")
    assert {row["spacing"] for row in rows.values()} == {"0.2 0.1"}
    for name in rows_of(tmp_path / "out"):
        one, other = (pixels(tmp_path / out / "images" / f"{name}.png") for out in ("out", "dicom"))
        assert (one == other).all()


def test_images_and_masks_match_whatever_their_case(montgomery, tmp_path, prepare):
    for path in (montgomery / "ManualMask" / "leftMask").iterdir():
        path.rename(path.with_name(path.name.lower()))
    for path in (montgomery / "CXR_png").glob("*.png"):
        path.rename(path.with_suffix(".PNG"))
    prepare("montgomery", montgomery, tmp_path / "out")
    assert len(rows_of(tmp_path / "out")) == 8
    assert facts_of(tmp_path / "out")["left_out"] == {}


def test_an_image_with_the_mask_of_one_lung_is_left_out(montgomery, tmp_path, prepare, capsys):
    (montgomery / "ManualMask" / "leftMask" / "MCUCXR_0002_0.png").unlink()
    (montgomery / "CXR_png" / "MCUCXR_0003_0.png").unlink()
    prepare("montgomery", montgomery, tmp_path / "out")
    assert rows_of(tmp_path / "out").keys().isdisjoint({"MCUCXR_0002_0", "MCUCXR_0003_0"})
    left_out = facts_of(tmp_path / "out")["left_out"]
    assert left_out == {
        "no mask of the left lung": ["MCUCXR_0002_0.png"],
        "a mask without its image": ["MCUCXR_0003_0"],
    }
    assert "left out: 1 (no mask of the left lung)\n  MCUCXR_0002_0.png" in capsys.readouterr().out


def test_a_folder_that_is_not_the_set_is_refused(tmp_path, prepare, save):
    save(tmp_path / "src" / "CXR_png" / "MCUCXR_0001_0.png", np.zeros((8, 8), np.uint8))
    with pytest.raises(UserError, match=r"src: not the Montgomery set: .*\(found 1\).*leftMask/ \(found 0\)"):
        prepare("montgomery", tmp_path / "src", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_originals_have_the_published_pixel_spacing_and_reduced_copies_do_not(montgomery, tmp_path):
    source = Montgomery()
    item = source.find(montgomery).items[0]
    assert source.extent(item) is None
    Image.new("1", (4892, 4020)).save(item.image)
    assert source.extent(item) == pytest.approx((351.75, 428.05))
