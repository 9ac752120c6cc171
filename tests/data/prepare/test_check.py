"""`python -m data.prepare masks` lists the errors and hints about a folder."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import options.train
from data import create_dataset
from data.classes import Classes
from data.masks import find_rows
from data.prepare.check import (
    DIM,
    EMPTY,
    EVEN,
    INVERTED,
    LOSSY,
    ONE_SIDE,
    OWNER,
    SAME_MASK,
    STRAY,
    TWICE,
    UNLISTED,
    UNREAD,
    check,
)
from data.prepare.findings import Findings
from tests.dicoms import write_dicom
from util.errors import UserError

LUNGS = Classes.load("lungs")


def look(root: Path, **how: str) -> Findings:
    return check(root, LUNGS, **how)


def errors(root: Path) -> list[str]:
    return look(root).errors


@pytest.fixture
def listed(lungs) -> Path:
    """The ten X-rays with a list: p0 to p5 train, p6 and p7 val, p8 and p9 test; two images to a patient."""
    splits = ["train"] * 6 + ["val"] * 2 + ["test"] * 2
    write_list(lungs, [f"images/p{i}.png,{split},P{i // 2}" for i, split in enumerate(splits)])
    return lungs


def write_list(root: Path, rows: list[str], columns: str = "image,split,patient") -> None:
    (root / "splits.csv").write_text("\n".join([columns, *rows]) + "\n")


def change_list(root: Path, old: str, new: str) -> None:
    path = root / "splits.csv"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_a_folder_in_order_has_no_errors(listed):
    found = look(listed)
    assert found.errors == []
    assert found.summary == {
        "images": "10",
        "masks": "10",
        "patients": "5",
        "sizes": "40 x 48 (10)",
        "pixels": "8-bit grey (10)",
        "foreground": "13.8% to 15.9% of a mask, median 15.6%",
        "splits": "train 6 (3 patients), val 2 (1 patient), test 2 (1 patient), from splits.csv",
    }
    assert dict(found.hints) == {
        "splits": [
            "2 images in val: too few to choose the best epoch with",
            "2 images in test: too few to score with",
            "only 5 patients: too few to learn or to conclude much from",
        ]
    }


def test_images_without_masks_are_errors_and_masks_without_images_hints(listed, save):
    (listed / "masks" / "p0.png").unlink()
    (listed / "masks" / "p1.png").rename(listed / "masks" / "q1.png")
    save(listed / "images" / "new.png", np.zeros((48, 40), np.uint8))
    save(listed / "masks" / "new.png", np.zeros((48, 40), np.uint8))
    assert errors(listed) == [
        "images/p0.png: no mask of this name in masks/",
        "images/p1.png: no mask of this name in masks/",
    ]
    assert look(listed).hints[STRAY] == ["masks/q1.png"]
    assert look(listed).hints[UNLISTED] == ["images/new.png"]
    (listed / "splits.csv").unlink()
    assert errors(listed)[2] == "masks/q1.png: no image of this name in images"


def test_two_images_of_one_name_are_an_error_unless_a_list_decides(listed, save):
    save(listed / "images" / "p3.bmp", np.zeros((48, 40), np.uint8))
    assert errors(listed) == [], "the list says which of the two is meant"
    (listed / "splits.csv").unlink()
    assert errors(listed) == [
        "images/p3.png and p3.bmp: two images of one name, so a mask could belong to either; rename or remove one"
    ]


def test_second_masks_and_masks_of_missing_images_are_errors(listed, save):
    (listed / "splits.csv").unlink()
    for name in ("p0.tif", "p1_label.png", "B/p2.png", "p3_left.png"):
        save(listed / "masks" / name, np.full((48, 40), 255, np.uint8))
    ours = [line for line in errors(listed) if "named as its mask" in line or "no image of this name" in line]
    assert [line.split(": ")[0] for line in ours] == [
        "images/p0.png",
        "images/p1.png",
        "images/p3.png",
        "masks/B/p2.png",
    ]


def test_an_image_that_lacks_the_mask_of_one_side_is_a_hint(listed):
    text = (listed / "splits.csv").read_text()
    (listed / "splits.csv").write_text(re.sub(r"masks/\S+?\.png", "", text))
    for i in range(10):
        mask = listed / "masks" / f"p{i}.png"
        shutil.copy(mask, mask.with_name(f"p{i}_left.png"))
        mask.rename(mask.with_name(f"p{i}_right.png"))
    assert ONE_SIDE not in look(listed).hints
    (listed / "masks" / "p4_left.png").unlink()
    assert look(listed).hints[ONE_SIDE] == ["masks/p4_right.png"]


def test_a_folder_without_any_mask_says_so_once(listed):
    for mask in (listed / "masks").iterdir():
        mask.unlink()
    assert errors(listed) == ["masks: no image has a mask, so there is nothing to train on"]


def test_a_mask_of_another_size_than_its_image_is_an_error(listed, save):
    save(listed / "masks" / "p0.png", np.zeros((40, 48), np.uint8))
    assert errors(listed) == ["masks/p0.png: 48 x 40, but its image images/p0.png has 40 x 48: both need one size"]


def test_files_that_cannot_be_read_are_errors(listed):
    (listed / "images" / "p0.png").write_bytes(b"")
    (listed / "masks" / "p1.png").write_bytes((listed / "masks" / "p1.png").read_bytes()[:60])
    (listed / "images" / "p2.png").write_text("<!doctype html>")
    assert [line.split(": ")[:2] for line in errors(listed)] == [
        ["images/p0.png", "the file is empty (0 bytes)"],
        ["images/p2.png", "not an image"],
        ["masks/p1.png", "the image is damaged"],
    ]


def test_a_mask_with_three_values_is_an_error(listed, save):
    grey = np.zeros((48, 40), np.uint8)
    grey[10:20, 10:20] = 100
    grey[20:30, 10:20] = 200
    save(listed / "masks" / "p0.png", grey)
    assert errors(listed) == [
        "masks/p0.png: a mask of two classes holds 0 and one other value, this one holds 2 "
        "others: 100, 200; threshold it first"
    ]


def test_classes_that_no_mask_has_are_a_hint(listed):
    colours = np.array([[0, 0, 0], [255, 255, 255], [255, 0, 0]], np.uint8)
    found = check(listed, Classes(("air", "lung", "heart"), colours))
    assert not found.errors
    assert found.hints["classes that no mask holds"] == ["heart"]
    found = check(listed, Classes(("air", "heart"), colours[[0, 2]]))
    assert not found.errors, "0 and one other value are background and foreground"


def test_masks_that_are_perhaps_wrong_are_hints(listed, save):
    box = np.zeros((48, 40), np.uint8)
    box[10:20, 10:20] = 255
    save(listed / "masks" / "p0.png", 255 - box)
    save(listed / "masks" / "p1.png", box * 0)
    (listed / "masks" / "p2.png").unlink()
    save(listed / "masks" / "p2.jpg", box, quality=50)
    found = look(listed)
    assert not found.errors
    assert found.hints[INVERTED] == ["masks/p0.png: 95% foreground"]
    assert found.hints[EMPTY] == ["masks/p1.png"]
    (line,) = found.hints[LOSSY]
    share = float(line.removeprefix("masks/p2.jpg: ").split("%")[0])
    assert 1 < share < 30


def test_a_mask_is_empty_only_if_all_its_parts_are(listed, save):
    whole = np.array(Image.open(listed / "masks" / "p0.png"))
    (listed / "masks" / "p0.png").unlink()
    save(listed / "masks" / "p0_left.png", whole)
    save(listed / "masks" / "p0_right.png", whole * 0)
    found = look(listed)
    assert not found.errors
    assert EMPTY not in found.hints


def test_12_bit_values_in_16_bit_files_are_a_hint(listed, save):
    random = np.random.default_rng(1)
    deep = random.integers(0, 4096, (48, 40)).astype(np.uint16)
    save(listed / "images" / "p0.png", deep)
    save(listed / "images" / "p1.png", deep * 16)
    save(listed / "images" / "p2.png", deep * 0 + 7)
    found = look(listed)
    assert not found.errors
    assert found.hints[DIM] == ["images/p0.png: 6.2% of the range"]
    assert found.hints[EVEN] == ["images/p2.png"]
    assert found.summary["pixels"] == "8-bit grey (7), 16-bit grey (3)"


def test_the_same_picture_in_two_splits_is_an_error_in_any_file_format(listed):
    first = Image.open(listed / "images" / "p0.png")
    first.convert("RGB").save(listed / "images" / "p9.png", compress_level=1)
    first.save(listed / "images" / "p1.png", compress_level=0)
    assert errors(listed) == [
        "images/p9.png (test) and images/p0.png, images/p1.png (train): the same picture in two splits; remove one, or "
        "put them in one split"
    ]
    first.convert("RGB").point(lambda value: value ^ 1).save(listed / "images" / "p9.png")
    found = look(listed)
    assert not found.errors
    assert found.hints[TWICE] == ["images/p0.png: images/p1.png"]


def test_many_copies_of_a_picture_name_a_few_files(listed, tmp_path):
    picture = (listed / "images" / "p0.png").read_bytes()
    for i in range(1, 6):
        (listed / "images" / f"p{i}.png").write_bytes(picture)
    assert look(listed).hints[TWICE] == ["images/p0.png: images/p1.png, images/p2.png, images/p3.png and 2 more"]
    (tmp_path / "elsewhere.png").write_bytes(picture)
    change_list(listed, "images/p9.png", str(tmp_path / "elsewhere.png"))
    change_list(listed, "test,P4", "test,P4,masks/p9.png")
    change_list(listed, "patient", "patient,mask")
    assert errors(listed)[0].startswith(
        f"{tmp_path / 'elsewhere.png'} (test) and images/p0.png, images/p1.png, "
        "images/p2.png and 3 more (train): the same picture in two splits"
    )


def test_the_same_picture_in_two_drawn_splits_is_an_error(lungs):
    split_of = {row.stem: split for split in ("train", "test") for row in _drawn(lungs, split)}
    train, test = (next(name for name, split in split_of.items() if split == want) for want in ("train", "test"))
    Image.open(lungs / "images" / f"{train}.png").save(lungs / "images" / f"{test}.png", compress_level=1)
    (line,) = errors(lungs)
    assert "the same picture in two splits; remove one, or give them one patient (--patient_regex, splits.csv)" in line
    assert not look(lungs, patient_regex="^p").errors[1:]


def _drawn(root: Path, split: str) -> list[Path]:
    return [row.image for row in find_rows(root).values() if row.split == split]


def test_different_images_with_the_same_mask_are_a_hint(listed):
    (listed / "masks" / "p1.png").write_bytes((listed / "masks" / "p0.png").read_bytes())
    found = look(listed)
    assert not found.errors
    assert found.hints[SAME_MASK] == ["images/p0.png: images/p1.png"]


def test_a_patient_in_two_splits_is_an_error(listed):
    change_list(listed, "images/p9.png,test,P4", "images/p9.png,test,P0")
    assert errors(listed) == [
        "splits.csv: patient P0 is in split train (images/p0.png) and split test "
        "(images/p9.png): the network is tested on a patient it was trained on"
    ]


def test_a_patient_in_two_folds_is_an_error(listed):
    write_list(
        listed,
        [f"images/p{i}.png,{'test' if i > 7 else 'train'},P{i // 2},{'' if i > 7 else i % 4 // 3}" for i in range(10)],
        "image,split,patient,fold",
    )
    assert errors(listed) == [
        f"splits.csv: patient P{k} is in fold 0 (images/p{2 * k}.png) and fold 1 (images/p{2 * k + 1}.png): the "
        "network is tested on a patient it was trained on"
        for k in (1, 3)
    ]


def test_dicom_headers_that_put_a_patient_in_two_splits_are_a_hint(listed):
    change_list(listed, "images/p0.png", "images/p0.dcm")
    change_list(listed, "images/p1.png", "images/p1.dcm")
    change_list(listed, "images/p8.png", "images/p8.dcm")
    pixels = np.random.default_rng(2).integers(0, 256, (3, 48, 40), np.uint8)

    def hints(*patients: str) -> list[str]:
        for name, image, patient in zip(("p0", "p1", "p8"), pixels, patients, strict=True):
            (listed / "images" / f"{name}.png").unlink(missing_ok=True)
            write_dicom(listed / "images" / f"{name}.dcm", image, PatientID=patient)
        found = look(listed)
        assert not found.errors
        return found.hints[OWNER]

    assert hints("MRN-1", "MRN-2", "MRN-1") == ["images/p8.dcm (test) and images/p0.dcm (train)"]
    assert hints("MRN-1", "MRN-1", "MRN-2") == []
    assert hints("anonymous", "anonymous", "anonymous") == [], "blanked ids say nothing"


def test_a_listed_file_that_is_missing_is_an_error(listed):
    change_list(listed, "images/p0.png", "images/gone.png")
    found = look(listed)
    assert found.errors == ["images/gone.png: splits.csv lists it, but there is no such file"]
    assert found.hints[UNLISTED] == ["images/p0.png"]


def test_unknown_and_empty_splits_are_hints(listed):
    change_list(listed, ",val,", ",validation,")
    change_list(listed, "p9.png,test", "p9.png,")
    found = look(listed)
    assert not found.errors
    assert found.hints["splits"] == [
        "1 image without a split, not used",
        "'validation' (2 images) is read only by --phase",
        "no image is in val to choose the best epoch with",
        "1 image in test: too few to score with",
        "only 5 patients: too few to learn or to conclude much from",
    ]
    change_list(listed, ",train,", ",Train,")
    assert errors(listed) == ["splits.csv: no image is in split train"]


def test_file_types_that_are_not_read_are_a_hint(listed):
    (listed / "images" / "p0.nii").touch()
    (listed / "images" / ".hidden").touch()
    assert look(listed).hints[UNREAD] == ["images/: .nii (1)"]


def test_the_command_prints_errors_and_hints_separately(listed, prepare, capsys):
    assert prepare("masks", listed) == 0
    said = capsys.readouterr().out
    assert said.startswith(f"{listed}\n  images      10\n")
    assert "\n1 error" not in said
    assert f"python train.py @recipes/lungs.txt --dataroot {listed} --name lungs\n" in said
    (listed / "masks" / "p0.png").unlink()
    assert prepare("masks", listed) == 1
    said = capsys.readouterr().out
    errors, hints = said.split("\nhints")
    assert "\n1 error\n  images/p0.png: no mask of this name in masks/\n" in errors
    assert "images/p0" not in hints
    assert "python train.py" not in said


def test_a_hint_names_ten_files_and_counts_the_rest(listed, prepare, capsys):
    for i in range(11, 26):
        (listed / "images" / f"new{i}.png").write_bytes((listed / "images" / "p0.png").read_bytes())
    assert prepare("masks", listed) == 0
    said = capsys.readouterr().out
    assert said.count("images/new") == 10
    assert "... and 5 more" in said


def test_a_missing_folder_is_refused(tmp_path, prepare):
    with pytest.raises(UserError, match="nowhere: no such folder"):
        prepare("masks", tmp_path / "nowhere")
    with pytest.raises(UserError, match="no folder images/ in it"):
        prepare("masks", tmp_path)


def test_real_lungs_are_in_order(real_data):
    found = look(real_data / "lungs")
    assert found.errors == []
    assert dict(found.hints) == {"splits": ["no image is in test to score with"]}
    assert found.summary["sources"] == "shenzhen (452), montgomery (110)"


def test_an_image_turned_without_its_mask_is_an_error(listed):
    exif = Image.Exif()
    exif[0x0112] = 3
    with Image.open(listed / "images" / "p2.png") as picture:
        picture.load()
        picture.save(listed / "images" / "p2.png", exif=exif)
    assert errors(listed) == ["masks/p2.png: rotation: one of this mask and its image is turned by an EXIF orientation"]


def test_dark_and_coloured_jpeg_masks_have_foreground(listed):
    """Edges are soft by the distance from the mask's own colour, not from white."""
    for i, colour in enumerate([(255, 0, 0), (90, 90, 90)], start=2):
        path = listed / "masks" / f"p{i}.png"
        with Image.open(path) as picture:
            inside = np.asarray(picture) > 0
        path.unlink()
        Image.fromarray(inside[:, :, None] * np.array(colour, np.uint8)).save(path.with_suffix(".jpg"), quality=95)
    found = look(listed)
    assert found.errors == []
    assert EMPTY not in found.hints
    assert all(float(line.split(": ")[1].split("%")[0]) < 50 for line in found.hints[LOSSY])


