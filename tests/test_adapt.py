"""train.py --adapt and test.py as a user runs them: the donor stays as it is, and the run is a small task file."""

import csv
import shutil
from pathlib import Path

import pytest
import torch
from PIL import Image

import forgetting
import segment
import test
import train
from models.networks.define import define_G
from models.piggyback import METHODS
from models.piggyback import __main__ as piggyback
from models.piggyback.files import read_task
from models.piggyback.packing import inflate
from tests.helpers import read_json, words
from util.errors import UserError
from util.run.checkpoint import fingerprint

TINY = words(
    "--netG unet_64 --ngf 4 --ndf 4 --load_size 70 --crop_size 64 --gpu_ids -1 --display_id 0 "
    "--dataset_mode phantom --phantom_count 4 --val_freq 2 --lr 0.02 --n_epochs_decay 0 --rank 2 --no_html"
)


@pytest.fixture
def donor(tmp_path) -> Path:
    torch.manual_seed(0)
    path = tmp_path / "donor" / "latest_net_G.pth"
    path.parent.mkdir()
    torch.save(define_G(3, 3, 4, "unet_64", "batch").state_dict(), path)
    return path


def read_rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return [*csv.DictReader(file)]


def same_tasks(one: Path, other: Path) -> bool:
    first, second = read_task(one).tensors, read_task(other).tensors
    return first.keys() == second.keys() and all(torch.equal(first[key], second[key]) for key in first)


@pytest.mark.parametrize("how", METHODS)
def test_an_adapted_run_leaves_its_donor_and_resumes_exactly(run, score, donor, how, capsys):
    before = donor.read_bytes()
    flags = [*TINY, "--pretrained", "donor", "--adapt", how, "--ema", "0.9"]
    whole = run(*flags, "--n_epochs", "4", name="whole")
    parts = run(*flags, "--n_epochs", "2", name="parts")
    torch.manual_seed(12345)
    run("--continue_train", "--n_epochs", "4", name="parts")
    assert same_tasks(whole / "latest_task_G.safetensors", parts / "latest_task_G.safetensors")
    assert (whole / "best_task_G.safetensors").is_file()
    assert (whole / "latest_net_D.pth").is_file()
    assert not list(whole.glob("*_net_G.pth"))
    assert donor.read_bytes() == before
    printed = capsys.readouterr().out
    assert f"G: {how}, " in printed
    assert "of the generator" in printed
    state = torch.load(donor, weights_only=True)
    header = read_task(whole / "latest_task_G.safetensors").header
    assert header["donor"]["sha256"] == fingerprint(state)
    adapted = score(name="whole")
    base = score("--task", "base", name="whole")
    assert adapted["macro"] != base["macro"]
    assert base["settings"]["task"].startswith("base")


def test_task_base_scores_as_the_donor_itself_does(run, score, donor, tmp_path):
    run(*TINY, "--pretrained", "donor", "--adapt", "masks", "--n_epochs", "1")
    base = score("--task", "base")
    for name in ("latest_task_G.safetensors", "best_task_G.safetensors"):
        (tmp_path / "run" / name).unlink(missing_ok=True)
    (tmp_path / "run" / "latest_net_G.pth").write_bytes(donor.read_bytes())
    with pytest.raises(UserError, match="--task base: run run has no task file of epoch latest"):
        score("--task", "base")
    assert score()["macro"] == base["macro"]


def test_a_donor_of_colour_images_adapts_to_grey_images_and_masks(run, score, donor):
    folder = run(*TINY, *words("--pretrained donor --adapt filter_bank --n_epochs 1 --input_nc 1 --output_nc 1"))
    assert read_task(folder / "latest_task_G.safetensors").tensors["model.model.0.weight"].shape[1] == 1
    assert score("--epoch", "latest")["images"] > 0


