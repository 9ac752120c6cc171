"""forgetting.py from the command line, with tiny random generators and procedural facades and chests."""

import csv
import re
import shutil
from pathlib import Path
from urllib.parse import unquote

import numpy as np
import pytest
import torch
from PIL import Image

import forgetting
import options.test
from models import create_model
from models.donors.architecture import Architecture
from models.donors.build import load_donor
from models.piggyback.task import Settings, attach
from options.script import as_dict
from tests.helpers import read_json, save_run
from util.errors import UserError
from util.files import write_json
from util.forgetting import continual, kid
from util.forgetting.kid import RandomFeatures
from util.run.checkpoint import fingerprint, read_state_dict, save_networks
from util.run.learnt import record_learnt

NET = ["--model", "pix2pix", "--netG", "unet_64", "--ngf", "2", "--crop_size", "64"]
HOUSES, CHESTS = (
    ["--dataset_mode", "phantom", "--phantom", kind, "--phantom_count", "8"] for kind in ("facades", "chests")
)


@pytest.fixture
def save(tmp_path):
    """`save_run` with a tiny generator; returns the run's folder."""

    def call(name: str, *flags: str, **which) -> Path:
        save_run(tmp_path / "ck", name, *NET, *flags, **which)
        return tmp_path / "ck" / name

    return call


@pytest.fixture
def study(start, tmp_path):
    """Start forgetting.py with the flags given; returns the folder of results and forgetting.json."""

    def call(*flags: str) -> tuple[Path, dict]:
        where = ["--checkpoints_dir", tmp_path / "ck", "--results_dir", tmp_path / "results"]
        assert start(forgetting.main, *where, "--gpu_ids", "-1", "--num_threads", "0", *flags) == 0
        folder = max((tmp_path / "results").glob("forgetting*"), key=lambda folder: folder.stat().st_mtime_ns)
        return folder, read_json(folder / "forgetting.json")

    return call


@pytest.fixture
def chests_folder(tmp_path) -> Path:
    """Two images with masks, both in phase test."""
    for kind, value in (("images", 90), ("masks", 255)):
        (tmp_path / "chests" / kind).mkdir(parents=True)
        for i in range(2):
            picture = np.zeros((64, 64), np.uint8)
            picture[: 20 + i] = value
            Image.fromarray(picture).save(tmp_path / "chests" / kind / f"x{i}.png")
    (tmp_path / "chests" / "splits.csv").write_text("image,split\nimages/x0.png,test\nimages/x1.png,test\n")
    return tmp_path / "chests"


def test_data_classes_and_networks_are_read_from_what_the_runs_recorded(save, study):
    save("houses", *HOUSES)
    save("lungs", *CHESTS, seed=1, epochs=(1, 2, "latest"))
    save("blank", *CHESTS, seed=2, adapt="scratch")
    folder, found = study("--donor", "houses", "--runs", "tuned=lungs", "blank", "--pictures", "2")
    assert [task["name"] for task in found["tasks"]] == ["facades", "chests"]
    tuned = found["methods"]["tuned"]
    assert tuned["runs"] == ["lungs"]
    assert np.shape(tuned["R"]) == (2, 2)
    assert tuned["R"][0] == found["methods"]["blank"]["R"][0]  # the donor is the same for all
    assert tuned["figures"]["forgetting"] == pytest.approx(continual.forgetting(tuned["R"]))
    assert tuned["measures"][0][0]["bit_equal"] == 8
    assert tuned["measures"][1][0]["bit_equal"] == 0
    assert tuned["measures"][1][0]["ssim"] < 0.99
    assert [point["epoch"] for point in tuned["curve"]] == [0, 1, 2]
    assert tuned["curve"][0]["scores"] == tuned["R"][0]
    assert tuned["curve"][2]["scores"] == tuned["R"][1]
    assert found["methods"]["blank"]["curve"] == []
    assert len(list((folder / "images").glob("*.png"))) == 2 * 2 * (2 + 1 + 2)  # tasks, images; given, donor, methods
    with (folder / "forgetting.csv").open() as file:
        assert [row["method"] for row in csv.DictReader(file)] == ["tuned", "blank"]
    words = (folder / "index.html").read_text()
    assert "never knew facades" in words
    assert not (folder / "sequence.png").exists()  # one new task shows nothing that the tables do not
    links = re.findall(r'(?:src|href)="([^"]+)"', words)
    assert len(links) > 20
    assert all((folder / unquote(link)).is_file() for link in links)


