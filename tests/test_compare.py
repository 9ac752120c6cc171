"""test.py --compare as a user runs it: runs that differ in network and size, on the images of the first."""

import csv
import json
import sys
from pathlib import Path

import pytest
import torch

import options.test
from data import DATASETS
from data.phantom.__main__ import write_chests
from models import MODELS, create_model
from options.parser import as_dict
from util.errors import UserError
from util.files import write_json
from util.run.checkpoint import save_networks

SMALL = ["--netG", "unet_64", "--ngf", "4", "--crop_size", "64"]
OTHER = [
    "--netG",
    "resnet_6blocks",
    "--ngf",
    "4",
    "--crop_size",
    "48",
    "--model",
    "cycle_gan",
    "--input_nc",
    "1",
    "--output_nc",
    "1",
]


def save_run(tmp_path: Path, name: str, *flags: str, seed: int = 0) -> None:
    """A run as train.py leaves it, with random weights."""
    argv = ["--checkpoints_dir", str(tmp_path / "ck"), "--name", name, "--gpu_ids", "-1", *flags]
    opt = options.test.parse(MODELS, DATASETS, argv)
    torch.manual_seed(seed)
    model = create_model(opt, torch.device("cpu"), training=False)
    save_networks(tmp_path / "ck" / name, "latest", model.networks)
    write_json(tmp_path / "ck" / name / "options.json", as_dict(opt))


@pytest.fixture
def compare(script, monkeypatch, tmp_path):
    """Call test.py --compare; returns the folder of results."""

    def call(*flags: str) -> Path:
        where = ["--checkpoints_dir", str(tmp_path / "ck"), "--results_dir", str(tmp_path / "results")]
        monkeypatch.setattr(sys, "argv", ["test.py", *where, "--gpu_ids", "-1", "--phase", "all", "--compare", *flags])
        assert script.main() == 0
        (folder,) = (tmp_path / "results").iterdir()
        return folder / "all_latest"

    return call


@pytest.fixture
def chests(tmp_path) -> Path:
    write_chests(tmp_path / "chests", 3, 64)
    return tmp_path / "chests"


def table(folder: Path, name: str) -> list[dict[str, str]]:
    with (folder / name).open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_fold_of_the_first_run_is_all_runs(compare, tmp_path, chests, capsys):
    rows = [(f"x{i}", "train" if i % 4 else "val", i % 2) for i in range(8)]
    for name, _, _ in rows:
        for part in ("images", "masks"):
            (chests / part / f"{name}.png").write_bytes(next((chests / part).glob("*.png")).read_bytes())
    lines = ["image,split,fold", *(f"images/{name}.png,{split},{fold}" for name, split, fold in rows)]
    (chests / "splits.csv").write_text("\n".join(lines))
    data = [*SMALL, "--dataset_mode", "masks", "--dataroot", str(chests)]
    save_run(tmp_path, "plain", *data)
    save_run(tmp_path, "folded", *data, "--fold", "1", seed=1)
    folder = compare("plain", "folded", "--phase", "val").with_name("val_latest")
    assert [row["id"] for row in table(folder, "compare.csv")] == ["x0", "x4"]
    assert "folded was trained with --fold 1: images of phase val may be among" in capsys.readouterr().out


def test_runs_of_several_kinds_on_the_images_of_the_first(compare, script, monkeypatch, tmp_path, chests):
    data = ["--dataset_mode", "masks", "--dataroot"]
    save_run(tmp_path, "one", *SMALL, *data, str(chests))
    save_run(tmp_path, "old/two", *SMALL, *data, "elsewhere", seed=1)
    save_run(tmp_path, "three", *OTHER, *data, "elsewhere", "--source", "unknown", "--classes", "lungs_dark")
    folder = compare("one", "old/two", "three")
    assert folder.parent.name == "compare_one_old-two_three"
    rows = table(folder, "compare.csv")
    count = len(list((chests / "images").iterdir()))
    assert len(rows) == count
    assert all(0 < float(row["disagreement"]) <= 1 for row in rows)
    found = json.loads((folder / "compare.json").read_text())
    assert found["runs"]["three"]["settings"]["crop_size"] == 48
    assert found["runs"]["one"]["difference"] is None
    for run in ("one", "old/two", "three"):
        assert len(list((folder / "masks" / run).glob("*.png"))) == count

    flags = [
        "--checkpoints_dir",
        str(tmp_path / "ck"),
        "--results_dir",
        str(tmp_path / "results"),
        "--gpu_ids",
        "-1",
        "--phase",
        "all",
        "--name",
        "three",
        "--dataroot",
        str(chests),
    ]
    monkeypatch.setattr(sys, "argv", ["test.py", *flags])
    script.main()
    alone = table(tmp_path / "results" / "three" / "all_latest", "metrics.csv")
    assert [row["dice"] for row in alone] == [row["dice three"] for row in rows]


def test_the_command_line_says_which_images_for_all(compare, tmp_path, chests):
    for name in ("one", "two"):
        save_run(tmp_path, name, *SMALL, "--dataset_mode", "masks", "--dataroot", "elsewhere")
    assert len(table(compare("one", "two", "--dataroot", str(chests), "--num_test", "2"), "compare.csv")) == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["one"], "--compare one: want two or more different runs"),
        (["one", "one"], "--compare one one: want two or more different runs"),
        (["one", "lost"], "--compare lost: there is no run "),
        (["one", "two", "--name", "three"], "--name three: --compare names the runs; leave --name out"),
        (["one", "two", "--dataset_mode", "phantom", "--phantom", "facades"], "--compare one: masks of two classes"),
        (["one", "two", "--surface"], "--surface: --compare does not do that; leave it out, or test one run by --name"),
        (["one", "two", "--write", "dicomseg"], "--write dicomseg: --compare does not do that; "),
        (["one", "two", "--aspect_ratio", "2"], "--aspect_ratio: --compare does not do that; "),
    ],
)
def test_mistakes_end_in_one_line_and_leave_nothing(compare, tmp_path, chests, flags, message):
    for name in ("one", "two"):
        save_run(tmp_path, name, *SMALL, "--dataset_mode", "masks", "--dataroot", str(chests))
    with pytest.raises(UserError) as error:
        compare(*flags)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results").exists()