def test_a_cyclegan_adapts_both_generators_and_resumes_exactly(run, score, tmp_path):
    (tmp_path / "twins").mkdir()
    for side in "AB":
        net = define_G(3, 3, 4, "resnet_6blocks", "instance", dropout=False)
        torch.save(net.state_dict(), tmp_path / "twins" / f"latest_net_G_{side}.pth")
    flags = [
        *TINY,
        *words(
            "--model cycle_gan --netG resnet_6blocks --crop_size 32 --load_size 36 --pretrained twins --adapt lowrank"
        ),
    ]
    whole = run(*flags, "--n_epochs", "2", name="whole")
    parts = run(*flags, "--n_epochs", "1", name="parts")
    run("--continue_train", "--n_epochs", "2", name="parts")
    donors = {read_task(whole / f"latest_task_G_{side}.safetensors").header["donor"]["sha256"] for side in "AB"}
    assert len(donors) == 2
    for side in "AB":
        assert same_tasks(whole / f"latest_task_G_{side}.safetensors", parts / f"latest_task_G_{side}.safetensors")
    assert score("--model", "cycle_gan", name="whole")["images"] > 0


def test_a_moved_folder_of_runs_still_finds_its_donor(run, score, donor, tmp_path, monkeypatch):
    run(*TINY, "--pretrained", str(donor), "--adapt", "head_only", "--n_epochs", "1")
    (tmp_path / "moved").mkdir()
    for name in ("run", "donor"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    assert score("--checkpoints_dir", str(tmp_path / "moved"))["images"] > 0
    (tmp_path / "moved" / "donor").rename(tmp_path / "elsewhere")
    with pytest.raises(UserError, match="its donor sha256 .* is not at .*; put it back"):
        score("--checkpoints_dir", str(tmp_path / "moved"))


@pytest.mark.parametrize("beside", [True, False])
def test_a_task_file_to_share_names_no_folder_of_its_author(run, donor, tmp_path, beside):
    if not beside:  # then the donor is nowhere else to be found
        (tmp_path / "a").mkdir()
        donor = donor.rename(tmp_path / "a" / donor.name)
    runs = tmp_path if beside else tmp_path / "runs"
    flags = ["--checkpoints_dir", str(runs), "--pretrained", str(donor), "--adapt", "head_only", "--n_epochs", "1"]
    run(*TINY, *flags)
    file = runs / "run" / "latest_task_G.safetensors"
    assert (str(tmp_path) in file.read_bytes().decode("utf-8", "replace")) != beside
    assert read_task(file).find_donor() == donor


def test_a_third_task_builds_on_the_second_and_leaves_it_alone(run, score, donor, tmp_path):
    bank = ["--adapt", "filter_bank", "--bank", "cumulative", "--n_epochs", "1"]
    second = run(*TINY, *bank, "--pretrained", "donor", name="second") / "latest_task_G.safetensors"
    before, scores = second.read_bytes(), score(name="second")["macro"]
    third = run(*TINY, *bank, "--pretrained", "second", "--phantom", "facades", name="third")
    third /= "latest_task_G.safetensors"
    file = read_task(third)
    assert [other.path.resolve() for other in file.dependencies()] == [second.resolve()]
    layer = "model.model.1.model.1.weight.mixing"
    inflate(file.tensors[layer], 6 * (8 + 2))  # ValueError for any other size
    inflate(read_task(second).tensors[layer], 6 * 8)
    run(*TINY, *bank, "--pretrained", "third", name="fourth")
    fourth = read_task(tmp_path / "fourth" / "latest_task_G.safetensors")
    inflate(fourth.tensors[layer], 6 * (8 + 2 + 2))
    assert len(fourth.dependencies()) == 2
    assert second.read_bytes() == before
    assert score(name="second")["macro"] == scores
    run("--continue_train", "--n_epochs", "2", name="third")
    assert score(name="third")["images"] > 0
    run("--continue_train", "--n_epochs", "2", name="second")
    with pytest.raises(UserError, match="it mixes filters of .* as it was"):
        score(name="third")


def test_a_task_refuses_a_donor_that_has_changed_since(run, score, donor):
    run(*TINY, "--pretrained", "donor", "--adapt", "masks", "--n_epochs", "1")
    torch.save(define_G(3, 3, 4, "unet_64", "batch").state_dict(), donor)
    with pytest.raises(UserError, match="belongs to another donor"):
        score("--task", "base")


@pytest.mark.parametrize("flags", [["--adapt", "masks"], ["--adapt", "filter_bank"], []])
def test_a_run_that_is_a_task_cannot_be_a_donor(run, donor, flags):
    run(*TINY, "--pretrained", "donor", "--adapt", "masks", "--n_epochs", "1")
    with pytest.raises(UserError, match="is a task .masks. on the donor .*donor/latest_net_G.pth: adapt that, or"):
        run(*TINY, "--pretrained", "run", *flags, name="other")


def test_the_printed_number_of_weights_counts_the_generator_without_its_task(run, donor, capsys):
    lines = set()
    for how in ("finetune", "masks", "lowrank"):
        run(*TINY, "--pretrained", "donor", "--adapt", how, "--n_epochs", "1", name=how)
        lines |= {line for line in capsys.readouterr().out.splitlines() if line.startswith("[Network G]")}
    assert len(lines) == 1


def test_adapt_ways_that_freeze_the_donor_need_one(run):
    with pytest.raises(UserError, match="--adapt ternary trains beside a frozen donor: name it with --pretrained"):
        run(*TINY, "--adapt", "ternary")


def test_a_resume_refuses_another_way_to_adapt_and_other_settings_of_it(run, donor):
    run(*TINY, "--pretrained", "donor", "--adapt", "masks", "--n_epochs", "1")
    with pytest.raises(UserError, match="--adapt ternary: .* was trained with --adapt masks"):
        run("--continue_train", "--n_epochs", "2", "--adapt", "ternary")
    with pytest.raises(UserError, match="--mask_cutoff 0.001: .* was trained with --mask_cutoff 0.005"):
        run("--continue_train", "--n_epochs", "2", "--mask_cutoff", "0.001")
    run(*TINY, "--pretrained", "donor", "--n_epochs", "1", name="plain")
    with pytest.raises(UserError, match=r"--adapt masks: .*plain was trained with --adapt finetune"):
        run("--continue_train", "--n_epochs", "2", "--adapt", "masks", name="plain")


def test_a_new_run_with_plain_weights_leaves_no_task_files_of_the_old_run(run, donor):
    folder = run(*TINY, "--pretrained", "donor", "--adapt", "masks", "--n_epochs", "2")
    run(*TINY, "--pretrained", "donor", "--n_epochs", "2", "--overwrite")
    assert (folder / "best_net_G.pth").is_file()
    assert (folder / "latest_net_G.pth").is_file()
    assert not list(folder.glob("*_task_*"))


@pytest.fixture
def tool(start, tmp_path, capsys):
    """python -m models.piggyback: returns the exit code and what it prints."""

    def call(*flags: str) -> tuple[int, str]:
        capsys.readouterr()
        code = start(piggyback.main, *flags, "--checkpoints_dir", tmp_path)
        return code, capsys.readouterr().out

    return call


def test_an_exported_generator_has_plain_weights_and_scores_as_its_task_does(run, score, tool, donor, tmp_path):
    run(*TINY, "--pretrained", "donor", "--adapt", "ternary", "--n_epochs", "1")
    options = (tmp_path / "run" / "options.json").read_text()
    assert tool("export", "run")[0] == 0
    assert score(name="run_plain")["macro"] == score(name="run")["macro"]
    assert "pretrained" not in read_json(tmp_path / "run_plain" / "options.json"), "it does not know the donor's task"
    plain = define_G(3, 3, 4, "unet_64", "batch")
    plain.load_state_dict(torch.load(tmp_path / "run_plain" / "latest_net_G.pth", weights_only=True), strict=True)
    (tmp_path / "run" / "options.json").write_text('{"netG": "unet')
    with pytest.raises(UserError, match="run/options.json: damaged"):
        tool("export", "run", "--out", str(tmp_path / "other"))
    assert not (tmp_path / "other").exists()
    (tmp_path / "run" / "options.json").write_text(options)
    with pytest.raises(UserError, match="latest_net_G.pth exists already"):
        tool("export", "run", "--out", str(donor.parent))
    with pytest.raises(UserError, match="run holds a run already: take another --out"):
        tool("export", "run", "--out", str(tmp_path / "run"))
    run("--continue_train", name="run_plain")  # it has plain weights, so it trains like any other run


def test_an_exported_cyclegan_also_has_its_generator_without_a_task(run, score, tool, tmp_path):
    (tmp_path / "horses").mkdir()
    net = define_G(3, 3, 4, "resnet_6blocks", "instance", dropout=False)
    torch.save(net.state_dict(), tmp_path / "horses" / "latest_net_G_A.pth")
    run(
        *TINY,
        *words(
            "--model cycle_gan --netG resnet_6blocks --crop_size 32 --load_size 36 --pretrained horses "
            "--pretrained_B none --adapt masks --n_epochs 1"
        ),
    )
    assert tool("export", "run")[0] == 0
    plain = tmp_path / "run_plain"
    assert sorted(path.name for path in plain.glob("*.pth")) == ["latest_net_G_A.pth", "latest_net_G_B.pth"]
    exported, trained = (torch.load(folder / "latest_net_G_B.pth") for folder in (plain, tmp_path / "run"))
    assert fingerprint(exported) == fingerprint(trained)
    assert score(name="run_plain")["macro"] == score(name="run")["macro"]


def test_verify_shows_that_the_donor_is_kept_and_notices_another_donor(run, tool, donor):
    run(*TINY, "--pretrained", "donor", "--adapt", "filter_bank", "--n_epochs", "1", "--input_nc", "1")
    code, printed = tool("verify", "run")
    assert code == 0
    assert printed.count(": yes") == 3
    assert "NO" not in printed
    torch.save(define_G(3, 3, 4, "unet_64", "batch").state_dict(), donor)
    with pytest.raises(UserError, match="another donor"):
        tool("verify", "run")


def test_a_donor_that_is_trained_again_is_announced_to_its_tasks(run, tool, capsys):
    run(*TINY, "--n_epochs", "1", name="donor")
    run(*TINY, "--n_epochs", "1", "--pretrained", "donor", "--adapt", "norm_only", name="task")
    assert "is the donor of" not in capsys.readouterr().out
    run("--continue_train", "--n_epochs", "2", name="donor")
    assert (
        "note: donor is the donor of task, which work with its present weights only. To keep" in capsys.readouterr().out
    )
    code, printed = tool("prune-check", "donor")
    assert code == 1
    assert "cannot tell: " in printed
    assert "has other weights now than the donor of this task had" in printed
    assert "has its donor here" not in printed


def test_a_donor_that_was_moved_aside_is_found(run, tool):
    run(*TINY, "--n_epochs", "1", name="donor")
    run(*TINY, "--n_epochs", "1", "--pretrained", "donor", "--adapt", "norm_only", name="task")
    run(*TINY, "--n_epochs", "1", "--seed", "7", "--overwrite", name="donor")
    assert "task/latest_task_G.safetensors has its donor here" in tool("prune-check", "donor")[1]


def test_list_inspect_and_prune_check_show_which_runs_need_which_files(run, tool, donor):
    bank = ["--adapt", "filter_bank", "--bank", "cumulative", "--n_epochs", "1"]
    run(*TINY, *bank, "--pretrained", "donor", name="second")
    run(*TINY, *bank, "--pretrained", "second", name="third")
    printed = tool("list")[1].splitlines()
    assert [line.split()[:3] for line in printed] == [[n, "G", "filter_bank"] for n in ("second", "third")]
    assert "on donor/latest_net_G.pth" in printed[0]
    assert printed[1].endswith("and earlier tasks")
    inspected = tool("inspect", "third")[1]
    assert "bank_fraction: 0.25" in inspected
    assert "unconstrained" in inspected
    assert "mixes filters of" in inspected
    assert tool("prune-check", "third")[0] == 0
    code, printed = tool("prune-check", "second")
    assert code == 1
    assert "third/latest_task_G.safetensors mixes filters of latest_task_G.safetensors" in printed
    assert "keep second: the tasks above would not work without it; delete or export those first" in printed
    (donor.parent.parent / "third" / "best_task_G.safetensors").write_bytes(b"PK")
    assert "cannot tell: " in tool("prune-check", "third")[1] + tool("prune-check", "second")[1]
    assert "third/best_task_G.safetensors: " in tool("list", "--epoch", "best")[1]
    code, printed = tool("prune-check", "donor")
    assert code == 1
    assert "second/latest_task_G.safetensors has its donor here" in printed
    assert "third" in printed
    donor.parent.rename(donor.parent.with_name("moved"))
    run(*TINY, "--n_epochs", "1", "--seed", "7", name="donor")  # other weights in the old place
    code, printed = tool("prune-check", "moved")
    assert (code, "second/latest_task_G.safetensors has its donor here" in printed) == (1, True), printed


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["verify"], "verify: name a run"),
        (["inspect", "nothing"], "nothing: no run under"),
        (["foo"], "foo: not a command; there are list, inspect, verify, export, prune-check"),
        ([], "nothing: not a command; there are list"),
        (["verify", "donor"], "holds no task of epoch latest"),
        (["export", "donor", "--epoch", "3"], "epoch 3"),
    ],
)
def test_mistakes_with_the_tool_end_in_one_line(tool, donor, flags, message):
    with pytest.raises(UserError, match=message):
        tool(*flags)