def test_a_copy_of_the_donor_has_forgotten_nothing(save, study, monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", False)
    save("houses", *HOUSES)
    save("same", *CHESTS)
    folder, found = study("--donor", "houses", "--runs", "same")
    method = found["methods"]["same"]
    assert method["measures"][1][0]["bit_equal"] == 8
    assert method["figures"]["forgetting"] == 0
    assert method["measures"][1][0]["psnr"] is None
    assert method["measures"][1][0]["ssim"] == 1
    assert "nothing is forgotten: every output is the donor" in (folder / "index.html").read_text()
    assert torch.backends.cudnn.deterministic  # else transposed convolutions on a GPU may differ from pass to pass


def test_a_task_without_ground_truth_has_ssim_to_first_outputs_and_kid(save, study, tmp_path):
    """Three tasks, the last of them pairs of pictures without classes."""
    pairs, random = tmp_path / "pairs" / "test", np.random.default_rng(0)
    pairs.mkdir(parents=True)
    for i in range(3):
        Image.fromarray(random.integers(0, 256, (64, 128, 3), np.uint8)).save(pairs / f"{i}.png")
    save("houses", *HOUSES)
    save("lungs", *CHESTS, seed=1)
    save("third", "--dataset_mode", "aligned", seed=2)
    folder, found = study(
        "--donor",
        "houses",
        "--runs",
        "ft=lungs,third",
        "--new_data",
        str(pairs.parent),
        "--new_mode",
        "phantom",
        "aligned",
        "--num_test",
        "3",
    )
    R, measures = found["methods"]["ft"]["R"], found["methods"]["ft"]["measures"]
    assert 'src="sequence.png"' in (folder / "index.html").read_text()
    assert np.shape(R) == (3, 3)
    assert [task["images"] for task in found["tasks"]] == [3, 3, 3]
    assert R[2][2] == 1
    assert R[0][2] is None
    assert R[1][2] is None
    assert {"kid", "l1", "ssim"} <= measures[2][2].keys()
    assert "ssim" not in measures[0][1]


def test_kid_weights_choose_the_features_of_kid(save, study, tmp_path, monkeypatch):
    """Another random network takes the place of Inception, whose weights are large."""
    pairs, random = tmp_path / "pairs" / "test", np.random.default_rng(0)
    pairs.mkdir(parents=True)
    for i in range(3):
        Image.fromarray(random.integers(0, 256, (64, 128, 3), np.uint8)).save(pairs / f"{i}.png")
    save("pairs", "--dataset_mode", "aligned", "--dataroot", str(pairs.parent))
    save("lungs", *CHESTS, seed=1)
    given = []
    monkeypatch.setattr(kid, "InceptionFeatures", lambda path: given.append(path) or RandomFeatures(seed=1))
    flags = ["--donor", "pairs", "--runs", "lungs", "--num_test", "3", "--curve_points", "0"]
    found = [study(*flags, *more)[1] for more in ([], ["--kid_weights", "mine.pth"])]
    assert given == [Path("mine.pth")]
    assert [each["features of kid"] for each in found] == ["random:0", "random:1"]
    kids = [each["methods"]["lungs"]["measures"][1][0]["kid"] for each in found]
    assert kids[0] != kids[1]


def test_a_cycle_gan_donor_is_measured_by_its_cycle_kid_and_drift(save, study, tmp_path):
    """Horses have no ground truth: there are the error of the cycle, KID to the zebras, and drift."""
    random = np.random.default_rng(0)
    for side in "AB":
        (tmp_path / "h2z" / f"test{side}").mkdir(parents=True)
        for i in range(3):
            picture = random.integers(0, 256, (64, 64, 3), np.uint8)
            Image.fromarray(picture).save(tmp_path / "h2z" / f"test{side}" / f"{i}.png")
    cycle = [
        "--model",
        "cycle_gan",
        "--netG",
        "resnet_6blocks",
        "--no_dropout",
        "--dataset_mode",
        "unaligned",
        "--dataroot",
        str(tmp_path / "h2z"),
    ]
    save("horses", *cycle)
    save("lungs", *CHESTS, "--netG", "resnet_6blocks", "--norm", "instance", "--no_dropout", seed=1)
    _, found = study("--donor", "horses", "--runs", "lungs", "--curve_points", "0")
    method = found["methods"]["lungs"]
    before, after = (method["measures"][i][0] for i in range(2))
    assert before["cycle_l1"] > 0
    assert before["ssim"] == 1
    assert "kid" in before
    assert after["ssim"] < 1
    assert "cycle_l1" not in after
    assert method["curve"][1:] == []
    assert found["donor"]["bytes"] > 1.9 * method["figures"]["bytes"]


def test_a_grey_network_is_applied_to_a_colour_task(save, study):
    save("houses", *HOUSES)
    save("grey", *CHESTS, "--input_nc", "1", "--output_nc", "1", seed=1)
    _, found = study("--donor", "houses", "--runs", "grey")
    assert found["methods"]["grey"]["measures"][1][0]["void_rate"] > 0.9  # grey is no class's colour


def test_a_folder_that_upstream_wrote_can_be_the_donor(save, study):
    folder = save("houses", *HOUSES)
    (folder / "options.json").unlink()
    save("lungs", *CHESTS, seed=1)
    _, found = study("--donor", "houses", "--runs", "lungs", "--old_mode", "phantom")
    assert found["tasks"][0]["name"] == "chests"  # the default of --phantom, which is not recorded


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        (["--runs", "nobody"], "--runs nobody: there is no run"),
        (["--runs", "lungs", "houses,lungs"], "as many runs as there are new tasks"),
        (["--runs", "lungs", "lungs"], "used twice"),
        (["--runs", "donor=lungs"], "want RUN or LABEL=RUN"),
        (["--runs", "ft=lungs+lungs"], "a run is named twice; several seeds are different runs"),
        (["--runs", "lungs,"], "want RUN or LABEL=RUN"),
        (["--runs", "lungs+"], r"want RUN or LABEL=RUN.* RUN\+RUN\+... for several seeds"),
        (["--runs", "lungs+lungs,lungs"], "as many runs as there are new tasks"),
        (["--runs", "lungs", "--new_phase", "val", "test"], "--new_phase val test: 2 values for 1 new tasks"),
        (["--runs", "lungs", "--new_phase", "none"], r"new task 1 \(--new_data.*\): --phase none"),
        (["--runs", "lungs", "--old_phase", "none"], r"old task \(--old_data.*\): --phase none"),
        (["--runs", "lungs", "--name", "../x"], "--name ../x: must be a plain name"),
        (["--runs", "lungs", "--epoch", "7"], "lungs: .*lungs holds no generator of --epoch 7; saved epochs: latest"),
        (["--runs", "lungs", "--ols_data", "x"], "did you mean --old_data"),
    ],
)
def test_a_wrong_flag_is_refused_with_a_message_that_names_it(save, study, flags, message):
    save("houses", *HOUSES)
    save("lungs", *CHESTS, seed=1)
    with pytest.raises(UserError, match=message):
        study("--donor", "houses", *flags)


