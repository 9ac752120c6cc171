"""segment.py as a user runs it: masks, manifest, mistakes; the same masks as test.py's."""

import errno
import io
import json
import os
from collections.abc import Callable
from pathlib import Path, PurePath

import numpy as np
import pydicom
import pytest
from PIL import Image

import segment
from data.phantom.chests import chest
from tests.dicoms import write_dicom
from tests.helpers import read_json, read_table, save_run, words
from util.errors import UserError
from util.files import replacing
from util.show.pictures import save_png

NET = words("--netG unet_64 --ngf 4 --crop_size 64 --init_gain 0.2 --dataset_mode masks")


@pytest.fixture
def trained(tmp_path) -> Callable:
    """Save a run with random weights: its values lie around one half, so every difference in them shows in a mask."""
    return lambda name="tiny", *flags, seed=0, **recorded: save_run(
        tmp_path / "ck", name, *NET, *flags, seed=seed, **recorded
    )


@pytest.fixture
def scans(tmp_path) -> Path:
    """Drawn X-rays of several sizes and kinds, in sub-folders with equal names."""
    root = tmp_path / "scans"
    (root / "b").mkdir(parents=True)
    Image.fromarray(chest(0, size=96)[0]).save(root / "x.png")
    Image.fromarray(chest(1, size=120)[0].astype(np.uint16) * 257).save(root / "b" / "x.png")
    Image.fromarray(chest(2, size=64)[0]).convert("RGB").resize((80, 50)).save(root / "b" / "colour.jpg")
    write_dicom(root / "b" / "deep.dcm", chest(3, size=100)[0].astype(np.uint16) * 16, BitsStored=12)
    write_dicom(root / "b" / "1.2.3", chest(4, size=70)[0], PhotometricInterpretation="MONOCHROME1")
    return root


@pytest.fixture
def masks_of(start, tmp_path) -> Callable[..., Path]:
    """masks_of(PATH, flags) segments with the run `tiny` into tmp_path / out, which it returns."""

    def call(*more: object, run: str = "tiny", code: int = 0, out: str = "out") -> Path:
        where = ["--checkpoints_dir", tmp_path / "ck", "--gpu_ids", "-1", "--out", tmp_path / out]
        assert start(segment.main, run, *more, *where) == code
        return tmp_path / out

    return call


def pictures(folder: Path) -> dict[str, np.ndarray]:
    return {p.relative_to(folder).as_posix(): np.asarray(Image.open(p)) for p in sorted(folder.rglob("*.png"))}


def by_test(start, script, tmp_path, scans: Path, *flags: str, run: str = "tiny") -> dict[str, np.ndarray]:
    """The masks that test.py writes for a folder of images, by the names of their files."""
    where = ["--checkpoints_dir", tmp_path / "ck", "--results_dir", tmp_path / "results", "--gpu_ids", "-1"]
    data = ["--name", run, "--dataset_mode", "single", "--dataroot", scans]
    assert start(script.main, *where, *data, *flags) == 0
    (results,) = (tmp_path / "results").glob("*/*/masks")
    return pictures(results)


IN_TEST = {
    "x_mask.png": "x.png",
    "b/x_mask.png": "b_x.png",
    "b/colour_mask.png": "colour.png",
    "b/deep_mask.png": "deep.png",
    "b/1.2.3_mask.png": "1.2.3.png",
}


@pytest.mark.parametrize(
    "flags",
    [
        "",
        "--tta --keep_largest 2 --fill_holes --min_area 20 --mask_threshold 0.45",
        "--mask_threshold 0.6,10,0.4 --within other",
        "--samples 2",
    ],
)
def test_masks_are_those_of_test_py_to_the_pixel(start, script, tmp_path, trained, scans, masks_of, flags):
    trained("tiny", "--norm", "batch", "--clahe", "--intensity", "percentile")
    trained("other", "--crop_size", "32", "--netG", "resnet_6blocks", "--input_nc", "1", "--output_nc", "1", seed=1)
    expected = by_test(start, script, tmp_path, scans, *words(flags))
    masks = pictures(masks_of(scans, *words(flags)))
    assert sorted(masks) == sorted(IN_TEST)
    for name, mask in masks.items():
        assert np.array_equal(mask, expected[IN_TEST[name]]), name
    assert 0 < np.mean([mask.mean() for mask in masks.values()]) < 255