@pytest.mark.slow
def test_each_image_gets_a_task_and_a_folder_of_task_files_is_served(run, apply, donor, start, tmp_path, capsys):
    for name in ("chests", "pneumothorax"):
        flags = [*TINY, "--phantom_count", "16", "--pretrained", "donor", "--adapt", "norm_only", "--n_epochs", "1"]
        run(*flags, "--phantom", name, name=name)
    folder = apply("--task", "auto", name="chests,pneumothorax")
    rows = read_rows(folder / "metrics.csv")
    assert {row["task"] for row in rows} <= {"chests", "pneumothorax"}
    assert all(float(row["task_distance"]) > 0 for row in rows)
    shared = tmp_path / "hospitals"
    shared.mkdir()
    for name in ("chests", "pneumothorax"):
        (tmp_path / name / "latest_task_G.safetensors").rename(shared / f"{name}_task_G.safetensors")
    donor.rename(shared / donor.name)
    image = next((folder / "images").glob("*real_A.png"))
    words = [segment.main, "hospitals", image, "--checkpoints_dir", tmp_path, "--task", "auto", "--gpu_ids", "-1"]
    assert start(*words, "--out", tmp_path / "masks") == 0
    (row,) = read_rows(tmp_path / "masks" / "manifest.csv")
    assert row["task"] in ("chests", "pneumothorax")
    capsys.readouterr()
    assert start(piggyback.main, "inspect", "hospitals", "--checkpoints_dir", tmp_path) == 0
    printed = capsys.readouterr().out
    assert printed.count("Data: drawn by pix2mask: 16 images of 16 patients") == 2
    alone = shutil.copy(shared / "chests_task_G.safetensors", shared / "chests.safetensors")
    assert start(piggyback.main, "inspect", alone) == 0
    assert "chests  norm_only" in capsys.readouterr().out
    assert "Applied with: " in printed
    state = torch.load(shared / donor.name, weights_only=True)
    state["model.model.0.weight"] *= 1.01
    torch.save(state, shared / donor.name)
    with pytest.raises(UserError, match="belongs to another donor"):
        start(*words, "--out", tmp_path / "more")


