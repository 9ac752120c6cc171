"""test.py --compare as a user runs it: runs with other networks and sizes, on the images of the first run."""

from pathlib import Path

import pytest

from data.phantom.__main__ import write_chests
from tests.helpers import read_json, read_table, save_run, words
from util.errors import UserError

SMALL = words("--netG unet_64 --ngf 4 --crop_size 64")
FACADES = words("--dataset_mode phantom --phantom facades")
OTHER = words("--netG resnet_6blocks --ngf 4 --crop_size 48 --model cycle_gan --input_nc 1 --output_nc 1")


@pytest.fixture
def compare(apply):
    """`apply` with --compare: returns the folder of results."""
    return lambda *flags, phase="all": apply("--compare", *flags, name="", phase=phase)


@pytest.fixture
def chests(tmp_path) -> Path:
    write_chests(tmp_path / "chests", 3, 64)
    return tmp_path / "chests"


def test_all_runs_are_compared_on_the_fold_of_the_first(compare, tmp_path, chests, capsys):
    rows = [(f"x{i}", "train" if i % 4 else "val", i % 2) for i in range(8)]
    for name, _, _ in rows:
        for part in ("images", "masks"):
            (chests / part / f"{name}.png").write_bytes(next((chests / part).glob("*.png")).read_bytes())
    lines = ["image,split,fold", *(f"images/{name}.png,{split},{fold}" for name, split, fold in rows)]
    (chests / "splits.csv").write_text("\n".join(lines))
    data = [*SMALL, "--dataset_mode", "masks", "--dataroot", str(chests)]
    save_run(tmp_path, "plain", *data)
    save_run(tmp_path, "folded", *data, "--fold", "1", seed=1)
    folder = compare("plain", "folded", phase="val")
    assert [row["id"] for row in read_table(folder / "compare.csv")] == ["x0", "x4"]
    assert "folded was trained with --fold 1: its scores on images of phase val may be" in capsys.readouterr().out


def test_runs_with_other_networks_and_sizes_are_scored_as_if_each_were_tested_alone(compare, apply, tmp_path, chests):
    data = ["--dataset_mode", "masks", "--dataroot"]
    save_run(tmp_path, "one", *SMALL, *data, str(chests))
    save_run(tmp_path, "old/two", *SMALL, *data, "elsewhere", seed=1)
    save_run(tmp_path, "three", *OTHER, *data, "elsewhere", "--source", "unknown", "--classes", "lungs_dark")
    folder = compare("one", "old/two", "three")
    assert folder.parent.name == "compare_one_old-two_three"
    rows = read_table(folder / "compare.csv")
    count = len(list((chests / "images").iterdir()))
    assert len(rows) == count
    assert all(0 < float(row["disagreement"]) <= 1 for row in rows)
    comparison = read_json(folder / "compare.json")
    assert comparison["runs"]["three"]["settings"]["crop_size"] == 48
    assert comparison["runs"]["one"]["difference"] is None
    for run in ("one", "old/two", "three"):
        assert len(list((folder / "masks" / run).glob("*.png"))) == count

    alone = read_table(apply("--dataroot", str(chests), name="three", phase="all") / "metrics.csv")
    assert [row["dice"] for row in alone] == [row["dice three"] for row in rows]


def test_flags_for_images_count_for_all_runs(compare, tmp_path, chests):
    for name in ("one", "two"):
        save_run(tmp_path, name, *SMALL, "--dataset_mode", "masks", "--dataroot", "elsewhere")
    assert len(read_table(compare("one", "two", "--dataroot", str(chests), "--num_test", "2") / "compare.csv")) == 2


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["one"], "--compare one: want two or more different runs"),
        (["one", "one"], "--compare one one: want two or more different runs"),
        (["one", "lost"], "--compare lost: there is no run "),
        (["one", "two", "--name", "three"], "--name three: --compare names the runs; leave --name out"),
        (["one", "two", *FACADES], "--compare one: only masks of two classes"),
        (["one", "two", "--surface"], "--surface: --compare does not do that; leave it out, or test one run by --name"),
        (["one", "two", "--write", "dicomseg"], "--write dicomseg: --compare does not do that; "),
        (["one", "two", "--aspect_ratio", "2"], "--aspect_ratio: --compare does not do that; "),
    ],
)
def test_mistakes_end_in_one_line_and_leave_no_files(compare, tmp_path, chests, flags, message):
    for name in ("one", "two"):
        save_run(tmp_path, name, *SMALL, "--dataset_mode", "masks", "--dataroot", str(chests))
    with pytest.raises(UserError) as error:
        compare(*flags)
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "results").exists()