def test_a_split_whose_masks_are_all_empty_is_named(listed, save):
    """Training refuses it, so the check must not say that there are no errors."""
    for i in range(6, 10):
        save(listed / "masks" / f"p{i}.png", np.zeros((48, 40), np.uint8))
    found = look(listed)
    assert found.errors == []
    assert "all 2 masks in val are empty: nothing to choose the best epoch with" in found.hints["splits"]
    assert "all 2 masks in test are empty: nothing to score" in found.hints["splits"]
    box = np.zeros((48, 40), np.uint8)
    box[5:9, 5:9] = 255
    save(listed / "masks" / "p9.png", box)
    for i in range(6):
        save(listed / "masks" / f"p{i}.png", box * 0)
    assert errors(listed) == ["splits: all 6 masks in train are empty: nothing to train on"]


def test_swapped_folders_are_one_error_that_says_so(lungs, prepare, capsys):
    (lungs / "images").rename(lungs / "x")
    (lungs / "masks").rename(lungs / "images")
    (lungs / "x").rename(lungs / "masks")
    assert prepare("masks", lungs) == 1
    said = capsys.readouterr().out
    assert "images/ and masks/ are swapped: 10 of 10 files in masks/ are no masks, and their images are" in said
    assert "1 error\n" in said
    assert "threshold" not in said


