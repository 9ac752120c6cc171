"""python -m benchmarks.lifelong: sequences in files, the runs of each way, and tables."""

import argparse
from collections import defaultdict
from pathlib import Path

import pytest
from PIL import Image

import benchmarks.lifelong.__main__ as lifelong
import options.train
from benchmarks.lifelong import training
from benchmarks.lifelong.sequence import Task, read_sequence, split
from benchmarks.lifelong.tables import tables
from benchmarks.lifelong.training import Training
from benchmarks.lifelong.ways import WAYS
from tests.helpers import ROOT, read_json
from util.errors import UserError

RECIPES = sorted((ROOT / "recipes").glob("sequence_*.txt"))
TINY = """# two new tasks
--netG unet_64 --ngf 4 --ndf 4 --load_size 64 --crop_size 64
--name houses --dataset_mode phantom --phantom facades --phantom_count 8 --n_epochs 1 --n_epochs_decay 0
--name chests --dataset_mode phantom --phantom chests --phantom_count 8 --no_flip
--name air --dataset_mode phantom --phantom pneumothorax --phantom_count 9
"""


@pytest.fixture
def tiny(tmp_path) -> Path:
    path = tmp_path / "tiny.txt"
    path.write_text(TINY)
    return path


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.stem)
def test_every_sequence_in_recipes_names_its_command_and_parses(path):
    tasks = split(str(path), None)
    assert path.read_text().startswith(f"# python -m benchmarks.lifelong recipes/{path.name}\n")
    assert 3 <= len(tasks) <= 4
    for name, flags in tasks.items():
        assert options.train.parse([*flags, "--name", name]).crop_size == 128
    assert f"`{path.stem}`" in (ROOT / "recipes" / "README.md").read_text()


def test_flags_before_the_first_name_hold_for_all_tasks(tiny):
    houses, chests, air = read_sequence(str(tiny), None)
    assert (houses.name, chests.name, air.name) == ("houses", "chests", "air")
    assert {task.opt.netG for task in (houses, chests, air)} == {"unet_64"}
    assert (houses.images, air.images, air.phase) == (8, 9, "val")
    assert (houses.opt.n_epochs, chests.opt.phantom) == (1, "chests")


def test_another_size_is_that_of_images_and_u_nets(tiny):
    (_, chests, _) = split(str(tiny), 128).values()
    opt = options.train.parse([*chests, "--name", "x"])
    assert (opt.netG, opt.load_size, opt.crop_size) == ("unet_128", 128, 128)


def test_a_task_without_val_is_measured_on_test(tmp_path):
    file, data = tmp_path / "pairs.txt", f"--dataset_mode aligned --dataroot {tmp_path}"
    for phase in ("train", "test"):
        (tmp_path / phase).mkdir()
        Image.new("RGB", (128, 64)).save(tmp_path / phase / "a.png")
    file.write_text(f"--netG unet_64 --crop_size 64\n--name a {data}\n--name b {data} --direction BtoA")
    assert [task.phase for task in read_sequence(str(file), None)] == ["test", "test"]


