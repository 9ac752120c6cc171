"""test.py as a user runs it, with a tiny generator on X-rays of several sizes: its files and scores."""

import csv
import errno
import json
import os
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import label

from tests.helpers import read_json, read_table, save_run, words
from util.errors import UserError
from util.run.checkpoint import save_networks
from util.run.learnt import record_learnt

NET = words("--netG unet_64 --ngf 4 --crop_size 64")


@pytest.fixture
def apply_tiny(apply):
    """`apply` for the run `tiny`, to all images: returns the folder of results."""
    return lambda *flags, phase="all", epoch="latest": apply(*flags, name="tiny", phase=phase, epoch=epoch)


@pytest.fixture
def trained(tmp_path):
    """The run `tiny`, trained on masks."""
    return save(tmp_path, "--dataset_mode", "masks")


def save(tmp_path: Path, *flags: str, name: str = "tiny"):
    return save_run(tmp_path, name, *NET, *flags)


@pytest.fixture
def chests(tmp_path) -> Path:
    """Five grey images of different sizes with masks, two of them of one patient, from two hospitals."""
    root, random = tmp_path / "chests", np.random.default_rng(0)
    (root / "images").mkdir(parents=True)
    (root / "masks").mkdir()
    lines = ["image,mask,source,split,patient"]
    for i, (height, width) in enumerate([(64, 64), (80, 50), (31, 97), (64, 64), (120, 120)]):
        Image.fromarray(random.integers(0, 256, (height, width), np.uint8)).save(root / "images" / f"x{i}.png")
        mask = np.zeros((height, width), np.uint8)
        mask[height // 4 : height // 2, width // 4 : width // 2] = 255
        Image.fromarray(mask).save(root / "masks" / f"x{i}.png")
        lines.append(f"images/x{i}.png,masks/x{i}.png,{'ab'[i % 2]},test,p{min(i, 3)}")
    (root / "splits.csv").write_text("\n".join(lines))
    return root


def table(folder: Path) -> list[dict[str, str]]:
    return read_table(folder / "metrics.csv")


def test_a_run_and_a_folder_are_all_that_test_py_needs(apply_tiny, trained, chests):
    folder = apply_tiny("--dataroot", str(chests))
    rows = table(folder)
    assert [row["id"] for row in rows] == [f"x{i}" for i in range(5)]
    for row, image in zip(rows, sorted((chests / "images").iterdir()), strict=True):
        size = Image.open(image).size
        assert sum(int(row[name]) for name in ("tp", "fp", "fn", "tn")) == size[0] * size[1]
        for kind in ("images/{}_real_A", "images/{}_fake_B", "images/{}_real_B", "masks/{}", "overlays/{}"):
            assert Image.open(folder / f"{kind.format(row['id'])}.png").size == size
    summary = read_json(folder / "metrics.json")
    assert summary["images"] == 5
    assert summary["patients"] == 4
    assert set(summary["by_source"]) == {"a", "b"}
    assert summary["macro"]["dice"] == pytest.approx(np.mean([float(row["dice"]) for row in rows]), abs=1e-6)
    assert summary["contradictions"] == []
    assert summary["settings"]["norm_stats"] == "image"
    assert summary["settings"]["threshold"] == 0.5
    assert "Experiment = tiny, Phase = all, Epoch = latest" in (folder / "index.html").read_text()


def test_the_written_masks_have_the_written_scores(apply_tiny, trained, chests):
    folder = apply_tiny("--dataroot", str(chests))
    for row in table(folder):
        mask = np.asarray(Image.open(folder / "masks" / f"{row['id']}.png")) > 127
        truth = np.asarray(Image.open(chests / "masks" / f"{row['id']}.png")) > 127
        assert int(row["tp"]) == (mask & truth).sum()
        assert int(row["fp"]) == (mask & ~truth).sum()


def test_neither_batch_size_nor_repetition_changes_a_score(apply_tiny, trained, chests):
    first = (apply_tiny("--dataroot", str(chests), "--batch_size", "1") / "metrics.csv").read_text()
    again = (apply_tiny("--dataroot", str(chests), "--batch_size", "1") / "metrics.csv").read_text()
    assert first == again
    batched = table(apply_tiny("--dataroot", str(chests), "--batch_size", "4"))
    for row, other in zip(csv.DictReader(first.splitlines()), batched, strict=True):
        assert float(row["dice"]) == pytest.approx(float(other["dice"]), abs=0.01)  # rounding at the threshold


def test_images_without_masks_are_segmented_without_scores(apply_tiny, trained, chests, capsys):
    folder = apply_tiny("--dataroot", str(chests / "images"), "--dataset_mode", "single", "--classes", "lungs")
    assert len(list((folder / "masks").iterdir())) == 5
    assert list(table(folder)[0]) == ["id", "patient", "source"]
    assert "page: " in capsys.readouterr().out
    assert "without ground truth" in (folder / "index.html").read_text()


@pytest.mark.parametrize(
    ("flags", "classes"),
    [
        (["--dataset_mode", "masks"], "lungs"),
        (["--dataset_mode", "phantom"], "lungs"),
        (["--dataset_mode", "phantom", "--phantom", "facades"], "facades"),
    ],
)
def test_a_run_records_its_classes_for_images_without_masks(apply_tiny, tmp_path, chests, flags, classes):
    save(tmp_path, *flags)
    recorded = read_json(tmp_path / "tiny" / "options.json")
    assert recorded["classes"] == classes
    folder = apply_tiny("--dataroot", str(chests / "images"), "--dataset_mode", "single")
    assert len(list((folder / "masks").iterdir())) == len(list((folder / "overlays").iterdir())) == 5
    assert "dice" not in table(folder)[0]


def test_drawn_facades_are_scored_by_their_classes(apply_tiny, tmp_path):
    save(tmp_path, "--dataset_mode", "phantom", "--phantom", "facades")
    assert "miou" in table(apply_tiny("--num_test", "1", phase="val"))[0]


def test_num_test_takes_the_first_images(apply_tiny, trained, chests):
    assert [row["id"] for row in table(apply_tiny("--dataroot", str(chests), "--num_test", "2"))] == ["x0", "x1"]


def test_surface_adds_distances_between_outlines(apply_tiny, trained, chests):
    row = table(apply_tiny("--dataroot", str(chests), "--surface", "--num_test", "1"))[0]
    assert float(row["hd95_px"]) >= float(row["assd_px"]) > 0


def test_a_threshold_is_chosen_on_val_and_used_on_test(apply_tiny, trained, chests, tmp_path, capsys):
    table_file = chests / "splits.csv"
    table_file.write_text(table_file.read_text().replace(",test,", ",val,", 3))
    auto = ["--dataroot", str(chests), "--mask_threshold", "auto"]
    with pytest.raises(
        UserError, match="threshold.json has none.*--name tiny --checkpoints_dir .* --epoch latest --phase val"
    ):
        apply_tiny(*auto, phase="test")
    results = apply_tiny(*auto, phase="val")
    chosen, saved = read_json(results / "metrics.json"), read_json(tmp_path / "tiny" / "threshold.json")
    flatters = "chosen on these same images"
    assert flatters in (results / "index.html").read_text()
    assert [entry["images"] for entry in saved] == [3]
    assert chosen["settings"]["threshold chosen on"] == f"val of {chests}, 3 images"
    assert chosen["macro"]["dice"] == pytest.approx(saved[0]["dice"])
    used = read_json(apply_tiny(*auto, phase="test") / "metrics.json")
    assert used["settings"]["threshold"] == chosen["settings"]["threshold"] == saved[0]["threshold"]
    assert used["settings"]["threshold chosen on"] == f"val of {chests}, 3 images"
    assert used["images"] == 2
    results = apply_tiny(*auto, "--classes", "lung", phase="test")  # the same colours under another name
    assert flatters not in (results / "index.html").read_text()
    with pytest.raises(UserError, match="none for these weights and flags"):
        apply_tiny(*auto, "--clahe", phase="test")


def test_a_threshold_chosen_within_another_run_is_void_once_that_run_trains_on(apply_tiny, trained, chests, tmp_path):
    table_file = chests / "splits.csv"
    table_file.write_text(table_file.read_text().replace(",test,", ",val,", 3))
    lungs = save(tmp_path, "--dataset_mode", "masks", name="lungs")
    flags = ["--dataroot", str(chests), "--mask_threshold", "auto", "--within", "lungs"]
    apply_tiny(*flags, phase="val")
    apply_tiny(*flags, phase="test")
    next(lungs.networks["G"].parameters()).data.add_(1)  # as further training does
    save_networks(tmp_path / "lungs", "latest", lungs.networks)
    with pytest.raises(UserError, match="none for these weights and flags"):
        apply_tiny(*flags, phase="test")


def test_a_test_on_images_that_the_run_has_learnt_from_says_how_many(apply_tiny, trained, chests, tmp_path, capsys):
    """Whatever the flags say: a list may have changed, or images were renamed or copied to another folder."""
    record_learnt(tmp_path / "tiny", [chests / "images" / f"x{i}.png" for i in (0, 1)])
    folder = apply_tiny("--dataroot", str(chests), phase="test")
    assert "note: tiny learnt from 2 of these 5: its scores on images of phase test" in capsys.readouterr().out
    assert (
        read_json(folder / "metrics.json")["settings"]["may have learnt from these images"]
        == "tiny learnt from 2 of these 5"
    )
    shutil.copytree(chests, tmp_path / "copy")
    (tmp_path / "copy" / "images" / "x1.png").rename(tmp_path / "copy" / "images" / "other.png")
    (tmp_path / "copy" / "splits.csv").write_text("image,mask,split\nimages/other.png,masks/x1.png,test\n")
    apply_tiny("--dataroot", str(tmp_path / "copy"), phase="test")
    assert "tiny learnt from 1 of these 1" in capsys.readouterr().out
    apply_tiny("--dataroot", str(chests / "images"), "--dataset_mode", "single")  # without masks there are no scores
    assert "note: tiny learnt from 2 of these 5\n" in capsys.readouterr().out
    record_learnt(tmp_path / "tiny", [])
    apply_tiny("--dataroot", str(chests), phase="test")
    assert "note:" not in capsys.readouterr().out


def test_a_run_without_a_record_says_that_sub_folders_were_drawn_otherwise(apply_tiny, chests, tmp_path, capsys):
    (chests / "splits.csv").unlink()
    for folder in ("images", "masks"):
        (chests / folder / "A").mkdir()
        (chests / folder / "x0.png").rename(chests / folder / "A" / "x0.png")
    save(tmp_path, "--dataset_mode", "masks", "--dataroot", str(chests))
    apply_tiny("--dataroot", str(chests))
    assert "tiny recorded no list of its images, and those in sub-folders are now drawn" in capsys.readouterr().out


def test_a_test_on_images_that_the_run_may_have_trained_on_says_so(apply_tiny, chests, tmp_path, capsys):
    """For a run that recorded no images, flags decide.

    Another fold concerns phase val. Another random split of a folder without splits.csv concerns every phase.
    """
    own = (chests / "splits.csv").read_text().splitlines()
    lines = [own[0] + ",fold"] + [
        f"{line.replace(',test,', ',train,')},{min(i, 3) % 2}" for i, line in enumerate(own[1:])
    ]
    (chests / "splits.csv").write_text("\n".join(lines))
    save(tmp_path, "--dataset_mode", "masks", "--dataroot", str(chests), "--fold", "0")
    warning = "tiny was trained with --fold 0: its scores on images of phase val may be too good"
    folder = apply_tiny(phase="val")
    assert warning not in capsys.readouterr().out
    assert "may have learnt" not in (folder / "index.html").read_text()
    folder = apply_tiny("--dataroot", str(chests), "--fold", "1", phase="val")
    assert warning in capsys.readouterr().out
    assert "may have learnt" in (folder / "index.html").read_text()
    (chests / "splits.csv").unlink()
    (tmp_path / "tiny" / "options.json").unlink()
    save(tmp_path, "--dataset_mode", "masks", "--dataroot", str(chests))
    apply_tiny("--split_seed", "1", phase="all")
    assert "tiny was trained with --split_seed 0: its scores on images of phase all" in capsys.readouterr().out


def test_masks_are_written_as_they_are_scored_after_postprocessing(apply_tiny, trained, chests):
    folder = apply_tiny("--dataroot", str(chests), "--keep_largest", "1", "--fill_holes", "--min_area", "5")
    for row in table(folder):
        mask = np.asarray(Image.open(folder / "masks" / f"{row['id']}.png")) > 127
        assert mask.sum() == int(row["tp"]) + int(row["fp"])
        assert label(mask, np.ones((3, 3)))[1] <= 1
    assert "keep_largest: 1" in (folder / "index.html").read_text()


def test_within_another_run_only_pixels_in_its_masks_are_foreground(apply_tiny, trained, chests, tmp_path, capsys):
    """The other run is applied at its own image size, with its own threshold."""
    first = apply_tiny("--dataroot", str(chests))
    plain = {row["id"]: np.asarray(Image.open(first / "masks" / f"{row['id']}.png")) for row in table(first)}
    (tmp_path / "tiny").rename(tmp_path / "lungs")
    options_file = tmp_path / "lungs" / "options.json"
    recorded = json.loads(options_file.read_text())
    options_file.write_text(json.dumps(recorded | {"crop_size": 128, "mask_threshold": 0.51}))
    save(tmp_path, "--dataset_mode", "masks")
    folder = apply_tiny("--dataroot", str(chests), "--within", "lungs")
    for row in table(folder):
        inside = np.asarray(Image.open(folder / "images" / f"{row['id']}_within.png"))[..., 0] > 127
        mask = np.asarray(Image.open(folder / "masks" / f"{row['id']}.png"))
        assert inside.any()
        assert not inside.all()
        assert (mask == np.where(inside, plain[row["id"]], 0)).all()
    page = (folder / "index.html").read_text()
    assert "within: the masks of lungs" in page
    assert "x0_within.png" in page


def test_within_needs_a_run_that_exists_and_has_two_classes(apply_tiny, trained, chests, tmp_path):
    with pytest.raises(UserError, match="--within lung: there is no run .*lung; check the name"):
        apply_tiny("--dataroot", str(chests), "--within", "lung")
    (tmp_path / "tiny").rename(tmp_path / "houses")
    options_file = tmp_path / "houses" / "options.json"
    options_file.write_text(json.dumps(json.loads(options_file.read_text()) | {"classes": "facades"}))
    save(tmp_path, "--dataset_mode", "masks")
    with pytest.raises(UserError, match="--within houses: that run's masks are not of two classes"):
        apply_tiny("--dataroot", str(chests), "--within", "houses")


def test_within_a_run_without_recorded_classes_takes_the_tested_runs_classes(apply_tiny, trained, chests, tmp_path):
    """It was trained on pairs A and B, so it did not record what their colours mean."""
    save(tmp_path, "--dataset_mode", "aligned", name="pairs")
    pictures = ["--dataset_mode", "single", "--dataroot", str(chests / "images"), "--classes", "lungs"]
    folder = apply_tiny(*pictures, "--within", "pairs")
    assert len(list((folder / "images").glob("*_within.png"))) == 5


def test_within_applies_the_other_run_to_the_images_of_the_tested_run(apply_tiny, trained, chests, tmp_path):
    """The tested run was trained on two images (--train_images), so it is tested on those two."""
    (chests / "splits.csv").write_text((chests / "splits.csv").read_text().replace(",test,", ",train,"))
    (tmp_path / "tiny").rename(tmp_path / "lungs")
    save(tmp_path, "--dataset_mode", "masks", "--dataroot", str(chests), "--train_images", "2")
    folder = apply_tiny("--within", "lungs", phase="train")
    apply_tiny("--dataroot", str(chests), "--name", "lungs", phase="train")
    lungs = tmp_path / "results" / "lungs" / "train_latest"
    assert len(table(folder)) == 2
    for row in table(folder):
        inside = np.asarray(Image.open(folder / "images" / f"{row['id']}_within.png"))[..., 0] > 127
        assert (inside == (np.asarray(Image.open(lungs / "masks" / f"{row['id']}.png")) > 127)).all()


def test_within_reads_the_other_runs_output_in_its_own_colours(apply_tiny, trained, chests, tmp_path):
    """The colours of the tested run are those of the masks on disk."""
    (tmp_path / "tiny").rename(tmp_path / "lungs")
    apply_tiny("--dataroot", str(chests), "--name", "lungs")
    masks = tmp_path / "results" / "lungs" / "all_latest" / "masks"
    plain = {path.stem: np.asarray(Image.open(path)) for path in masks.iterdir()}
    for path in (chests / "masks").iterdir():
        with Image.open(path) as mask:
            lung = np.asarray(mask.convert("L")) > 127
        Image.fromarray(np.array([[0, 0, 255], [255, 0, 0]], np.uint8)[lung.astype(int)]).save(path)
    (tmp_path / "red.json").write_text('{"outside": [0, 0, 255], "lung": [255, 0, 0]}')
    save(tmp_path, "--dataset_mode", "masks", "--classes", str(tmp_path / "red.json"))
    folder = apply_tiny("--dataroot", str(chests), "--within", "lungs")
    for row in table(folder):
        inside = np.asarray(Image.open(folder / "images" / f"{row['id']}_within.png"))[..., 0]
        assert (inside == plain[row["id"]]).all()


def test_within_refuses_a_run_that_draws_images_from_masks(apply_tiny, trained, chests, tmp_path):
    save(tmp_path, "--dataset_mode", "masks", "--direction", "BtoA", name="reverse")
    with pytest.raises(UserError, match="--within reverse: that run draws images from masks"):
        apply_tiny("--dataroot", str(chests), "--within", "reverse")


def test_a_full_disk_leaves_the_old_results_as_they_were(apply_tiny, trained, chests, script, monkeypatch):
    folder = apply_tiny("--dataroot", str(chests))
    before = (folder / "metrics.csv").read_text()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("util.show.test_pictures.save_png", full)
    with pytest.raises(OSError, match="No space left"):
        apply_tiny("--dataroot", str(chests), "--num_test", "1")
    assert (folder / "metrics.csv").read_text() == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_an_unreadable_image_ends_the_test_and_is_named(apply_tiny, trained, chests):
    (chests / "images" / "x2.png").write_bytes(b"")
    with pytest.raises(UserError, match="x2.png"):
        apply_tiny("--dataroot", str(chests))


def test_with_skip_bad_files_the_page_counts_the_images_left_out(apply_tiny, trained, chests):
    (chests / "images" / "x2.png").write_bytes(b"")
    folder = apply_tiny("--dataroot", str(chests), "--skip_bad_files")
    assert len(table(folder)) == 4
    assert "unreadable files left out: 1" in (folder / "index.html").read_text()


def test_the_error_for_a_missing_epoch_lists_those_that_exist(apply_tiny, trained, chests):
    with pytest.raises(UserError, match="best.*latest"):
        apply_tiny("--dataroot", str(chests), epoch="best")


@pytest.mark.slow
def test_upstreams_facades_generator_scores_as_upstream_scored_it(apply_tiny, real_data, tmp_path):
    """The expected scores were measured with upstream's own code in eval mode (see the README of the shared data)."""
    donor = real_data / "weights" / "facades_photo2label_upstream_unet256_ngf16_latest_net_G.pth"
    (tmp_path / "tiny").mkdir(parents=True)
    (tmp_path / "tiny" / "latest_net_G.pth").write_bytes(donor.read_bytes())
    folder = apply_tiny(
        "--dataroot",
        str(real_data / "facades"),
        *words("--ngf 16 --norm batch --eval --classes facades --dataset_mode aligned"),
        phase="test",
    )
    summary = read_json(folder / "metrics.json")
    assert summary["images"] == 50
    assert summary["micro"]["pixel_accuracy"] == pytest.approx(0.527, abs=0.003)
    assert summary["micro"]["class_accuracy"] == pytest.approx(0.236, abs=0.003)
    assert summary["micro"]["miou"] == pytest.approx(0.163, abs=0.003)
    # Many pixels are about as far from a class's colour as counts as void: rounding alone changes this by a point.
    assert summary["macro"]["void_rate"] == pytest.approx(0.258, abs=0.02)


def cycle_run(tmp_path, *flags: str):
    return save(tmp_path, "--model", "cycle_gan", "--netG", "resnet_6blocks", *flags)


def names(folder: Path, stem: str) -> set[str]:
    return {path.stem.removeprefix(f"{stem}_") for path in (folder / "images").glob(f"{stem}_*.png")}


def test_a_cyclegan_shows_both_cycles_and_is_scored_on_pairs(apply_tiny, tmp_path, chests):
    cycle_run(tmp_path, "--dataset_mode", "masks", "--unpaired")
    folder = apply_tiny("--dataroot", str(chests))
    assert names(folder, "x1") == {"real_A", "fake_B", "rec_A", "real_B", "fake_A", "rec_B"}
    assert Image.open(folder / "images" / "x1_rec_A.png").size == (50, 80)
    assert "dice" in table(folder)[0]
    page = (folder / "index.html").read_text()
    assert page.count("x1_rec_A.png")
    assert page.count("x1_fake_A.png")


def test_unaligned_folders_are_translated_both_ways(apply_tiny, tmp_path):
    cycle_run(tmp_path)
    for side, count in (("A", 3), ("B", 2)):
        (tmp_path / "horses" / f"test{side}").mkdir(parents=True)
        for i in range(count):
            picture = np.full((40, 40, 3), 60 * i, np.uint8)
            Image.fromarray(picture).save(tmp_path / "horses" / f"test{side}" / f"{side}{i}.png")
    folder = apply_tiny("--dataroot", str(tmp_path / "horses"), phase="test")
    assert [row["id"] for row in table(folder)] == ["A0", "A1", "A2"]
    assert names(folder, "A2") == {"real_A", "fake_B", "rec_A", "real_B", "fake_A", "rec_B"}
    assert np.asarray(Image.open(folder / "images" / "A2_real_B.png")).max() == 0, "the third A is shown with B0"


@pytest.mark.parametrize("side", "AB")
def test_model_test_applies_one_direction_of_a_cyclegan(apply_tiny, tmp_path, chests, side):
    """As in upstream, it takes plain images and shows `real` and `fake`."""
    model = cycle_run(tmp_path, "--dataset_mode", "masks")
    folder = apply_tiny(
        "--model", "test", "--model_suffix", f"_{side}", "--dataroot", str(chests / "images"), phase="test"
    )
    assert names(folder, "x0") == {"real", "fake"}
    assert len(table(folder)) == 5
    real = np.asarray(Image.open(folder / "images" / "x0_real.png"), np.float32) / 127.5 - 1
    expected = model.translate(torch.from_numpy(real).permute(2, 0, 1)[None], f"G_{side}")[0].permute(1, 2, 0)
    fake = np.asarray(Image.open(folder / "images" / "x0_fake.png"), np.float32) / 127.5 - 1
    assert np.abs(fake - expected.numpy()).max() < 0.01


def test_the_error_for_a_missing_generator_lists_those_that_exist(apply_tiny, tmp_path, chests):
    cycle_run(tmp_path, "--dataset_mode", "masks")
    for suffix in ([], ["--model_suffix", "_C"]):
        with pytest.raises(UserError, match="pth does not exist; this epoch has G_A and G_B; .* --model_suffix$"):
            apply_tiny("--model", "test", *suffix, "--dataroot", str(chests / "images"), phase="test")


def test_mirror_image_patches_and_dropout_samples_change_the_result_and_are_recorded(apply_tiny, trained, chests):
    """metrics.json records the flags. --samples also leaves a picture and a score of uncertainty for each image."""
    plain = table(apply_tiny("--dataroot", str(chests)))
    for flags, settings in (
        (["--tta"], {"tta": "mean with the mirror image"}),
        (["--patch", "32", "--patch_overlap", "0.25"], {"patch": 32, "patch_overlap": 0.25}),
        (["--samples", "3", "--seed", "4"], {"dropout": "alive, 3 passes, seeds 4 to 6"}),
    ):
        folder = apply_tiny("--dataroot", str(chests), *flags)
        summary = read_json(folder / "metrics.json")
        assert settings.items() <= summary["settings"].items()
        assert [row["tp"] + row["fp"] for row in table(folder)] != [row["tp"] + row["fp"] for row in plain]
        assert (folder / "images" / "x2_uncertainty.png").exists() == ("--samples" in flags)
    rows = table(folder)
    assert all(0 < float(row["uncertainty"]) < 0.5 and 0 <= float(row["uncertainty_auroc"]) <= 1 for row in rows)
    uncertainty = summary["uncertainty"]
    assert uncertainty["mean"] == pytest.approx(np.mean([float(row["uncertainty"]) for row in rows]), abs=1e-6)
    assert -1 <= uncertainty["spearman"] <= 1
    page = (folder / "index.html").read_text()
    assert "x2_uncertainty.png" in page
    assert f"{uncertainty['pixel_auroc']:.3f}" in page


def test_an_ensemble_may_mix_norms_and_channels_but_not_image_sizes(apply_tiny, trained, tmp_path, chests):
    save(tmp_path, "--dataset_mode", "masks", "--norm", "instance", "--input_nc", "1", "--output_nc", "1", name="other")
    apply_tiny("--dataroot", str(chests), "--name", "tiny,other")
    folder = tmp_path / "results" / "tiny+other" / "all_latest"
    summary = read_json(folder / "metrics.json")
    files = [tmp_path / name / "latest_net_G.pth" for name in ("tiny", "other")]
    assert summary["settings"]["checkpoint"] == [file.as_posix() for file in files]
    assert summary["images"] == 5
    assert "spearman" in summary["uncertainty"]
    assert "Experiment = tiny+other" in (folder / "index.html").read_text()
    save(tmp_path, "--dataset_mode", "masks", "--crop_size", "128", name="larger")
    with pytest.raises(UserError, match="tiny has --crop_size 64 and larger --crop_size 128; leave one out"):
        apply_tiny("--dataroot", str(chests), "--name", "tiny,larger")


def test_results_of_other_data_never_replace_earlier_ones(apply_tiny, chests, tmp_path):
    """README's commands in sequence: a test, then unlabelled images, then others; each again replaces only its own."""
    save(tmp_path, "--dataset_mode", "masks", "--dataroot", str(chests))
    other = tmp_path / "elsewhere" / "images"
    shutil.copytree(chests / "images", other)
    (other / "x0.png").unlink()
    commands = {
        "all_latest": [],
        "all_latest_other": ["--dataset_mode", "single", "--dataroot", tmp_path / "other"],
        "all_latest_images": ["--dataset_mode", "single", "--dataroot", other],
        "all_latest_chests_source-a": ["--source", "a"],
    }
    shutil.copytree(other, tmp_path / "other")
    for _ in range(2):
        for name, flags in commands.items():
            folder = apply_tiny(*flags)
            assert folder.name == name
            assert read_json(folder / "metrics.json")["settings"]["data"] in (folder / "index.html").read_text()
    folders = {folder.name: len(table(folder)) for folder in (tmp_path / "results" / "tiny").iterdir()}
    assert folders == {"all_latest": 5, "all_latest_other": 4, "all_latest_images": 4, "all_latest_chests_source-a": 3}


def test_data_of_the_same_name_and_a_retrained_run_get_folders_of_their_own(apply_tiny, chests, tmp_path):
    save(tmp_path, "--dataset_mode", "masks", "--dataroot", str(chests))
    namesake = tmp_path / "elsewhere" / "chests"
    shutil.copytree(chests, namesake)
    third = shutil.copytree(chests, tmp_path / "third" / "chests")
    assert apply_tiny().name == "all_latest"
    assert apply_tiny("--dataroot", str(namesake)).name == "all_latest_chests"
    digest = apply_tiny("--dataroot", str(third))
    assert re.fullmatch("all_latest_chests-[0-9a-f]{8}", digest.name)
    assert apply_tiny("--dataroot", str(third)) == digest
    (tmp_path / "tiny" / "options.json").unlink()
    save(tmp_path, "--dataset_mode", "masks", "--dataroot", str(namesake))  # trained again, on other data
    assert apply_tiny().name == "all_latest_chests"


def test_results_that_an_earlier_version_left_are_compared_by_their_settings(apply_tiny, chests, tmp_path):
    save(tmp_path, "--dataset_mode", "masks", "--dataroot", str(chests))
    folder = apply_tiny()
    metrics = read_json(folder / "metrics.json")
    del metrics["data"]
    (folder / "metrics.json").write_text(json.dumps(metrics))
    assert apply_tiny() == folder
    (folder / "metrics.json").write_text(json.dumps(metrics | {"settings": {"data": "datasets/other"}}))
    assert apply_tiny().name == "all_latest_chests"


def test_a_part_of_the_runs_data_has_a_folder_of_its_own_and_a_comparison_its_own(apply_tiny, apply, chests, tmp_path):
    save(tmp_path, "--dataset_mode", "masks", "--dataroot", str(chests))
    save(tmp_path, "--dataset_mode", "masks", "--dataroot", str(chests), name="other")
    plain = ["--dataset_mode", "single", "--dataroot", str(chests / "images")]
    assert apply_tiny(*plain).name == "all_latest_dataset_mode-single"
    compare = ["--compare", "tiny", "other"]
    assert apply(*compare, name="", phase="all").name == "all_latest"
    shutil.copytree(chests, tmp_path / "clinic")
    assert apply(*compare, "--dataroot", str(tmp_path / "clinic"), name="", phase="all").name == "all_latest_clinic"
    assert (tmp_path / "results" / "compare_tiny_other" / "all_latest" / "compare.csv").exists()


def test_a_run_in_a_read_only_folder_is_tested_and_a_note_says_that_it_records_nothing(
    apply_tiny, trained, chests, monkeypatch, tmp_path, capsys
):
    (tmp_path / "tiny" / "web").mkdir()
    (tmp_path / "tiny" / "web" / "index.html").write_text("<nav></nav>")
    before = sorted(path.name for path in (tmp_path / "tiny").iterdir())

    def read_only(path, *more, real=Path.open, **named):
        if tmp_path / "tiny" in path.parents and "w" in more:
            raise OSError(errno.EROFS, os.strerror(errno.EROFS), str(path))
        return real(path, *more, **named)

    monkeypatch.setattr(Path, "open", read_only)
    folder = apply_tiny("--dataroot", str(chests))
    assert len(table(folder)) == 5
    said = capsys.readouterr().out
    assert said.count("note: nothing is recorded in the folder of the run: ") == 1
    assert "test_opt.txt: not written: Read-only file system" in said
    assert f"page: {folder / 'index.html'}" in said
    assert sorted(path.name for path in (tmp_path / "tiny").iterdir()) == before