def test_runs_that_cannot_be_compared_are_refused_before_anything_is_measured(save, study, tmp_path, capsys):
    save("houses", *HOUSES)
    save("lungs", *CHESTS, seed=1)
    save("doors", *HOUSES, seed=2)
    adapted(tmp_path, "masks", "houses", "masks", 1)
    (tmp_path / "ck" / "empty").mkdir()
    for runs, message in (
        (["lungs", "doors"], r"new task 1 lungs learnt chests \(8 images of test\) and doors facades \(8 of test\)"),
        (["lungs", "empty"], "--runs empty: .*empty holds no generator of --epoch latest; saved epochs: none"),
        (["mixed=lungs,masks"], "--runs mixed: some .* kept their donor frozen, .*--adapt finetune, masks"),
    ):
        with pytest.raises(UserError, match=message):
            study("--donor", "houses", "--runs", *runs)
    assert capsys.readouterr().out == ""
    study("--donor", "houses", "--runs", "lungs", "masks")


def test_a_folder_that_is_no_result_is_not_replaced(save, study, tmp_path):
    save("houses", *HOUSES)
    save("lungs", *CHESTS, seed=1)
    mine = tmp_path / "results" / "forgetting" / "thesis.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("mine")
    with pytest.raises(UserError, match="not the result of a test"):
        study("--donor", "houses", "--runs", "lungs")
    assert mine.read_text() == "mine"


