"""Results are never placed over those of other data, whatever was tested before, in whatever order."""

import argparse
import json
import random
from pathlib import Path

import pytest

import options.test
import options.train
from options.results import data_of, place, results_folder
from options.script import as_dict
from tests.helpers import read_json

MINE = {"dataset_mode": "masks", "dataroot": "/mine"}


def write(folder: Path, data: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps({"data": data}))


def test_no_sequence_of_tests_replaces_results_of_other_data(tmp_path):
    """Data sets of equal and odd names, each tested several times, some of them the run's own."""
    names = ["lungs", "lungs", "lungs", "a b/ü", "a b?ü", "val_latest", "-"]
    sets = [{"dataroot": f"/{i}/{name}"} for i, name in enumerate(names)]
    for number in range(200):
        rng, folder, homes = random.Random(number), tmp_path / str(number) / "test_latest", {}
        for _ in range(20):
            which = rng.randrange(len(sets))
            home = place(folder, names[which], sets[which], "metrics.json", own=which % 2 == 0)
            assert homes.setdefault(home, which) == which, "each folder holds the results of one data set"
            write(home, sets[which])
        assert len(homes) == len(set(homes.values())), "each data set has one folder"


def test_what_a_killed_test_left_aside_counts_as_results(tmp_path):
    write(tmp_path / "test_latest.old", "theirs")
    assert place(tmp_path / "test_latest", "mine", "mine", "metrics.json").name == "test_latest_mine"
    assert place(tmp_path / "test_latest", "theirs", "theirs", "metrics.json").name == "test_latest"


def test_a_folder_with_damaged_records_is_left_alone(tmp_path):
    for content in ("{", "[1]", "null", '"x"', "[" * 10**5, '{"settings": []}', '{"settings": {"data": [1]}}'):
        write(tmp_path / "test_latest", "x")
        (tmp_path / "test_latest" / "metrics.json").write_text(content)
        assert place(tmp_path / "test_latest", "mine", MINE, "metrics.json").name == "test_latest_mine"