@pytest.mark.parametrize(
    ("text", "flags", "message"),
    [
        (TINY, "--ways finetune mask", "--ways mask: unknown; choose of finetune, ewc"),
        ("--netG unet_64", "", "0 tasks (); want two or more"),
        ("--name a --phantom chests --name", "", "2 tasks (a, ); want two or more"),
        (
            "--name a --name b,c",
            "",
            "2 tasks (a, b,c); want two or more, and each begins with a --name of its own (letters",
        ),
        ("--name a\n--name a", "", "2 tasks (a, a); want two or more, and each begins with a --name of its own"),
        (TINY.replace("--ngf", "--nfg"), "", "task houses: unknown flag --nfg: did you mean --ngf?"),
        (TINY + "--name b --dataroot nowhere --dataset_mode masks", "", "task b: --dataroot nowhere: no such folder"),
        (TINY + "--name 'b", "", "cannot be read as flags: No closing quotation"),
        (TINY.replace("facades", "facades --pretrained donr"), "", "--pretrained donr: neither a .pth file"),
        (TINY + "--name b --model cycle_gan --dataset_mode masks", "--ways ewc", "task b: --dataroot is missing"),
    ],
)
def test_a_mistake_is_one_clear_line_before_any_training(text, flags, message, tmp_path, start, monkeypatch):
    (tmp_path / "x.txt").write_text(text)
    monkeypatch.setattr(training, "train", None)
    where = ("--checkpoints_dir", tmp_path / "ck", "--results_dir", tmp_path / "results")
    with pytest.raises(UserError) as error:
        start(lifelong.main, tmp_path / "x.txt", *flags.split(), *where)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_does_not_exist_is_one_clear_line(start):
    with pytest.raises(UserError, match="did you mean @sequence_domain"):
        start(lifelong.main, "recipes/sequence_domian.txt")


def tasks_of(*models: str) -> list[Task]:
    given = {"dataroot": "d", "dataset_mode": "aligned", "classes": "facades", "direction": "AtoB"}
    opts = [argparse.Namespace(model=model, pretrained="known", **given) for model in models]
    return [Task("abc"[i], ["--load_size", "64"], opt, 300, "val") for i, opt in enumerate(opts)]


def test_ways_that_hold_old_tasks_need_pix2pix():
    mixed = tasks_of("pix2pix", "pix2pix", "cycle_gan")
    assert set(WAYS) - set(lifelong.ways_of(None, mixed)) == {"ewc", "lwf", "replay", "joint"}
    assert lifelong.ways_of(None, tasks_of("cycle_gan", "pix2pix")) == list(WAYS)
    with pytest.raises(UserError, match="--ways ewc: only for --model pix2pix, and task c has cycle_gan"):
        lifelong.ways_of(["ewc"], mixed)


def test_a_training_sees_about_as_many_images_as_asked_for():
    (task,) = tasks_of("pix2pix")
    assert task.epochs(1000) == ["--n_epochs", "1", "--n_epochs_decay", "2"]
    assert task.epochs(2100) == ["--n_epochs", "3", "--n_epochs_decay", "4"]
    assert task.epochs(100) == ["--n_epochs", "1", "--n_epochs_decay", "0", "--max_dataset_size", "100"]


@pytest.mark.parametrize(
    ("way", "starts", "more"),
    [
        ("finetune", ["donor", "s_finetune_3_b"], [[], []]),
        ("masks", ["donor", "donor"], [[], []]),
        ("scratch", ["donor", "donor"], [[], []]),
        ("filter_bank_cumulative", ["donor", "s_filter_bank_cumulative_3_b"], [[], ["--bank"]]),
        ("ewc", ["donor", "s_ewc_3_b"], [["--old_data"], []]),
        ("replay", ["donor", "s_replay_3_b"], [["--old_data"], []]),
    ],
)
def test_a_frozen_donor_starts_every_run_and_a_changed_one_only_the_first(way, starts, more, tmp_path, monkeypatch):
    trained = {}
    monkeypatch.setattr(training, "train", lambda name, flags, _: trained.setdefault(name, flags))
    found = Training("s", tasks_of(*["pix2pix"] * 3), 600, [], tmp_path).learn("donor", way, 3)
    assert list(trained) == found == [f"s_{way}_3_b", f"s_{way}_3_c"]
    for flags, start, own in zip(trained.values(), starts, more, strict=True):
        assert flags[flags.index("--pretrained") + 1] == start
        assert flags[flags.index("--seed") + 1] == "3"
        assert [word for word in flags if word in ("--old_data", "--bank")] == own


def test_a_donor_in_a_file_of_any_name_gets_a_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    Path("horses.pth").write_bytes(b"weights")
    (task, *_) = tasks_of("pix2pix")
    task.opt.pretrained = "horses.pth"
    assert Training("s", [task], 9, [], tmp_path / "ck").donor() == "donor_a"
    assert (tmp_path / "ck" / "donor_a" / "latest_net_G.pth").read_bytes() == b"weights"