def adapted(tmp_path: Path, name: str, donor: str, method: str, seed: int, *flags: str) -> None:
    """Save an adapted run: a frozen donor with random changes as its task."""
    where = ["--checkpoints_dir", str(tmp_path / "ck"), "--name", donor]
    opt = options.test.parse([*where, *CHESTS, *flags])
    model = create_model(opt, torch.device("cpu"), training=False)
    path = tmp_path / "ck" / donor / "latest_net_G.pth"
    load_donor(model.networks["G"], read_state_dict(path), path, Architecture.of(opt))
    task = attach(model.networks["G"], Settings(method))
    task.donor_path = path
    torch.manual_seed(seed)
    with torch.no_grad():
        for parameter in task.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    save_networks(tmp_path / "ck" / name, "latest", model.networks, {"G": task})
    write_json(tmp_path / "ck" / name / "options.json", as_dict(opt) | {"adapt": method})


def test_the_donors_scores_are_printed_once_for_all_methods(save, study, capsys):
    save("houses", *HOUSES)
    save("lungs", *CHESTS, seed=1)
    study("--donor", "houses", "--runs", "one=lungs", "two=lungs", "--curve_points", "0")
    said = capsys.readouterr().out
    assert said.count("donor on facades") == said.count("donor on chests") == 1
    assert said.count("one: lungs on") == said.count("two: lungs on") == 2


def test_a_frozen_donor_is_proven_unchanged(save, study, tmp_path):
    """Three tasks: after the third, the second is still measured with its own file."""
    save("houses", *HOUSES)
    for name, seed in (("second", 1), ("third", 2)):
        adapted(tmp_path, name, "houses", "masks", seed)
    folder, found = study("--donor", "houses", "--runs", "masks=second,third")
    method = found["methods"]["masks"]
    assert [method["measures"][after][0]["bit_equal"] for after in range(3)] == [8, 8, 8]
    assert method["measures"][2][1]["bit_equal"] == 8
    assert method["figures"]["forgetting"] == 0
    assert method["measures"][0][1] != method["measures"][1][1]  # the task did change something
    assert [proof["run"] for proof in method["proofs"]] == ["second", "third"]
    assert all(proof["donor"] == proof["taken_off"] for proof in method["proofs"])
    size = (tmp_path / "ck" / "second" / "latest_task_G.safetensors").stat().st_size
    assert method["costs"][0]["bytes"] == size < found["donor"]["bytes"]
    assert "Proofs" in (folder / "index.html").read_text()
    assert "differs" not in (folder / "index.html").read_text()


def test_a_donor_fitted_to_grey_pictures_is_proven_unchanged_by_its_file(save, study, tmp_path):
    """It is applied with its own options, not with the run's."""
    save("houses", *HOUSES)
    grey = ["--input_nc", "1", "--output_nc", "1", "--stochastic"]
    adapted(tmp_path, "lungs", "houses", "masks", 1, *grey)
    folder, found = study("--donor", "houses", "--runs", "lungs")
    method = found["methods"]["lungs"]
    assert method["measures"][1][0]["bit_equal"] == 8
    assert method["R"][1][0] == method["R"][0][0]
    (proof,) = method["proofs"]
    assert proof["donor"] == proof["taken_off"] != proof["on_disk"]
    state = torch.load(tmp_path / "ck" / "houses" / "latest_net_G.pth", weights_only=True)
    assert proof["on_disk"] == {"G": fingerprint(state)}
    assert "differs" not in (folder / "index.html").read_text()
    save("houses", *HOUSES, seed=5)
    with pytest.raises(UserError, match="belongs to another donor"):
        study("--donor", "houses", "--runs", "lungs")


def test_runs_with_different_seeds_are_averaged(save, study, tmp_path):
    save("houses", *HOUSES)
    for seed in (1, 2):
        save(f"ft{seed}", *CHESTS, seed=seed, epochs=(1, seed + 1, "latest"))
        adapted(tmp_path, f"m{seed}", "houses", "masks", seed)
    folder, found = study("--donor", "houses", "--runs", "ft=ft1+ft2", "masks=m1+m2", "m1", "--pictures", "1")
    tuned, masks = found["methods"]["ft"], found["methods"]["masks"]
    one, two = (seed["figures"]["new_score"] for seed in tuned["seeds"])
    assert one != two
    assert tuned["figures"]["new_score"] == pytest.approx((one + two) / 2) == tuned["R"][1][1]
    assert tuned["figures_sd"]["new_score"] == pytest.approx(abs(one - two) / 2**0.5)
    assert [point["epoch"] for point in tuned["curve"]] == [0, 1]
    assert tuned["runs"] == ["ft1+ft2"]
    assert masks["figures_sd"]["forgetting"] == 0
    assert [p["run"] for p in masks["proofs"]] == ["m1", "m2"]
    assert masks["measures"][1][0]["bit_equal"] == 8
    assert found["methods"]["m1"]["figures_sd"] == {}
    words = (folder / "index.html").read_text()
    assert f"{(one + two) / 2:.4f}\u00a0±\u00a0{abs(one - two) / 2**0.5:.4f}" in words
    assert "differ in their seed, ± one standard deviation: ft (2), masks (2)" in words
    assert "differs" not in words
    with (folder / "forgetting.csv").open() as file:
        rows = {row["method"]: row for row in csv.DictReader(file)}
    assert float(rows["ft"]["new_score_sd"]) > 0
    assert rows["m1"]["new_score_sd"] == ""


