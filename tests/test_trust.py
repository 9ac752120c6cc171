"""How far masks can be trusted, end to end: what train.py and test.py record, what test.py and segment.py then say."""

from pathlib import Path

import pytest
import torch

import segment
from data.phantom.__main__ import write_chests
from models.networks.define import define_G
from tests.helpers import read_json, read_table, words
from util.score.trust.plausible import Seen

COUNT, VAL = 9, 8  # masks to train on; what write_chests then draws for val and test
TINY = words(
    "--model supervised --netG unet_64 --ngf 4 --load_size 64 --crop_size 64 --batch_size 3 --lr 0.01 --n_epochs 2 "
    "--n_epochs_decay 0 --num_threads 0 --no_html --display_id 0 --gpu_ids -1 --dataset_mode masks"
)
MEDIANS = "expected_dice.json"


@pytest.fixture
def chests(tmp_path) -> Path:
    write_chests(tmp_path / "chests", COUNT, 64)
    return tmp_path / "chests"


@pytest.fixture
def trained(run, chests) -> Path:
    return run(*TINY, "--dataroot", str(chests))


@pytest.fixture
def others(tmp_path, chests) -> Path:
    """Six images of another folder, without masks."""
    folder = tmp_path / "others"
    folder.mkdir()
    for path in sorted((chests / "images").iterdir())[:6]:
        (folder / f"other_{path.name}").write_bytes(path.read_bytes())
    return folder


def column(folder: Path, name: str, file: str = "metrics.csv") -> list[str]:
    """A column of a table; empty cells are left out."""
    return [row[name] for row in read_table(folder / file) if row.get(name)]


def test_after_a_test_on_its_own_val_a_run_says_which_dice_to_expect_of_other_images(trained, apply, others):
    single = ["--dataset_mode", "single", "--dataroot", str(others)]
    assert column(apply(*single), "expected_dice") == []
    val = apply(phase="val")
    (entry,) = read_json(trained / MEDIANS)
    assert entry["images"] == VAL
    assert {*entry["medians"]} == {"dice", "confidence", "likeness"}
    for name in ("ece", "confidence", "likeness", "expected_dice"):
        assert len(column(val, name)) == VAL
    assert {*read_json(val / "metrics.json")["expected_dice"]} >= {"mean", "pearson", "mean_absolute_error"}
    folder = apply(*single)
    expected = [float(value) for value in column(folder, "expected_dice")]
    assert len(expected) == 6
    assert read_json(folder / "metrics.json")["expected_dice"] == {"mean": pytest.approx(sum(expected) / 6, abs=1e-5)}
    assert "Dice to expect without ground truth" in (folder / "index.html").read_text()


def test_another_way_of_applying_a_run_waits_for_its_own_test_on_val(trained, apply, chests):
    apply(phase="val")
    assert column(apply("--tta", phase="test"), "expected_dice") == []
    assert len(column(apply("--tta", phase="val"), "agreement")) == VAL
    assert len(column(apply("--tta", phase="test"), "expected_dice")) == VAL
    assert len(column(apply(phase="test"), "expected_dice")) == VAL
    assert len(read_json(trained / MEDIANS)) == 2


def test_empty_masks_are_named_if_no_training_mask_was_empty(trained, apply, capsys):
    folder = apply("--mask_threshold", "0.9999")
    assert column(folder, "implausible") == ["empty"] * VAL
    assert read_json(folder / "metrics.json")["implausible"] == VAL
    printed = capsys.readouterr().out
    assert f"{VAL} of {VAL} masks look implausible: chest_" in printed
    assert "(empty), " in printed
    assert f"{VAL} of {VAL} masks look implausible" in (folder / "index.html").read_text()


def test_segment_py_gives_both_columns_and_says_so(trained, apply, others, start, tmp_path, capsys):
    apply(phase="val")
    where = ["--checkpoints_dir", tmp_path, "--gpu_ids", "-1"]
    assert start(segment.main, "run", others, "--out", tmp_path / "masks", *where) == 0
    expected = column(tmp_path / "masks", "expected_dice", "manifest.csv")
    in_test = column(apply("--dataset_mode", "single", "--dataroot", str(others)), "expected_dice")
    assert [float(value) for value in expected] == pytest.approx([float(value) for value in in_test], abs=1e-3)
    capsys.readouterr()
    first = sorted(others.iterdir())[0]
    assert start(segment.main, "run", first, *where) == 0
    assert f"expected Dice {float(expected[0]):.3f}" in capsys.readouterr().out
    assert start(segment.main, "run", others, "--out", tmp_path / "none", *where, "--mask_threshold", "0.9999") == 0
    assert "6 of 6 masks look implausible: " in capsys.readouterr().out
    assert column(tmp_path / "none", "implausible", "manifest.csv") == ["empty"] * 6


def test_a_resumed_run_keeps_what_it_has_seen_and_adds_what_it_sees(trained, run, chests, tmp_path):
    before = Seen.read(trained)
    run("--continue_train", "--n_epochs", "3")
    assert (trained / "masks_seen.json").is_file()
    again = Seen.read(trained)
    assert (again.masks, again.empty) == (before.masks, before.empty) == (COUNT, {"lung": 0})
    assert again.ranges["lung"].tolist() == before.ranges["lung"].tolist()
    write_chests(tmp_path / "more", COUNT + 12, 64)
    run("--continue_train", "--n_epochs", "4", "--dataroot", str(tmp_path / "more"))
    more = Seen.read(trained)
    assert more.masks == COUNT + 12
    assert more.ranges["lung"][0, 0] <= before.ranges["lung"][0, 0]
    assert more.ranges["lung"][0, 1] >= before.ranges["lung"][0, 1]


def test_a_task_on_a_frozen_donor_is_judged_and_its_donor_is_not(run, apply, chests, tmp_path):
    (tmp_path / "donor").mkdir()
    torch.save(define_G(3, 3, 4, "unet_64", "batch").state_dict(), tmp_path / "donor" / "latest_net_G.pth")
    folder = run(*TINY, "--dataroot", str(chests), *words("--pretrained donor --adapt masks"))
    assert len(column(apply(phase="val"), "expected_dice")) == VAL
    (entry,) = read_json(folder / MEDIANS)
    base = read_table(apply("--task", "base") / "metrics.csv")
    assert not {"implausible", "expected_dice", "likeness"} & {*base[0]}
    assert read_json(folder / MEDIANS) == [entry]


def test_runs_together_are_judged_by_their_agreement(trained, run, apply, chests, others):
    run(*TINY, "--dataroot", str(chests), "--seed", "1", name="second")
    apply(name="run,second", phase="val")
    (entry,) = read_json(trained / MEDIANS)
    assert {*entry["medians"]} == {"dice", "confidence", "likeness", "agreement"}
    folder = apply("--dataset_mode", "single", "--dataroot", str(others), name="run,second")
    assert len(column(folder, "expected_dice")) == len(column(folder, "agreement")) == 6


def test_val_images_that_another_run_has_learnt_from_say_nothing_about_both(trained, run, apply, chests):
    run(*TINY, "--dataroot", str(chests), "--phase", "val", name="second")
    folder = apply(name="run,second", phase="val")
    assert column(folder, "expected_dice") == []
    assert not (trained / MEDIANS).exists()