@pytest.mark.parametrize(("images", "masks"), [("img", "label"), ("CXR_png", "mask"), ("image", "gt")])
def test_usual_names_of_the_folders_are_known_and_no_flag_of_train_py_is_advised(lungs, prepare, images, masks):
    (lungs / "images").rename(lungs / images)
    (lungs / "masks").rename(lungs / masks)
    with pytest.raises(UserError, match=f"rename its folder {images} to images; rename its folder {masks} to masks$"):
        prepare("masks", lungs)


def test_a_folder_of_masks_with_a_usual_name_is_known(lungs):
    (lungs / "masks").rename(lungs / "lung_mask")
    opt = options.train.parse(["--dataset_mode", "masks", "--dataroot", str(lungs)])
    with pytest.raises(UserError, match="rename its folder lung_mask to masks$"):
        create_dataset(opt, "train", train=True)


def test_a_list_of_which_no_image_exists_is_one_line(listed, prepare):
    (listed / "images").rename(listed / "img")
    nothing = "splits.csv: there is no folder .*images, and none of the 10 images .* exists, such as .*p0.png; "
    with pytest.raises(UserError, match=f"{nothing}rename its folder img to images$"):
        prepare("masks", listed)
    shutil.rmtree(listed / "img")
    with pytest.raises(UserError, match=f"{nothing}paths in it are relative to its own folder$"):
        prepare("masks", listed)