@pytest.fixture
def folder_of(tmp_path, monkeypatch):
    """folder_of("--tta") returns the name of the folder in which test.py leaves the results of a run on datasets/lungs,
    after it has left results of so many images there."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "checkpoints" / "run").mkdir(parents=True)
    run = options.train.parse(["--name", "run", "--dataset_mode", "masks", "--dataroot", "datasets/lungs"])
    (tmp_path / "checkpoints" / "run" / "options.json").write_text(json.dumps(as_dict(run)))

    def options_of(*flags: str) -> argparse.Namespace:
        return options.test.parse(["--name", "run", *flags])

    def call(*flags: str, images: int = 9) -> str:
        opt = options_of(*flags)
        folder = results_folder(opt, "run", "metrics.json")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "metrics.json").write_text(json.dumps({"data": data_of(opt), "images": images}))
        return folder.name

    return call


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ("--samples 8", "samples-8"),
        ("--keep_largest 2 --fill_holes", "fill_holes_keep_largest-2"),
        ("--norm_stats running", "norm_stats-running"),
        ("--eval", "norm_stats-running"),
        ("--mask_threshold 0.75,2000,0.3", "mask_threshold-0.75-2000-0.3"),
        ("--within other", "within-other"),
        ("--tta", "tta"),
        ("--crop_size 128", "crop_size-128"),
        ("--dataset_mode single", "dataset_mode-single"),
        ("--surface", "surface"),
        ("--write dicomseg --tta", "tta_write-dicomseg"),
        ("--source a", "lungs_source-a"),
        ("--aspect_ratio 2", "aspect_ratio-2.0"),
        ("--samples 2 --seed 5", "samples-2_seed-5"),
        ("--stochastic --seed 5", "stochastic_seed-5"),
        ("--source a --tta", "lungs_source-a_tta"),
    ],
)
@pytest.mark.parametrize("first", [True, False])
def test_another_setting_than_the_runs_gives_a_folder_that_says_so(folder_of, flags, words, first):
    """Whichever of the two is tested first."""
    if first:
        assert folder_of() == "test_latest"
    assert folder_of(*flags.split()) == f"test_latest_{words}"
    assert folder_of(*flags.split()) == f"test_latest_{words}"
    assert folder_of() == "test_latest"


def test_other_draws_and_fewer_images_of_train_have_a_folder_of_their_own(folder_of):
    assert folder_of("--seed", "5") == "test_latest", "nothing is drawn"
    assert folder_of("--train_images", "3") == "test_latest", "these images do not depend on it"
    assert folder_of("--phase", "train") == "train_latest"
    assert folder_of("--phase", "train", "--train_images", "3") == "train_latest_lungs_train_images-3"
    drawn = ["--dataset_mode", "phantom", "--phantom_count"]
    assert folder_of(*drawn, "40") != folder_of(*drawn, "100")


def test_what_any_run_of_several_does_otherwise_counts(tmp_path, folder_of):
    run = read_json(tmp_path / "checkpoints" / "run" / "options.json")
    (tmp_path / "checkpoints" / "kept").mkdir()
    (tmp_path / "checkpoints" / "kept" / "options.json").write_text(json.dumps(run | {"keep_largest": 1}))

    def folder(*flags: str) -> str:
        first, other = (options.test.parse(["--name", name, *flags]) for name in ("kept", "run"))
        return results_folder(first, "both", "metrics.json", others=[other]).name

    assert folder() == "test_latest"
    assert folder("--keep_largest", "1") == "test_latest_keep_largest-1"
    (tmp_path / "checkpoints" / "kept" / "options.json").write_text(json.dumps(run | {"dataset_mode": "single"}))
    (tmp_path / "checkpoints" / "kept").rename(tmp_path / "checkpoints" / "other")
    first, other = options.test.parse(["--name", "run"]), options.test.parse(["--name", "other"])
    other.dataset_mode = first.dataset_mode  # as test.py reads an ensemble
    assert results_folder(first, "both", "metrics.json", others=[other]).name == "test_latest"


def test_settings_of_a_folder_that_upstream_wrote_replace_no_results(folder_of):
    Path("checkpoints/run/options.json").unlink()
    lungs = ["--dataroot", "lungs"]
    assert folder_of(*lungs) == "test_latest"
    assert folder_of(*lungs, "--keep_largest", "1") == "test_latest_lungs_keep_largest-1"
    assert folder_of(*lungs, "--tta") == "test_latest_lungs_tta"
    assert folder_of(*lungs) == "test_latest"


def test_flags_that_repeat_what_the_run_recorded_give_the_usual_folder(folder_of):
    same = "--norm_stats image --keep_largest 0 --dataroot datasets/lungs --dataset_mode masks --samples 0"
    assert folder_of(*same.split()) == "test_latest"
    other = ["--dataroot", "datasets/clinic"]
    assert folder_of(*other, "--dataset_mode", "single") == "test_latest_clinic"
    assert folder_of(*other, "--dataset_mode", "single", "--tta") == "test_latest_clinic_tta"


def test_upstreams_way_to_test_plain_images_keeps_upstreams_folder(folder_of):
    assert folder_of("--model", "test", "--dataroot", "datasets/lungs/images") == "test_latest"


@pytest.mark.parametrize("recorded", [True, False])
def test_the_two_directions_of_a_cyclegan_do_not_replace_each_other(folder_of, recorded):
    """The first has upstream's folder."""
    if not recorded:
        Path("checkpoints/run/options.json").unlink()
    plain = ["--model", "test", "--dataroot", "datasets/lungs/images", "--model_suffix"]
    for _ in range(2):
        assert folder_of(*plain, "_A") == "test_latest"
        assert folder_of(*plain, "_B") == "test_latest_images_model_suffix-_B"


@pytest.mark.parametrize("first", [0, 1])
def test_a_test_of_upstreams_run_does_not_delete_the_dicom_objects_of_another(folder_of, first):
    Path("checkpoints/run/options.json").unlink()
    lungs = ["--dataroot", "lungs"]
    ways = (lungs, [*lungs, "--write", "dicomseg"])
    assert folder_of(*ways[first]) == folder_of(*ways[first]) == "test_latest"
    assert folder_of(*ways[1 - first]) == f"test_latest_lungs{'' if first else '_write-dicomseg'}"


def test_a_test_of_fewer_images_does_not_replace_one_of_more(folder_of):
    assert folder_of("--num_test", "2", images=2) == "test_latest"
    assert folder_of(images=9) == "test_latest"
    assert folder_of("--num_test", "2", images=2) == "test_latest_first-2"
    assert folder_of("--num_test", "9", images=9) == "test_latest"


def test_a_run_of_upstream_keeps_upstreams_folder(folder_of):
    Path("checkpoints/run/options.json").unlink()
    assert folder_of("--eval", "--num_test", "3", images=3) == "test_latest"