@pytest.mark.slow
def test_an_image_of_the_donors_own_task_comes_out_as_the_donor_makes_it(run, apply, tmp_path, capsys):
    flags = [*TINY, "--phantom_count", "24", "--n_epochs", "1"]
    run(*flags, "--phantom", "facades", name="own")
    run(*flags, "--pretrained", "own", "--adapt", "norm_only", name="chests")
    assert "--task auto will not choose it" not in capsys.readouterr().out
    chosen = apply("--task", "auto", "--phantom", "facades", name="chests")
    plain = apply("--phantom", "facades", name="own")
    assert {row["task"] for row in read_rows(chosen / "metrics.csv")} == {"base"}
    pictures = sorted((plain / "images").glob("*fake_B.png"))
    assert pictures
    for picture in pictures:
        assert (chosen / "images" / picture.name).read_bytes() == picture.read_bytes()
    assert "chests" in {row["task"] for row in read_rows(apply("--task", "auto", name="chests") / "metrics.csv")}
    (tmp_path / "own" / "options.json").unlink()
    run(*flags, "--pretrained", "own", "--adapt", "norm_only", name="unknown")
    assert "--task auto will not choose it" in capsys.readouterr().out


def merged(weight: torch.Tensor) -> torch.Tensor:
    return (weight + torch.full_like(weight, 0.01)) / 2