def test_tables_show_what_was_learnt_and_left_and_the_interval_over_seeds():
    names = ("average_score", "forgetting", "backward_transfer", "relative_backward_transfer", "forward_transfer")
    names += ("forward_generalisability", "intransigence", "restricted_ability", "trainable_per_task")
    names += ("bytes_per_task", "growth", "kept_images", "kept_patients", "kept_bytes")
    figures = dict.fromkeys(names) | {"average_score": 0.55, "bytes_per_task": 4321.0}
    method = {"R": [[0.5, 0.1], [0.2, 0.9]], "figures": figures, "figures_interval": {"average_score": [0.5, 0.6]}}
    shown = tables({"methods": {"finetune": method}}, ["houses", "chests"], ["finetune"])
    assert "| finetune | 0.5000 → 0.2000 | 0.9000 → 0.9000 |" in shown
    assert "| way | average |\n| --- | --- |\n| finetune | 0.5500 ± 0.0500 |" in shown
    assert "| way | kB a task |\n| --- | --- |\n| finetune | 4 |" in shown


def test_ways_are_in_the_order_in_which_they_were_asked_for():
    method = {"R": [[0.5]], "figures": defaultdict(float), "figures_interval": {}}
    shown = tables({"methods": {"ewc": method, "finetune": method}}, ["houses"], ["finetune", "ewc"])
    assert [line.split(" | ")[0] for line in shown.splitlines()[2:4]] == ["| finetune", "| ewc"]


def test_a_seed_that_is_given_twice_counts_once(monkeypatch):
    monkeypatch.setattr("sys.argv", ["lifelong", "x.txt", "--seeds", "2", "0", "2"])
    assert lifelong.parse().seeds == [2, 0]


@pytest.mark.slow
def test_a_sequence_is_trained_once_and_measured(tiny, tmp_path, start, capfd):
    where = ("--images_seen", 8, "--checkpoints_dir", tmp_path / "ck", "--results_dir", tmp_path / "results")
    start(lifelong.main, tiny, "--ways", "finetune", "masks", *where)
    out = capfd.readouterr().out
    for way in ("finetune", "masks"):
        assert out.count(f"| {way} | ") == 3
    study = read_json(tmp_path / "results" / "tiny" / "forgetting.json")
    assert [task["name"] for task in study["tasks"]] == ["facades", "chests", "pneumothorax"]
    masks, tuned = (study["methods"][way] for way in ("masks", "finetune"))
    assert masks["runs"] == ["tiny_masks_0_chests", "tiny_masks_0_air"]
    assert masks["figures"]["forgetting"] == masks["figures"]["backward_transfer"] == 0
    assert 0 < masks["figures"]["growth"] < 1
    assert tuned["figures"]["growth"] == 0
    assert tuned["figures"]["forward_transfer"] == pytest.approx(
        ((tuned["R"][0][1] - study["start"][1]) + (tuned["R"][1][2] - study["start"][2])) / 2
    )
    page = (tmp_path / "results" / "tiny" / "index.html").read_text()
    assert "E-FWT" in page
    written = {path: path.stat().st_mtime_ns for path in (tmp_path / "ck").rglob("*.pth")}
    start(lifelong.main, tiny, "--ways", "finetune", *where)
    assert written == {path: path.stat().st_mtime_ns for path in (tmp_path / "ck").rglob("*.pth")}
    with pytest.raises(UserError, match="chests was trained with other flags: --n_epochs 1 .now 2., --n_epochs_decay"):
        start(lifelong.main, tiny, "--ways", "finetune", *where, "--images_seen", "48")
    tiny.write_text(tiny.read_text().replace(" --no_flip", ""))
    with pytest.raises(UserError, match="chests was trained with other flags: --no_flip True .now False.; delete it"):
        start(lifelong.main, tiny, "--ways", "finetune", *where)
