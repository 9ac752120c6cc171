"""A cross-validation from a folder of images to scores out of fold and an ensemble under one name."""

import json
import re
import shutil

import numpy as np
import pytest
from PIL import Image

from data.audit.run import audit
from data.phantom.__main__ import write_chests
from tests.helpers import ROOT, python, read_json, read_table, save_run, words
from util.errors import UserError
from util.folds.record import Record
from util.run.learnt import count_learnt

TINY = "--netG unet_64 --ngf 4 --ndf 4 --load_size 72 --crop_size 64 --n_epochs 1 --n_epochs_decay 0 --batch_size 2"
BESIDE = "--lambda_L1 1000 --display_id 0 --num_threads 0 --no_html --gpu_ids -1"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with data/, its two folds, and the runs and results of a cross-validation called cv."""
    place = tmp_path_factory.mktemp("cv")
    write_chests(place / "data", 4, 64)
    (place / "data" / "splits.csv").unlink()
    checked = python("-m", "data.prepare", "masks", "data", "--folds", "2", cwd=place)
    assert "data/splits.csv: 2 folds of" in checked.stdout, checked.stderr
    assert "--fold all" in checked.stdout
    trained = train(place)
    assert trained.returncode == 0, trained.stderr
    assert "out of fold: mean dice" in trained.stdout
    return place


def train(place):
    flags = ["--dataroot", "data", "--name", "cv", "--fold", "all", *words(TINY), *words(BESIDE)]
    return python(ROOT / "train.py", *flags, cwd=place)


@pytest.mark.slow
def test_each_image_is_scored_by_the_run_that_has_not_seen_it(place):
    results = place / "results" / "cv" / "out_of_fold"
    rows = {row["id"]: row for row in read_table(results / "metrics.csv")}
    listed = read_table(place / "data" / "splits.csv")
    assert {row["image"]: row["fold"] for row in listed} == {f"images/{i}.png": r["fold"] for i, r in rows.items()}
    for name, row in rows.items():
        image = place / "data" / "images" / f"{name}.png"
        learnt = [count_learnt(place / "checkpoints" / "cv" / f"fold_{fold}", [image]) for fold in (0, 1)]
        assert learnt[int(row["fold"])] == 0
        mask = np.asarray(Image.open(results / "masks" / f"{name}.png")) == 255
        likely = np.asarray(Image.open(results / "probabilities" / f"{name}.png"))
        assert mask.sum() == int(row["tp"]) + int(row["fp"])
        assert (likely[mask] >= 127).all()
        assert (likely[~mask] <= 128).all()
    summary = read_json(results / "metrics.json")
    assert (summary["images"], summary["patients"], summary["data"]["fold"]) == (len(rows), len(rows), "all")
    assert "settings" not in summary["data"], "all as in training"
    assert sum(float(row["dice"]) for row in rows.values()) / len(rows) == pytest.approx(
        summary["macro"]["dice"], abs=1e-5
    )
    assert sum(bool(row["implausible"]) for row in rows.values()) == summary["implausible"]
    assert len(summary["calibration"]["curve"]) > 0
    page = (results / "index.html").read_text("utf-8")
    assert [f">options of fold_{fold}</a>" in page for fold in (0, 1)] == [True, True]


@pytest.mark.slow
def test_scores_of_images_that_were_learnt_do_not_claim_the_contrary(place):
    listed = (place / "data" / "splits.csv").read_text()
    header, *lines = listed.splitlines()
    fold = header.split(",").index("fold")
    for i, line in enumerate(lines):
        values = line.split(",")
        values[fold] = str(1 - int(values[fold]))
        lines[i] = ",".join(values)
    try:
        (place / "data" / "splits.csv").write_text("\n".join([header, *lines]))
        flags = words("--name cv --phase out_of_fold --gpu_ids -1 --results_dir swapped")
        said = python(ROOT / "test.py", *flags, cwd=place).stdout
    finally:
        (place / "data" / "splits.csv").write_text(listed)
    assert re.search(
        r"patients, but cv/fold_0 learnt from .*; cv/fold_1 learnt from .*: these scores are too good", said
    )
    assert "has not seen it (in brackets" not in said


@pytest.mark.slow
def test_runs_of_one_fold_are_not_scored_as_two_folds(place):
    shutil.copytree(place / "checkpoints" / "cv", place / "checkpoints" / "cv2")
    save_run(place / "checkpoints", "plain", *words("--netG unet_64 --ngf 4 --dataset_mode masks --dataroot data"))
    done = python(ROOT / "test.py", *words("--name cv/fold_0,plain --phase out_of_fold --gpu_ids -1"), cwd=place)
    assert "--phase out_of_fold: run plain was trained without --fold; leave it out" in done.stderr
    done = python(ROOT / "test.py", *words("--name cv/fold_0,cv2/fold_0 --phase out_of_fold --gpu_ids -1"), cwd=place)
    assert done.returncode == 2
    assert "cv/fold_0,cv2/fold_0: two runs of one fold; name the folds of one cross-validation" in done.stderr


@pytest.mark.slow
def test_a_trained_cross_validation_is_not_trained_again(place):
    again = train(place)
    assert again.returncode == 2
    assert "all 2 folds are trained; python test.py --name cv --phase out_of_fold scores them" in again.stderr


@pytest.mark.slow
def test_the_runs_of_all_folds_work_as_one_and_say_what_they_have_seen(place):
    tested = python(ROOT / "test.py", "--name", "cv", "--phase", "all", "--gpu_ids", "-1", cwd=place)
    assert tested.returncode == 0, tested.stderr
    for fold in (0, 1):
        assert f"note: cv/fold_{fold} learnt from" in tested.stdout
    assert "may have learnt from these images" in (place / "results" / "cv" / "all_latest" / "index.html").read_text()
    image = next((place / "data" / "images").iterdir())
    segmented = python(ROOT / "segment.py", "cv", image, "--gpu_ids", "-1", cwd=place)
    assert "confidence" in segmented.stdout, segmented.stderr


THREE = {"background": [0, 0, 0], "lung": [255, 0, 0], "heart": [0, 0, 255]}


@pytest.fixture
def three_classes(tmp_path):
    """A cross-validation of two runs with random weights, on four images with masks of three classes."""
    root, random = tmp_path / "data", np.random.default_rng(0)
    for folder in ("images", "masks"):
        (root / folder).mkdir(parents=True)
    for i in range(4):
        Image.fromarray(random.integers(0, 256, (64, 64), np.uint8)).save(root / "images" / f"p{i}.png")
        mask = np.zeros((64, 64, 3), np.uint8)
        mask[10:40, 10:30], mask[30:50, 40:60] = THREE["lung"], THREE["heart"]
        Image.fromarray(mask).save(root / "masks" / f"p{i}.png")
    lines = [f"images/p{i}.png,train,{i % 2}" for i in range(4)]
    (root / "splits.csv").write_text("\n".join(["image,split,fold", *lines]))
    (tmp_path / "three").mkdir()
    Record([0, 1], "", [0, 1]).write(tmp_path / "three")
    data = ["--dataset_mode", "masks", "--dataroot", str(root), "--classes", json.dumps(THREE)]
    small = words("--netG unet_64 --ngf 4 --crop_size 64")
    for fold in (0, 1):
        save_run(tmp_path, f"three/fold_{fold}", *small, *data, fold=fold)
    return root


def test_an_audit_of_three_classes_blames_no_mask(three_classes, apply):
    results = apply(name="three", phase="out_of_fold")
    assert results.name == "out_of_fold"
    with pytest.raises(UserError, match="/masks/p0.png: not a mask of two classes; the audit compares masks of two"):
        audit([results])


def test_new_scores_are_not_left_beside_an_audit_of_the_old_masks(three_classes, apply):
    results = apply(name="three", phase="out_of_fold")
    (results / "audit").mkdir()
    (results / "audit" / "index.html").touch()
    (results / "notes.txt").touch()
    assert apply(name="three", phase="out_of_fold") == results
    assert not (results / "audit").exists()
    assert (results / "notes.txt").exists()


def test_three_classes_are_shown_by_their_colours(three_classes, apply):
    page = (apply(name="three", phase="out_of_fold") / "index.html").read_text("utf-8")
    assert "Classes:" in page
    assert "heart" in page.split("Classes:")[1].split("</p>")[0]
    assert "data-tinted" not in page.split("<script>")[0], "their masks are not white on black"