def test_an_ensemble_of_runs_in_patches_gives_test_pys_masks_too(start, script, tmp_path, trained, scans, masks_of):
    trained("tiny", "--patch", "32")
    trained("other", "--input_nc", "1", "--output_nc", "1", seed=1)
    expected = by_test(start, script, tmp_path, scans, run="tiny,other")
    masks = pictures(masks_of(scans, run="tiny,other"))
    assert all(np.array_equal(mask, expected[IN_TEST[name]]) for name, mask in masks.items())


def test_a_run_whose_images_keep_their_size_gives_test_pys_masks(start, script, tmp_path, trained, scans, masks_of):
    for path in (scans / "b" / "colour.jpg", scans / "b" / "1.2.3", scans / "b" / "deep.dcm"):
        path.unlink()
    trained("tiny", "--preprocess", "scale_width", "--netG", "resnet_6blocks")
    expected = by_test(start, script, tmp_path, scans)
    masks = pictures(masks_of(scans))
    assert len(masks) == 2
    assert all(np.array_equal(mask, expected[IN_TEST[name]]) for name, mask in masks.items())


def test_several_classes_are_painted_in_their_colours(start, script, tmp_path, trained, scans, masks_of):
    (tmp_path / "classes.json").write_text('{"none": [0, 0, 0], "heart": [255, 0, 0], "lungs": [0, 0, 255]}')
    trained("tiny", "--classes", str(tmp_path / "classes.json"))
    expected = by_test(start, script, tmp_path, scans)
    out = masks_of(scans, "--write", "png,rle")
    assert all(np.array_equal(mask, expected[IN_TEST[name]]) for name, mask in pictures(out).items())
    heart, lungs = read_json(out / "x_mask.json")
    assert [heart["class"], lungs["class"], *heart["size"]] == ["heart", "lungs", 96, 96]


def test_real_x_rays_get_test_pys_masks(start, script, tmp_path, trained, masks_of, real_data):
    scans = tmp_path / "real"
    scans.mkdir()
    chosen = [*sorted((real_data / "lungs" / "images").iterdir())[::70], *sorted((real_data / "dicom").glob("*.dcm"))]
    for path in chosen:
        (scans / path.name).write_bytes(path.read_bytes())
    trained()
    expected = by_test(start, script, tmp_path, scans)
    masks = pictures(masks_of(scans))
    assert len(masks) == len(chosen) > 9
    assert all(np.array_equal(mask, expected[name.replace("_mask", "")]) for name, mask in masks.items())


def test_the_manifest_says_what_each_mask_shows(trained, scans, masks_of):
    trained()
    out = masks_of(scans)
    rows = {row["path"]: row for row in read_table(out / "manifest.csv")}
    row = rows[str(scans / "b" / "deep.dcm")]
    assert (row["width"], row["height"], row["mask"], row["error"]) == ("100", "100", "b/deep_mask.png", "")
    assert int(row["area"]) == np.count_nonzero(Image.open(out / "b" / "deep_mask.png"))
    assert int(row["bytes"]) == (scans / "b" / "deep.dcm").stat().st_size
    assert len(row["sha256"]) == 64
    assert 0 <= float(row["confidence"]) <= 1
    assert sorted(rows) == sorted(str(path) for path in scans.rglob("*") if path.is_file())