def folds_of(root: Path) -> dict[str, str]:
    return {name: row.fold for name, row in find_rows(root).items()}


def test_folds_are_written_by_patient_and_the_rest_of_the_list_stays(lungs, prepare, capsys):
    images = sorted(path.stem for path in (lungs / "images").iterdir())
    prepare("masks", lungs, "--folds", 3)
    assert f"splits.csv: 3 folds of 3 to 4 images, by patient ({len(images)})" in capsys.readouterr().out
    first = folds_of(lungs)
    assert {*first.values()} == {"0", "1", "2"}
    prepare("masks", lungs, "--folds", 3)
    assert folds_of(lungs) == first
    lines = [f"images/{name}.png;{'test' if i < 4 else 'train'};P{i // 2};old" for i, name in enumerate(images)]
    (lungs / "splits.csv").write_text("\n".join(["image;split;patient;age", *lines]))
    with pytest.raises(UserError, match="--folds 9: want at least 2, and at most one for each of the 3 patients"):
        prepare("masks", lungs, "--folds", 9)
    assert prepare("masks", lungs, "--folds", 2) == 0
    assert "4 images of split test stay aside" in capsys.readouterr().out
    folds = folds_of(lungs)
    assert [folds[name] for name in images[:4]] == [""] * 4
    assert all(folds[one] == folds[other] != "" for one, other in zip(images[4::2], images[5::2], strict=True))
    assert (
        (lungs / "splits.csv")
        .read_text()
        .startswith(f"image;split;patient;age;fold\nimages/{images[0]}.png;test;P0;old;\n")
    )


