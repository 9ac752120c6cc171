"""test.py as a user runs it: a tiny generator, X-rays of several sizes, the files and figures that come out."""

import csv
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.ndimage import label

import options.test
from data import DATASETS
from models import MODELS, create_model
from options.parser import as_dict
from util.errors import UserError
from util.files import write_json
from util.run.checkpoint import save_networks

NET = ["--netG", "unet_64", "--ngf", "4", "--crop_size", "64"]


@pytest.fixture
def run(script, monkeypatch, tmp_path):
    """Call test.py with the flags given, on the CPU, in its own folders; returns the results folder."""

    def call(*flags: str, phase: str = "all", epoch: str = "latest") -> Path:
        where = ["--checkpoints_dir", str(tmp_path / "ck"), "--results_dir", str(tmp_path / "results")]
        base = [*where, "--gpu_ids", "-1", "--name", "tiny", "--phase", phase, "--epoch", epoch]
        monkeypatch.setattr(sys, "argv", ["test.py", *base, *flags])
        assert script.main() == 0
        return tmp_path / "results" / "tiny" / f"{phase}_{epoch}"

    return call


@pytest.fixture
def trained(tmp_path):
    """A run `tiny` on masks."""
    return save_run(tmp_path, "--dataset_mode", "masks")


def save_run(tmp_path: Path, *flags: str, name: str = "tiny"):
    """A run as train.py leaves it, with random weights."""
    argv = ["--checkpoints_dir", str(tmp_path / "ck"), "--name", name, "--gpu_ids", "-1", *NET, *flags]
    opt = options.test.parse(MODELS, DATASETS, argv)
    torch.manual_seed(0)
    model = create_model(opt, torch.device("cpu"), training=False)
    save_networks(tmp_path / "ck" / name, "latest", model.networks)
    write_json(tmp_path / "ck" / name / "options.json", as_dict(opt))
    return model


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
    with (folder / "metrics.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_a_run_and_its_data_are_enough(run, trained, chests):
    folder = run("--dataroot", str(chests))
    rows = table(folder)
    assert [row["id"] for row in rows] == [f"x{i}" for i in range(5)]
    for row, image in zip(rows, sorted((chests / "images").iterdir()), strict=True):
        size = Image.open(image).size
        assert sum(int(row[name]) for name in ("tp", "fp", "fn", "tn")) == size[0] * size[1]
        for kind in ("images/{}_real_A", "images/{}_fake_B", "images/{}_real_B", "masks/{}", "overlays/{}"):
            assert Image.open(folder / f"{kind.format(row['id'])}.png").size == size
    summary = json.loads((folder / "metrics.json").read_text())
    assert summary["images"] == 5
    assert summary["patients"] == 4
    assert set(summary["by_source"]) == {"a", "b"}
    assert summary["macro"]["dice"] == pytest.approx(np.mean([float(row["dice"]) for row in rows]), abs=1e-6)
    assert summary["contradictions"] == []
    assert summary["settings"]["norm_stats"] == "image"
    assert summary["settings"]["threshold"] == 0.5
    assert "Experiment = tiny, Phase = all, Epoch = latest" in (folder / "index.html").read_text()


def test_the_written_masks_have_the_written_scores(run, trained, chests):
    folder = run("--dataroot", str(chests))
    for row in table(folder):
        mask = np.asarray(Image.open(folder / "masks" / f"{row['id']}.png")) > 127
        truth = np.asarray(Image.open(chests / "masks" / f"{row['id']}.png")) > 127
        assert int(row["tp"]) == (mask & truth).sum()
        assert int(row["fp"]) == (mask & ~truth).sum()


def test_neither_batch_nor_repetition_changes_a_result(run, trained, chests):
    first = (run("--dataroot", str(chests), "--batch_size", "1") / "metrics.csv").read_text()
    again = (run("--dataroot", str(chests), "--batch_size", "1") / "metrics.csv").read_text()
    assert first == again
    batched = table(run("--dataroot", str(chests), "--batch_size", "4"))
    for row, other in zip(csv.DictReader(first.splitlines()), batched, strict=True):
        assert float(row["dice"]) == pytest.approx(float(other["dice"]), abs=0.01)  # rounding at the threshold


def test_images_without_masks_are_segmented_without_scores(run, trained, chests, capsys):
    folder = run("--dataroot", str(chests / "images"), "--dataset_mode", "single", "--classes", "lungs")
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
def test_a_run_records_its_classes_for_images_without_masks(run, tmp_path, chests, flags, classes):
    save_run(tmp_path, *flags)
    recorded = json.loads((tmp_path / "ck" / "tiny" / "options.json").read_text())
    assert recorded["classes"] == classes
    folder = run("--dataroot", str(chests / "images"), "--dataset_mode", "single")
    assert len(list((folder / "masks").iterdir())) == len(list((folder / "overlays").iterdir())) == 5
    assert "dice" not in table(folder)[0]


def test_phantom_facades_are_scored_as_facades(run, tmp_path):
    save_run(tmp_path, "--dataset_mode", "phantom", "--phantom", "facades")
    assert "miou" in table(run("--num_test", "1", phase="val"))[0]


def test_num_test_takes_the_first_images(run, trained, chests):
    assert [row["id"] for row in table(run("--dataroot", str(chests), "--num_test", "2"))] == ["x0", "x1"]


def test_surface_distances_on_request(run, trained, chests):
    row = table(run("--dataroot", str(chests), "--surface", "--num_test", "1"))[0]
    assert float(row["hd95_px"]) >= float(row["assd_px"]) > 0


def test_a_threshold_is_chosen_on_val_and_used_on_test(run, trained, chests, tmp_path, capsys):
    table_file = chests / "splits.csv"
    table_file.write_text(table_file.read_text().replace(",test,", ",val,", 3))
    auto = ["--dataroot", str(chests), "--mask_threshold", "auto"]
    with pytest.raises(UserError, match="threshold.json has none.*--name tiny --epoch latest --phase val"):
        run(*auto, phase="test")
    chosen = json.loads((run(*auto, phase="val") / "metrics.json").read_text())
    kept = json.loads((tmp_path / "ck" / "tiny" / "threshold.json").read_text())
    flatters = "chosen on these very images"
    assert flatters in (tmp_path / "results" / "tiny" / "val_latest" / "index.html").read_text()
    assert [entry["images"] for entry in kept] == [3]
    assert chosen["settings"]["threshold chosen on"] == f"val of {chests}, 3 images"
    assert chosen["macro"]["dice"] == pytest.approx(kept[0]["dice"])
    used = json.loads((run(*auto, phase="test") / "metrics.json").read_text())
    assert used["settings"]["threshold"] == chosen["settings"]["threshold"] == kept[0]["threshold"]
    assert used["settings"]["threshold chosen on"] == f"val of {chests}, 3 images"
    assert used["images"] == 2
    assert flatters not in (tmp_path / "results" / "tiny" / "test_latest" / "index.html").read_text()
    with pytest.raises(UserError, match="none for these weights and flags"):
        run(*auto, "--norm_stats", "running", phase="test")


def test_a_threshold_within_a_run_goes_with_that_runs_weights(run, trained, chests, tmp_path):
    table_file = chests / "splits.csv"
    table_file.write_text(table_file.read_text().replace(",test,", ",val,", 3))
    lungs = save_run(tmp_path, "--dataset_mode", "masks", name="lungs")
    flags = ["--dataroot", str(chests), "--mask_threshold", "auto", "--within", "lungs"]
    run(*flags, phase="val")
    run(*flags, phase="test")
    next(lungs.networks["G"].parameters()).data.add_(1)  # trained on
    save_networks(tmp_path / "ck" / "lungs", "latest", lungs.networks)
    with pytest.raises(UserError, match="none for these weights and flags"):
        run(*flags, phase="test")


def test_images_that_a_run_may_have_learnt_from_are_told(run, chests, tmp_path, capsys):
    """By another fold on the page of val, by another draw of a folder without a list on any."""
    own = (chests / "splits.csv").read_text().splitlines()
    lines = [own[0] + ",fold"] + [f"{line.replace(',test,', ',train,')},{i % 2}" for i, line in enumerate(own[1:])]
    (chests / "splits.csv").write_text("\n".join(lines))
    save_run(tmp_path, "--dataset_mode", "masks", "--dataroot", str(chests), "--fold", "0")
    told = "tiny was trained with --fold 0: images of phase val may be among those it learnt from"
    folder = run(phase="val")
    assert told not in capsys.readouterr().out
    assert "may have learnt" not in (folder / "index.html").read_text()
    folder = run("--dataroot", str(chests), "--fold", "1", phase="val")
    assert told in capsys.readouterr().out
    assert "may have learnt" in (folder / "index.html").read_text()
    (chests / "splits.csv").unlink()
    (tmp_path / "ck" / "tiny" / "options.json").unlink()
    save_run(tmp_path, "--dataset_mode", "masks", "--dataroot", str(chests))
    run("--split_seed", "1", phase="all")
    assert "tiny was trained with --split_seed 0: images of phase all" in capsys.readouterr().out


def test_masks_are_written_as_they_are_scored_after_postprocessing(run, trained, chests):
    folder = run("--dataroot", str(chests), "--keep_largest", "1", "--fill_holes", "--min_area", "5")
    for row in table(folder):
        mask = np.asarray(Image.open(folder / "masks" / f"{row['id']}.png")) > 127
        assert mask.sum() == int(row["tp"]) + int(row["fp"])
        assert label(mask, np.ones((3, 3)))[1] <= 1
    assert "keep_largest: 1" in (folder / "index.html").read_text()


def test_within_another_run(run, trained, chests, tmp_path, capsys):
    """The other run sees the images at its own size and takes its own threshold."""
    first = run("--dataroot", str(chests))
    plain = {row["id"]: np.asarray(Image.open(first / "masks" / f"{row['id']}.png")) for row in table(first)}
    (tmp_path / "ck" / "tiny").rename(tmp_path / "ck" / "lungs")
    options_file = tmp_path / "ck" / "lungs" / "options.json"
    recorded = json.loads(options_file.read_text())
    options_file.write_text(json.dumps(recorded | {"crop_size": 128, "mask_threshold": 0.51}))
    save_run(tmp_path, "--dataset_mode", "masks")
    folder = run("--dataroot", str(chests), "--within", "lungs")
    for row in table(folder):
        inside = np.asarray(Image.open(folder / "images" / f"{row['id']}_within.png"))[..., 0] > 127
        mask = np.asarray(Image.open(folder / "masks" / f"{row['id']}.png"))
        assert inside.any()
        assert not inside.all()
        assert (mask == np.where(inside, plain[row["id"]], 0)).all()
    page = (folder / "index.html").read_text()
    assert "within: the masks of lungs" in page
    assert "x0_within.png" in page


def test_within_a_run_that_is_not_there_or_not_binary(run, trained, chests, tmp_path):
    with pytest.raises(UserError, match="--within lung: there is no run .*lung; check the name"):
        run("--dataroot", str(chests), "--within", "lung")
    (tmp_path / "ck" / "tiny").rename(tmp_path / "ck" / "houses")
    options_file = tmp_path / "ck" / "houses" / "options.json"
    options_file.write_text(json.dumps(json.loads(options_file.read_text()) | {"classes": "facades"}))
    save_run(tmp_path, "--dataset_mode", "masks")
    with pytest.raises(UserError, match="--within houses: that run's masks are not of two classes"):
        run("--dataroot", str(chests), "--within", "houses")


def test_within_a_run_that_recorded_no_classes(run, trained, chests, tmp_path):
    """Trained on A beside B, it never said what their colours mean: the same as the tested run's."""
    save_run(tmp_path, "--dataset_mode", "aligned", name="pairs")
    pictures = ["--dataset_mode", "single", "--dataroot", str(chests / "images"), "--classes", "lungs"]
    folder = run(*pictures, "--within", "pairs")
    assert len(list((folder / "images").glob("*_within.png"))) == 5


def test_within_sees_the_images_that_the_tested_run_was_trained_on(run, trained, chests, tmp_path):
    """A run on few images (--train_images) is tested on those alone."""
    (chests / "splits.csv").write_text((chests / "splits.csv").read_text().replace(",test,", ",train,"))
    (tmp_path / "ck" / "tiny").rename(tmp_path / "ck" / "lungs")
    save_run(tmp_path, "--dataset_mode", "masks", "--dataroot", str(chests), "--train_images", "2")
    folder = run("--within", "lungs", phase="train")
    run("--dataroot", str(chests), "--name", "lungs", phase="train")
    lungs = tmp_path / "results" / "lungs" / "train_latest"
    assert len(table(folder)) == 2
    for row in table(folder):
        inside = np.asarray(Image.open(folder / "images" / f"{row['id']}_within.png"))[..., 0] > 127
        assert (inside == (np.asarray(Image.open(lungs / "masks" / f"{row['id']}.png")) > 127)).all()


def test_within_a_run_with_masks_in_other_colours(run, trained, chests, tmp_path):
    """Masks on disk are read in the tested run's colours; the other run's own say what it puts out."""
    (tmp_path / "ck" / "tiny").rename(tmp_path / "ck" / "lungs")
    run("--dataroot", str(chests), "--name", "lungs")
    masks = tmp_path / "results" / "lungs" / "all_latest" / "masks"
    plain = {path.stem: np.asarray(Image.open(path)) for path in masks.iterdir()}
    for path in (chests / "masks").iterdir():
        with Image.open(path) as mask:
            lung = np.asarray(mask.convert("L")) > 127
        Image.fromarray(np.array([[0, 0, 255], [255, 0, 0]], np.uint8)[lung.astype(int)]).save(path)
    (tmp_path / "red.json").write_text('{"outside": [0, 0, 255], "lung": [255, 0, 0]}')
    save_run(tmp_path, "--dataset_mode", "masks", "--classes", str(tmp_path / "red.json"))
    folder = run("--dataroot", str(chests), "--within", "lungs")
    for row in table(folder):
        inside = np.asarray(Image.open(folder / "images" / f"{row['id']}_within.png"))[..., 0]
        assert (inside == plain[row["id"]]).all()


def test_within_a_run_that_draws_images_from_masks(run, trained, chests, tmp_path):
    save_run(tmp_path, "--dataset_mode", "masks", "--direction", "BtoA", name="reverse")
    with pytest.raises(UserError, match="--within reverse: that run draws images from masks"):
        run("--dataroot", str(chests), "--within", "reverse")


def test_a_full_disk_leaves_the_old_results(run, trained, chests, script, monkeypatch):
    folder = run("--dataroot", str(chests))
    before = (folder / "metrics.csv").read_text()

    def full(*args):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("util.show.test_pictures.save_png", full)
    with pytest.raises(OSError, match="No space left"):
        run("--dataroot", str(chests), "--num_test", "1")
    assert (folder / "metrics.csv").read_text() == before
    assert [path.name for path in folder.parent.iterdir()] == [folder.name]


def test_a_bad_image_ends_the_test_with_its_name(run, trained, chests):
    (chests / "images" / "x2.png").write_bytes(b"")
    with pytest.raises(UserError, match="x2.png"):
        run("--dataroot", str(chests))


def test_a_bad_image_left_out_is_told_on_the_page(run, trained, chests):
    (chests / "images" / "x2.png").write_bytes(b"")
    folder = run("--dataroot", str(chests), "--skip_bad_files")
    assert len(table(folder)) == 4
    assert "unreadable files left out: 1" in (folder / "index.html").read_text()


def test_a_missing_epoch_says_which_there_are(run, trained, chests):
    with pytest.raises(UserError, match="best.*latest"):
        run("--dataroot", str(chests), epoch="best")


@pytest.mark.slow
def test_upstreams_facades_generator_scores_as_upstream_scored_it(run, real_data, tmp_path):
    """The donor's eval-mode figures were measured with upstream's own code (shared data's README)."""
    donor = real_data / "weights" / "facades_photo2label_upstream_unet256_ngf16_latest_net_G.pth"
    (tmp_path / "ck" / "tiny").mkdir(parents=True)
    (tmp_path / "ck" / "tiny" / "latest_net_G.pth").write_bytes(donor.read_bytes())
    folder = run(
        "--dataroot",
        str(real_data / "facades"),
        "--ngf",
        "16",
        "--norm",
        "batch",
        "--eval",
        "--classes",
        "facades",
        "--dataset_mode",
        "aligned",
        phase="test",
    )
    summary = json.loads((folder / "metrics.json").read_text())
    assert summary["images"] == 50
    assert summary["micro"]["pixel_accuracy"] == pytest.approx(0.527, abs=0.003)
    assert summary["micro"]["class_accuracy"] == pytest.approx(0.236, abs=0.003)
    assert summary["micro"]["miou"] == pytest.approx(0.163, abs=0.003)
    # Many pixels lie near the rim of a colour's void distance, so that rounding alone moves this by a point.
    assert summary["macro"]["void_rate"] == pytest.approx(0.258, abs=0.02)


def cycle_run(tmp_path, *flags: str):
    return save_run(tmp_path, "--model", "cycle_gan", "--netG", "resnet_6blocks", *flags)


def names(folder: Path, stem: str) -> set[str]:
    return {path.stem.removeprefix(f"{stem}_") for path in (folder / "images").glob(f"{stem}_*.png")}


def test_cyclegan_shows_both_cycles_and_is_scored_on_pairs(run, tmp_path, chests):
    cycle_run(tmp_path, "--dataset_mode", "masks", "--unpaired")
    folder = run("--dataroot", str(chests))
    assert names(folder, "x1") == {"real_A", "fake_B", "rec_A", "real_B", "fake_A", "rec_B"}
    assert Image.open(folder / "images" / "x1_rec_A.png").size == (50, 80)
    assert "dice" in table(folder)[0]
    page = (folder / "index.html").read_text()
    assert page.count("x1_rec_A.png")
    assert page.count("x1_fake_A.png")


def test_unaligned_folders_are_translated_both_ways(run, tmp_path):
    cycle_run(tmp_path)
    for side, count in (("A", 3), ("B", 2)):
        (tmp_path / "horses" / f"test{side}").mkdir(parents=True)
        for i in range(count):
            picture = np.full((40, 40, 3), 60 * i, np.uint8)
            Image.fromarray(picture).save(tmp_path / "horses" / f"test{side}" / f"{side}{i}.png")
    folder = run("--dataroot", str(tmp_path / "horses"), phase="test")
    assert [row["id"] for row in table(folder)] == ["A0", "A1", "A2"]
    assert names(folder, "A2") == {"real_A", "fake_B", "rec_A", "real_B", "fake_A", "rec_B"}
    assert np.asarray(Image.open(folder / "images" / "A2_real_B.png")).max() == 0, "the third A stands beside B0"


@pytest.mark.parametrize("side", "AB")
def test_one_direction_of_a_cyclegan(run, tmp_path, chests, side):
    """--model test as upstream has it: plain images in, `real` and `fake` out."""
    model = cycle_run(tmp_path, "--dataset_mode", "masks")
    folder = run("--model", "test", "--model_suffix", f"_{side}", "--dataroot", str(chests / "images"), phase="test")
    assert names(folder, "x0") == {"real", "fake"}
    assert len(table(folder)) == 5
    real = np.asarray(Image.open(folder / "images" / "x0_real.png"), np.float32) / 127.5 - 1
    expected = model.translate(torch.from_numpy(real).permute(2, 0, 1)[None], f"G_{side}")[0].permute(1, 2, 0)
    fake = np.asarray(Image.open(folder / "images" / "x0_fake.png"), np.float32) / 127.5 - 1
    assert np.abs(fake - expected.numpy()).max() < 0.01


def test_a_generator_that_the_run_does_not_have(run, tmp_path, chests):
    cycle_run(tmp_path, "--dataset_mode", "masks")
    for suffix in ([], ["--model_suffix", "_C"]):
        with pytest.raises(UserError, match="pth does not exist; this epoch has G_A and G_B; .* --model_suffix$"):
            run("--model", "test", *suffix, "--dataroot", str(chests / "images"), phase="test")


def test_mirror_image_patches_and_passes(run, trained, chests):
    """Each changes the result, and the figures say which was used; --samples leaves a picture and a line an image."""
    plain = table(run("--dataroot", str(chests)))
    for flags, said in (
        (["--tta"], {"tta": "mean with the mirror image"}),
        (["--patch", "32", "--patch_overlap", "0.25"], {"patch": 32, "patch_overlap": 0.25}),
        (["--samples", "3", "--seed", "4"], {"dropout": "alive, 3 passes, seeds 4 to 6"}),
    ):
        folder = run("--dataroot", str(chests), *flags)
        summary = json.loads((folder / "metrics.json").read_text())
        assert said.items() <= summary["settings"].items()
        assert [row["tp"] + row["fp"] for row in table(folder)] != [row["tp"] + row["fp"] for row in plain]
        assert (folder / "images" / "x2_uncertainty.png").exists() == ("--samples" in flags)
    rows = table(folder)
    assert all(0 < float(row["uncertainty"]) < 0.5 and 0 <= float(row["uncertainty_auroc"]) <= 1 for row in rows)
    found = summary["uncertainty"]
    assert found["mean"] == pytest.approx(np.mean([float(row["uncertainty"]) for row in rows]), abs=1e-6)
    assert -1 <= found["spearman"] <= 1
    page = (folder / "index.html").read_text()
    assert "x2_uncertainty.png" in page
    assert f"{found['pixel_auroc']:.3f}" in page


def test_an_ensemble_of_two_makes(run, trained, tmp_path, chests):
    save_run(
        tmp_path, "--dataset_mode", "masks", "--norm", "instance", "--input_nc", "1", "--output_nc", "1", name="other"
    )
    run("--dataroot", str(chests), "--name", "tiny,other")
    folder = tmp_path / "results" / "tiny+other" / "all_latest"
    summary = json.loads((folder / "metrics.json").read_text())
    files = [tmp_path / "ck" / name / "latest_net_G.pth" for name in ("tiny", "other")]
    assert summary["settings"]["checkpoint"] == [file.as_posix() for file in files]
    assert summary["images"] == 5
    assert "spearman" in summary["uncertainty"]
    assert "Experiment = tiny+other" in (folder / "index.html").read_text()
    with pytest.raises(UserError, match="tiny has --crop_size 64 and larger --crop_size 128; leave one out"):
        save_run(tmp_path, "--dataset_mode", "masks", "--crop_size", "128", name="larger")
        run("--dataroot", str(chests), "--name", "tiny,larger")