def test_one_image_has_its_mask_beside_it_and_its_area_is_printed(trained, scans, start, tmp_path, capsys):
    trained()
    flags = ["--checkpoints_dir", tmp_path / "ck", "--gpu_ids", "-1"]
    assert start(segment.main, "tiny", scans / "x.png", *flags) == 0
    mask = np.asarray(Image.open(scans / "x_mask.png"))
    assert f"x_mask.png: {np.count_nonzero(mask)} pixels" in (printed := capsys.readouterr().out)
    assert ", confidence 0." in printed
    with pytest.raises(UserError, match=r"x_mask.png: exists already, .* --overwrite replaces it"):
        start(segment.main, "tiny", scans / "x.png", *flags)
    assert start(segment.main, "tiny", scans / "x.png", "--overwrite", *flags) == 0


def test_an_image_without_an_extension_is_not_its_own_mask(trained, scans, start, tmp_path, monkeypatch):
    """Since Python 3.12, a path and its text have one hash."""
    trained()
    monkeypatch.setattr(PurePath, "__hash__", lambda path: hash(str(path)))
    write_dicom(scans / "scan", np.full((64, 64), 90, np.uint8))
    assert start(segment.main, "tiny", scans / "scan", "--checkpoints_dir", tmp_path / "ck", "--gpu_ids", "-1") == 0
    assert (scans / "scan_mask.png").is_file()


def test_a_list_and_stdin_name_images_too(trained, scans, masks_of, tmp_path, monkeypatch):
    trained()
    paths = ["scans/x.png", "", "scans/b/x.png", "scans/x.png"]
    monkeypatch.chdir(tmp_path)
    Path("list.txt").write_text("\n".join(paths), encoding="utf-8-sig")  # as editors on Windows begin a file
    listed = pictures(masks_of("@list.txt"))
    assert sorted(listed) == ["scans/b/x_mask.png", "scans/x_mask.png"]
    monkeypatch.setattr("sys.stdin", io.StringIO("\n".join(paths)))
    assert sorted(pictures(masks_of("-", out="out2"))) == sorted(listed)


def test_run_lengths_and_segmentation_objects_hold_the_same_mask(trained, scans, masks_of):
    trained()
    out = masks_of(scans / "b" / "deep.dcm", "--write", "dicomseg,png,rle", "--classes", "lung")
    mask = np.asarray(Image.open(out / "deep_mask.png")) > 0
    assert np.array_equal(pydicom.dcmread(out / "deep_mask.dcm").pixel_array.reshape(mask.shape) > 0, mask)
    (lung,) = read_json(out / "deep_mask.json")
    values = np.repeat(np.arange(len(lung["counts"])) % 2, lung["counts"])  # as pycocotools reads it
    assert np.array_equal(values.reshape(lung["size"][::-1]).T > 0, mask)


def test_bad_files_are_listed_and_the_exit_code_says_so(trained, scans, masks_of, capsys):
    trained()
    (scans / "bad.png").write_bytes(b"no image")
    out = masks_of(scans, code=3)
    errors = [row["error"] for row in read_table(out / "manifest.csv") if row["error"]]
    assert len(errors) == 1
    assert "bad.png: not an image" in errors[0]
    assert len(pictures(out)) == 5
    assert "left out: " + errors[0] in capsys.readouterr().err
    assert masks_of(scans, code=3) == out  # again: nothing is left to do, and still one has no mask
    assert len(read_table(out / "manifest.csv")) == 6


def test_dicom_files_that_contradict_themselves_are_counted_and_not_kept(trained, scans, masks_of, capsys):
    from data.read import dicom

    trained()
    for name in ("c1.dcm", "c2.dcm"):
        write_dicom(scans / name, chest(5, size=64)[0], PresentationLUTShape="INVERSE")
    masks_of(scans)
    assert "2 images have a PresentationLUTShape that contradicts" in capsys.readouterr().err
    assert not [path for path in dicom.contradicting if scans in path.parents]