def pruned(weight: torch.Tensor) -> torch.Tensor:
    return weight.where(weight.abs() > weight.abs().median(), 0)


def fine_tuned(weight: torch.Tensor) -> torch.Tensor:
    return weight + 1e-4 * weight.sign()


@pytest.mark.parametrize("change", [merged, pruned, fine_tuned])
def test_a_changed_donor_is_refused_by_every_command(run, start, donor, tmp_path, change):
    folder = run(*TINY, "--pretrained", "donor", "--adapt", "norm_only", "--n_epochs", "1", name="task")
    shared = tmp_path / "hospitals"
    shared.mkdir()
    (shared / "one_task_G.safetensors").write_bytes((folder / "latest_task_G.safetensors").read_bytes())
    state = torch.load(donor, weights_only=True)
    state["model.model.1.model.1.weight"] = change(state["model.model.1.model.1.weight"])
    torch.save(state, donor)
    (shared / donor.name).write_bytes(donor.read_bytes())
    image = tmp_path / "image.png"
    Image.new("L", (64, 64)).save(image)
    here = ["--checkpoints_dir", tmp_path]
    there = [*here, "--results_dir", tmp_path / "results"]
    commands = [
        [test.main, "--name", "task", *there],
        [test.main, "--name", "task", "--task", "base", *there],
        [
            forgetting.main,
            "--donor",
            "donor",
            "--runs",
            "norm=task",
            "--old_mode",
            "phantom",
            "--gpu_ids",
            "-1",
            *there,
        ],
        [segment.main, "hospitals", image, "--epoch", "one", *here],
        [segment.main, "hospitals", image, "--task", "auto", *here],
        [piggyback.main, "export", "task", *here],
        [piggyback.main, "verify", "hospitals", *here],
        [train.main, "--name", "task", "--continue_train", "--n_epochs", "2", *here],
    ]
    for command in commands:
        with pytest.raises(UserError, match="belongs to another donor") as error:
            start(*command)
        assert "\n" not in str(error.value)
    with pytest.raises(UserError, match="hospitals holds the tasks one: name one with --epoch, or .* --task auto"):
        start(segment.main, "hospitals", image, *here)