@pytest.mark.parametrize("named", ["1 2 3", "0 1", "a b c"])
def test_other_folds_from_before_are_not_replaced(lungs, prepare, named):
    lines = [f"images/p{i}.png\ttrain\t{named.split()[i % len(named.split())]}" for i in range(10)]
    text = "\n".join(["image\tsplit\tfold", *lines])
    (lungs / "splits.csv").write_text(text)
    message = (
        f"--folds 3: .*lists fold {', '.join(named.split())} already, and want 0, 1, 2; delete its column fold, or"
    )
    with pytest.raises(UserError, match=message):
        prepare("masks", lungs, "--folds", 3)
    assert (lungs / "splits.csv").read_text() == text


def test_folds_are_not_written_for_a_folder_with_errors(lungs, prepare):
    next((lungs / "masks").iterdir()).unlink()
    assert prepare("masks", lungs, "--folds", 2) == 1
    assert not (lungs / "splits.csv").exists()


@pytest.mark.parametrize("count", [1, 0, -2])
def test_fewer_than_two_folds_are_refused(lungs, prepare, count):
    with pytest.raises(
        UserError, match=f"--folds {count}: want at least 2, and at most one for each of the 10 patients"
    ):
        prepare("masks", lungs, "--folds", count)


def test_a_picture_of_two_patients_is_refused_where_folds_would_tear_it(lungs, prepare, capsys):
    for name in ("images", "masks"):
        shutil.copy(lungs / name / "p0.png", lungs / name / "copy.png")
    names = [f"p{i}" for i in range(10)]
    write_list(lungs, [f"images/{name}.png,train" for name in ("copy", *names)], "image,split")
    assert prepare("masks", lungs) == 0
    assert prepare("masks", lungs, "--folds", 2) == 1
    assert (
        "images/copy.png, images/p0.png: the same picture of several patients, whom --folds" in capsys.readouterr().out
    )
    tested = [f"images/{name}.png,{'test' if name in ('copy', 'p0') else 'train'}" for name in ("copy", *names)]
    write_list(lungs, tested, "image,split")
    assert prepare("masks", lungs, "--folds", 2) == 0, "no fold holds test's images"
    rows = [f"images/p{i}.png,train,{i % 2}" for i in range(10)]
    write_list(lungs, ["images/copy.png,train,1", *rows], "image,split,fold")
    assert "images/copy.png, images/p0.png: the same picture in folds 0 and 1: remove one, or" in errors(lungs)[0]


def test_folds_keep_the_patients_of_dicom_headers_together_where_the_list_names_none(lungs, prepare):
    pixels = np.random.default_rng(2).integers(0, 256, (6, 48, 40), np.uint8)
    shutil.rmtree(lungs / "images")
    for i in range(6):
        write_dicom(lungs / "images" / f"p{i}.dcm", pixels[i], PatientID=("A", "B ", " B", "C", "A", "D")[i])
    write_list(lungs, [f"images/p{i}.dcm,train" for i in range(6)], "image,split")
    assert prepare("masks", lungs, "--folds", 4) == 0
    rows = find_rows(lungs)
    assert [row.patient for row in rows.values()] == ["p0", "p1", "p1", "p3", "p0", "p5"]  # no ID of a header
    assert len({row.fold for row in rows.values()}) == 4