@pytest.mark.parametrize("names", [["bad.png", "x.png"], ["bad.png"], ["bad.png", "worse.png"]])
def test_under_torchrun_bad_images_fail_no_process(trained, scans, masks_of, monkeypatch, capsys, tmp_path, names):
    trained()
    for name in ("bad.png", "worse.png"):
        (scans / name).write_bytes(b"no image")
    (tmp_path / "list.txt").write_text("\n".join(str(scans / name) for name in names))
    monkeypatch.setenv("TORCHELASTIC_RUN_ID", "none")
    out = masks_of(f"@{tmp_path / 'list.txt'}")  # exit code 0
    assert "bad.png: not an image" in (said := capsys.readouterr().err)
    assert ("error: " in said) == ("x.png" not in names)
    assert len(read_table(out / "manifest.csv")) == len(names)


def test_files_of_the_user_are_not_replaced(trained, scans, masks_of, tmp_path, capsys):
    trained()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "x_mask.png").write_bytes(b"mine")
    out = masks_of(scans, code=3)
    assert (out / "x_mask.png").read_bytes() == b"mine"
    assert len(read_table(out / "manifest.csv")) == 5
    assert masks_of(scans, "--overwrite") == out  # as the error advises
    assert (out / "x_mask.png").read_bytes() != b"mine"
    assert "1 images, 4 from before\n" in capsys.readouterr().out
    masks_of(scans)
    assert "0 images, 5 from before\n" in capsys.readouterr().out  # though one has two lines
    assert len(read_table(out / "manifest.csv")) == 6
    other = tmp_path / "other"
    other.mkdir()
    (other / "x_mask.png").write_bytes(b"mine")
    assert len(pictures(masks_of(scans, "--overwrite", out="other"))) == 5


def test_an_image_is_done_while_its_file_is_the_same_and_its_mask_is_there(trained, scans, masks_of, capsys):
    trained()
    out = masks_of(scans)
    first, other = (out / "x_mask.png").read_bytes(), (scans / "b" / "x.png").read_bytes()
    (out / "x_mask.png").unlink()
    masks_of(scans)  # a lost mask is written again
    assert (out / "x_mask.png").read_bytes() == first
    masks_of(scans)
    assert "0 images, 5 from before\n" in capsys.readouterr().out
    whole = (scans / "x.png").read_bytes()
    os.utime(scans / "x.png", ns=(2**62, 2**62))  # copied again, newer than its mask
    masks_of(scans)
    (scans / "x.png").write_bytes(other)
    os.utime(scans / "x.png", ns=(0, 0))
    for _ in range(2):
        masks_of(scans, code=3)
        assert "x_mask.png: exists already" in read_table(out / "manifest.csv")[-1]["error"]
        assert (out / "x_mask.png").read_bytes() == first
    masks_of(scans, "--overwrite")
    assert (out / "x_mask.png").read_bytes() != first
    capsys.readouterr()
    masks_of(scans)
    assert "0 images, 5 from before\n" in capsys.readouterr().out
    (scans / "x.png").write_bytes(whole)  # the mask is now that of the other
    masks_of(scans, code=3)


def test_an_image_that_is_gone_after_its_mask_is_no_error(trained, scans, masks_of, tmp_path):
    trained()
    (tmp_path / "list.txt").write_text(f"{scans / 'x.png'}\n{scans / 'b' / 'x.png'}\n")
    out = masks_of(f"@{tmp_path / 'list.txt'}")
    (scans / "x.png").unlink()
    assert masks_of(f"@{tmp_path / 'list.txt'}") == out
    assert len(read_table(out / "manifest.csv")) == 2


def test_a_relative_path_from_another_folder_is_another_image(trained, scans, masks_of, tmp_path, monkeypatch):
    """Also of the same size."""
    trained()
    pixels = np.array(Image.open(scans / "x.png"))
    for name, shade in (("one", pixels), ("two", pixels[::-1])):
        (tmp_path / name).mkdir()
        Image.fromarray(shade).save(tmp_path / name / "x.bmp")
    monkeypatch.chdir(tmp_path / "one")
    out = masks_of("x.bmp")
    first = (out / "x_mask.png").read_bytes()
    assert masks_of("x.bmp") == out
    monkeypatch.chdir(tmp_path / "two")
    masks_of("x.bmp", code=3)
    assert [bool(row["error"]) for row in read_table(out / "manifest.csv")] == [False, True]
    assert (out / "x_mask.png").read_bytes() == first