def test_a_fine_tuned_run_of_another_donor_is_named_on_the_page(save, study, tmp_path):
    """Its options record --pretrained, which may be a name, a path or a copy, or may not exist any more."""
    save("houses", *HOUSES)
    save("others", *HOUSES, seed=5)
    shutil.copytree(tmp_path / "ck" / "houses", tmp_path / "ck" / "copy")
    starts = {
        "good": "houses",
        "path": str(tmp_path / "ck" / "houses" / "latest_net_G.pth"),
        "same": "copy",
        "gone": "nobody",
        "bad": "others",
        "fresh": "",
    }
    for seed, (name, start) in enumerate(starts.items()):
        save(name, *CHESTS, seed=seed, pretrained=start, adapt="finetune")
    save("next", *CHESTS, seed=9, pretrained="good", adapt="finetune")
    flags = ["--num_test", "2", "--pictures", "1", "--curve_points", "0"]
    folder, _ = study("--donor", "houses", "--runs", *starts, *flags)
    words = (folder / "index.html").read_text()
    assert "bad started from others, not houses; fresh started from random weights, not houses." in words
    folder, _ = study("--donor", "houses", "--runs", "right=good,next", "wrong=path,next", *flags)
    words = (folder / "index.html").read_text()
    assert "did not start from the network before them: next started from good, not path." in words


def test_test_images_that_a_run_has_learnt_from_are_named(save, study, chests_folder, capsys):
    save("houses", *HOUSES)
    lungs = save("lungs", "--dataset_mode", "masks", "--dataroot", str(chests_folder))
    record_learnt(lungs, [chests_folder / "images" / "x0.png"])
    flags = ["--donor", "houses", "--runs", "lungs", "--pictures", "1", "--curve_points", "0"]
    folder, _ = study(*flags)
    assert "note: lungs learnt from 1 of these 2: its scores" in capsys.readouterr().out
    words = (folder / "index.html").read_text()
    assert "Scores may be too good: lungs learnt from 1 of these 2 (images of chests)." in words


def test_a_task_on_another_donor_fails_the_proof(save, study, tmp_path):
    save("houses", *HOUSES)
    save("others", *HOUSES, seed=5)
    adapted(tmp_path, "lungs", "others", "norm_only", 1)
    folder, found = study("--donor", "houses", "--runs", "lungs")
    assert found["methods"]["lungs"]["measures"][1][0]["bit_equal"] == 0
    assert "✗ differs" in (folder / "index.html").read_text()
    with pytest.raises(UserError, match="is a task beside a donor: name that donor, or plain weights"):
        study("--donor", "lungs", "--runs", "lungs")


def test_a_study_on_other_data_does_not_replace_an_earlier_one(save, study, tmp_path):
    save("houses", *HOUSES)
    save("lungs", *CHESTS, seed=1)
    runs = ["--donor", "houses", "--runs", "lungs"]
    folder, _ = study(*runs)
    page = (folder / "index.html").read_text()
    study(*runs, "--new_phase", "val")
    study(*runs, "--new_phase", "val")
    assert (folder / "index.html").read_text() == page
    other = read_json(tmp_path / "results" / "forgetting_chests" / "forgetting.json")
    assert [task["phase"] for task in other["data"]] == ["test", "val"]
    assert {path.name for path in (tmp_path / "results").iterdir()} == {"forgetting", "forgetting_chests"}
    assert study("--donor", "houses", "--runs", "again=lungs")[0].name == "forgetting_chests_again"
    assert study(*runs, "--num_test", "2")[0].name == "forgetting_chests_lungs"
    assert (folder / "index.html").read_text() == page