def test_equal_names_never_share_a_mask(trained, scans, masks_of, tmp_path, monkeypatch):
    trained()
    (scans / "b" / "x.dcm").write_bytes((scans / "b" / "deep.dcm").read_bytes())
    assert {"b/x_dcm_mask.png", "b/x_png_mask.png"} < {*pictures(masks_of(scans))}
    monkeypatch.chdir(scans)
    Path("list.txt").write_text("b/x.dcm\nb/x.png")  # a list does not know what else is there
    out = masks_of("@list.txt", code=3, out="listed")
    assert [row["error"] for row in read_table(out / "manifest.csv")][1].endswith(
        "the mask of another image of this name"
    )
    first = (out / "b" / "x_mask.png").read_bytes()
    masks_of("@list.txt", "--overwrite", code=3, out="listed")  # nor does the second one replace the first one's
    assert (out / "b" / "x_mask.png").read_bytes() == first
    assert [bool(row["error"]) for row in read_table(out / "manifest.csv")] == [False, True, True]


def test_masks_in_the_folder_of_images_are_no_images(trained, scans, masks_of):
    trained()
    Image.new("L", (96, 96)).save(scans / "x_mask.png")
    out = masks_of(scans, out="scans/masks")
    assert len(pictures(out)) == 5
    masks_of(scans, out="scans/masks")
    assert len(read_table(out / "manifest.csv")) == 5


@pytest.mark.parametrize(
    ("recorded", "message"),
    [
        ({"classes": None}, "run tiny turns pictures into pictures"),
        ({"classes": "facades"}, "run tiny labels house fronts"),
        ({"direction": "BtoA"}, "run tiny draws images from masks"),
    ],
)
def test_a_run_that_makes_no_masks_is_refused(trained, scans, masks_of, recorded, message):
    trained(**recorded)
    with pytest.raises(UserError, match=message):
        masks_of(scans)


@pytest.mark.parametrize(
    ("typed", "message"),
    [
        ("tini scans --out o", r"run tini: there is no run .*; did you mean tiny\?"),
        ("tiny nowhere --out o", "nowhere: no such file or folder"),
        ("tiny scans", "--out is missing"),
        ("tiny empty --out o", "empty: no image there, and none below it"),
        ("tiny scans --out o --write bmp", "'bmp': choose from png, rle, dicomseg"),
        ("tiny @nowhere.txt --out o", "@nowhere.txt: no such file; want a list of paths"),
        ("tiny - scans --out o", "paths come from stdin, so name no others"),
        ("tiny scans --out scans/x.png/o", "--out scans/x.png/o: cannot be written"),
        ("tiny scans --out o --write dicomseg", "nothing says|name it: --classes lung"),
        ("tiny scans/x.png --write dicomseg --classes lung", "x.png is not a DICOM file"),
        ("tiny bad.png", "bad.png: not an image"),
        ("tiny @wide.txt --out o", "line 1 of the list of paths is no text in UTF-8, as of PowerShell's >: convert it"),
    ],
)
def test_mistakes_end_in_one_line(trained, scans, start, tmp_path, monkeypatch, typed, message):
    trained()
    monkeypatch.chdir(tmp_path)
    Path("bad.png").write_bytes(b"no image")
    Path("wide.txt").write_text("scans/x.png\n", encoding="utf-16")
    Path("empty").mkdir()
    with pytest.raises(UserError, match=message):
        start(segment.main, *words(typed), "--checkpoints_dir", "ck", "--gpu_ids", "-1")


def test_masks_that_were_made_in_another_way_are_not_mixed(trained, scans, masks_of):
    trained()
    masks_of(scans)
    with pytest.raises(UserError, match=r"it holds masks that were made in another way \(see rule in segment.json\)"):
        masks_of(scans, "--keep_largest", "1")


@pytest.fixture
def chosen(start, script, tmp_path) -> Callable[[str], float]:
    """chosen(RUN) lets test.py choose a threshold on drawn validation images, and returns it."""

    def call(run: str) -> float:
        for name in ("images", "masks"):
            (tmp_path / "data" / name).mkdir(parents=True)
        for i in range(3):
            image, lungs = chest(i, size=64)
            Image.fromarray(image).save(tmp_path / "data" / "images" / f"{i}.png")
            Image.fromarray(lungs.astype(np.uint8) * 255).save(tmp_path / "data" / "masks" / f"{i}.png")
        lines = ["image,split", *(f"images/{i}.png,val" for i in range(3))]
        (tmp_path / "data" / "splits.csv").write_text("\n".join(lines))
        where = ["--checkpoints_dir", tmp_path / "ck", "--results_dir", tmp_path / "r", "--gpu_ids", "-1"]
        data = ["--name", run, "--dataroot", tmp_path / "data", "--phase", "val", "--mask_threshold", "auto"]
        assert start(script.main, *where, *data) == 0
        (entry,) = json.loads((tmp_path / "ck" / run / "threshold.json").read_text())
        return entry["threshold"]

    return call


def test_a_threshold_that_was_chosen_on_validation_images_is_used(trained, scans, masks_of, chosen):
    trained()
    threshold = chosen("tiny")
    assert read_json(masks_of(scans) / "segment.json")["rule"]["threshold"] == threshold != 0.5
    typed = masks_of(scans, "--mask_threshold", "0.5", out="typed")
    assert read_json(typed / "segment.json")["rule"]["threshold"] == 0.5


def test_the_run_of_within_keeps_its_rule_as_in_test_py(start, script, tmp_path, trained, scans, masks_of, chosen):
    trained()
    trained("other", seed=1)
    assert chosen("other") != 0.5
    expected = by_test(start, script, tmp_path, scans, "--within", "other")
    out = masks_of(scans, "--within", "other")
    masks = pictures(out)
    assert all(np.array_equal(mask, expected[IN_TEST[name]]) for name, mask in masks.items())
    job = read_json(out / "segment.json")
    assert job["rule"]["within"] == {"threshold": 0.5}
    job["rule"]["within"]["threshold"] = 0.6  # as if its rule had changed since a kill
    (out / "segment.json").write_text(json.dumps(job))
    with pytest.raises(UserError, match=r"made in another way \(see rule in segment.json\)"):
        masks_of(scans, "--within", "other")


def test_a_mask_that_a_kill_left_without_its_line_is_written_again(trained, scans, masks_of):
    trained()
    out = masks_of(scans)
    manifest, whole = out / "manifest.csv", read_table(out / "manifest.csv")
    lines = manifest.read_text().splitlines(keepends=True)
    last = whole[-1]
    manifest.write_text("".join(lines[:-1]) + lines[-1][:20])  # its last line was not complete
    masks_of(scans, code=3)  # nothing says that the file is ours
    assert "_mask.png: exists already, and this command has not written it" in read_table(manifest)[-1]["error"]
    manifest.write_text("".join(lines[:-1]) + lines[-1][:20])
    (out / ".manifest.csv.begun").write_text(f"{last['path']}\n/cut/sho")
    unfinished = out / last["mask"]
    unfinished.with_name(f".{unfinished.name}.123.456").write_bytes(b"half")
    unfinished.write_bytes(b"")
    masks_of(scans)
    assert [row | {"seconds": ""} for row in read_table(manifest)] == [row | {"seconds": ""} for row in whole]
    assert unfinished.stat().st_size
    assert not [path for path in out.rglob(".*") if path.is_file()]


def test_a_manifest_of_another_program_is_left_alone(trained, scans, masks_of, tmp_path):
    trained()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "manifest.csv").write_text("a,b\n1,2\n")
    with pytest.raises(UserError, match="manifest.csv: not a manifest of segment.py"):
        masks_of(scans)


def test_a_manifest_of_an_older_version_is_refused_with_the_columns_it_lacks(trained, scans, masks_of):
    trained()
    manifest = masks_of(scans) / "manifest.csv"
    old = [",".join(line.split(",")[:9] + line.split(",")[11:]) for line in manifest.read_text().splitlines()]
    manifest.write_text("\n".join([*old, ""]))
    message = "manifest.csv: an older segment.py wrote it, without the columns expected_dice, implausible; take another"
    with pytest.raises(UserError, match=message):
        masks_of(scans)


def test_names_that_are_no_text_have_a_line_too(trained, scans, masks_of):
    trained()
    odd = scans / "two\nlines, and\udce9.png"
    odd.write_bytes((scans / "x.png").read_bytes())
    out = masks_of(scans)
    assert len(read_table(out / "manifest.csv")) == 6
    assert r"two\nlines, and\udce9.png" in (out / "manifest.csv").read_text()
    masks_of(scans)
    assert len(read_table(out / "manifest.csv")) == 6


@pytest.mark.parametrize(("rank", "processes"), [("x", "2"), ("2", "2"), ("-1", "2")])
def test_a_wrong_number_of_a_process_is_a_mistake(trained, scans, masks_of, monkeypatch, rank, processes):
    trained()
    monkeypatch.setenv("RANK", rank)
    monkeypatch.setenv("WORLD_SIZE", processes)
    with pytest.raises(UserError, match="RANK"):
        masks_of(scans)


def test_the_manifest_is_parquet_too_where_pyarrow_is(trained, scans, masks_of):
    parquet = pytest.importorskip("pyarrow.parquet")
    trained()
    (scans / "bad.png").write_bytes(b"no image")
    out = masks_of(scans, code=3)
    table = parquet.read_table(out / "manifest.parquet").to_pylist()
    rows = read_table(out / "manifest.csv")
    assert [row["path"] for row in table] == [row["path"] for row in rows]
    assert [row["area"] or "" for row in table] == [int(row["area"]) if row["area"] else "" for row in rows]


def test_a_full_disk_ends_the_command_and_the_next_one_goes_on(trained, scans, masks_of, monkeypatch):
    trained()
    written = []

    def until_full(path: Path, picture: np.ndarray) -> None:
        if len(written) == 2:
            with replacing(path, "wb"):
                raise OSError(errno.ENOSPC, "No space left on device")
        written.append(path)
        save_png(path, picture)

    with monkeypatch.context() as patch:
        patch.setattr("data.stream.writers.save_png", until_full)
        with pytest.raises(UserError, match="_mask.png: not written: No space left on device; free some space"):
            masks_of(scans)
    out = masks_of(scans)
    assert len(pictures(out)) == 5
    paths = [row["path"] for row in read_table(out / "manifest.csv") if not row["error"]]
    assert sorted(paths) == sorted(str(path) for path in scans.rglob("*") if path.is_file())


def test_a_fault_while_reading_names_the_image_and_not_out(trained, scans, masks_of, monkeypatch):
    def fails(*_: object) -> None:
        raise OSError(errno.EIO, "Input/output error")

    trained()
    monkeypatch.setattr("hashlib.file_digest", fails)
    with pytest.raises(OSError, match=r"Input/output error: '.*scans/.*'"):
        masks_of(scans)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
def test_a_full_disk_names_the_manifest(tmp_path):
    from util.segment.manifest import Manifest, Row

    record = Manifest(tmp_path)
    with (
        Path("/dev/full").open("ab", buffering=0) as record._lines,
        pytest.raises(UserError, match="/dev/full: not written: No space left on device; free some space"),
    ):
        record.add(Row("x.png"))
