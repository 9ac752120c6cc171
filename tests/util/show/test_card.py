"""The card of a run: README.md as the Hugging Face hub reads it, brought up to date by tests, with the user's text."""

import ast
import re
import shlex
import textwrap

import pytest
from huggingface_hub import ModelCard

from options.results import is_plain, results_folder
from options.test import parse
from tests.helpers import ROOT, python, words
from util.files import write_json
from util.run.aside import set_aside
from util.show.card import BEGIN, CARD, END, RECORD, add_scores, write_card

SUMMARY = {
    "images": 8,
    "patients": 7,
    "macro": {"dice": 0.9, "iou": 0.8},
    "micro": {"miou": 0.7, "dice": 0.5},
    "interval": {"macro": {"dice": [0.85, 0.95], "iou": [0.7, 0.9]}, "micro": {"miou": [0.6, 0.8]}},
}
NAMES = ["dice", "iou", "miou"]


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / 'my "lungs"'
    folder.mkdir()
    (folder / "best_net_G.pth").write_bytes(b"weights")
    write_card(folder, 'my "lungs"', {"Data": "lungs", "Split": ""})
    return folder


def score(folder, phase="test", epoch="best", names=NAMES, **other):
    add_scores(
        folder,
        'my "lungs"',
        {"phase": phase, "epoch": epoch, "data": "lungs"},
        folder / "best_net_G.pth",
        SUMMARY | other,
        names,
    )


def read(folder) -> str:
    return (folder / CARD).read_text(encoding="utf-8")


def test_a_new_card_names_the_facts_of_the_training_and_asks_for_a_licence(run):
    text = read(run)
    assert "- Data: lungs" in text
    assert "Split" not in text  # nothing is known of it
    data = ModelCard(text).data.to_dict()
    assert data["library_name"] == "pix2mask"
    assert not data.get("license")
    assert re.search(r"^license: # fill in", text, re.M)


def test_the_hub_reads_the_scores_of_each_phase_and_epoch_once(run):
    score(run, "val")
    score(run)
    score(run, macro={"dice": 0.92, "iou": 0.8})
    results = ModelCard(read(run)).data.eval_results
    shown = [(one.dataset_split, one.metric_type, one.metric_value) for one in results]
    assert shown == [("val", "dice", 0.9), ("val", "iou", 0.8), ("test", "dice", 0.92), ("test", "iou", 0.8)]
    assert "mean dice 0.9200 (0.8500 to 0.9500)" in results[2].metric_name
    assert "| lungs | test, best | 8 of 7 | mean dice 0.9200 (0.8500 to 0.9500); " in read(run)


def test_scores_of_more_than_two_classes_are_of_pooled_pixels(run):
    score(run, names=["miou"])
    assert "pooled miou 0.7000 (0.6000 to 0.8000)" in read(run)


def test_a_card_names_its_run_so_that_python_and_a_shell_find_it(tmp_path):
    for name in ("lungs/fold_0", 'my "lungs" ü'):
        folder = tmp_path / name
        folder.mkdir(parents=True)
        write_card(folder, name, {"Data": "lungs"})
        text = read(folder)
        assert f"# {name}\n" in text
        command = re.search(r"`(python test.py .*)` adds them", text)
        assert command
        assert shlex.split(command[1]) == ["python", "test.py", "--name", name]
        code = [line for line in text.splitlines() if line.startswith("    ") and "(" in line]
        constants = [
            node.value
            for node in ast.walk(ast.parse(textwrap.dedent("\n".join(code))))
            if isinstance(node, ast.Constant)
        ]
        assert {name, f"PATH/TO/pix2mask/checkpoints/{name}"} <= set(constants)


def test_what_the_user_writes_outside_of_the_marks_stays(run):
    mine = (
        read(run).replace("license: # fill", "license: mit # fill").replace("tags:\n", "language: en\ntags:\n- mine\n")
    )
    (run / CARD).write_text(mine.replace("(fill in: owner,", "(MINE,"), encoding="utf-8")
    score(run)
    write_card(run, 'my "lungs"', {"Data": "other lungs"})
    score(run)
    data = ModelCard(read(run)).data.to_dict()
    assert (data["license"], data["language"], data["tags"]) == ("mit", "en", ["mine", "medical-imaging"])
    assert len(data["model-index"]) == 1
    assert "(MINE," in read(run)
    assert "- Data: other lungs" in read(run)


def test_a_training_removes_the_scores_of_earlier_weights(run):
    score(run)
    write_card(run, 'my "lungs"', {"Data": "lungs"})
    assert "model-index" not in read(run)
    assert "None yet" in read(run)


@pytest.mark.parametrize("lost", [BEGIN, END, "---\n"])
def test_a_card_without_the_marks_is_left_alone_and_that_is_said(run, lost, capsys):
    mine = read(run).replace(lost, "", 1)
    (run / CARD).write_text(mine, encoding="utf-8")
    score(run)
    assert read(run) == mine
    assert "is left as it is" in capsys.readouterr().out


@pytest.mark.parametrize("record", [None, "{", "[]", '{"scores": 3}'])
def test_a_run_without_a_record_gets_no_scores(run, record):
    (run / RECORD).unlink()
    if record:
        (run / RECORD).write_text(record)
    before = read(run)
    score(run)
    assert read(run) == before


@pytest.mark.slow
def test_train_writes_a_card_and_only_a_plain_test_adds_to_it(tmp_path):
    folders = "--checkpoints_dir", tmp_path, "--results_dir", tmp_path / "r", "--name", "x"
    network = "--netG unet_64 --ngf 4 --ndf 4 --load_size 64 --crop_size 64 --init_gain 0.2"
    flags = f"--dataset_mode phantom --gpu_ids -1 --n_epochs 1 --n_epochs_decay 0 --max_dataset_size 4 {network}"
    donor(tmp_path / "donor.pth")
    start = "--pretrained", tmp_path / "donor.pth", "--display_id", "0"
    python("train.py", *words(flags), *start, *folders[:2], *folders[4:], check=True)
    text = read(tmp_path / "x")
    assert "4 images of 4 patients to train on" in text
    assert re.search(r"Start: donor.pth, donor.pth \(sha256 [0-9a-f]{64}\)", text)
    assert "--ndf 4" in text
    assert str(tmp_path) not in text
    python("test.py", *folders, "--phase", "val", "--num_test", "3", check=True)
    assert read(tmp_path / "x") == text
    python("test.py", *folders, "--phase", "val", check=True)
    assert "| chests | val, latest |" in read(tmp_path / "x")


@pytest.mark.parametrize(
    "flags", ["--tta", "--phase train", "--task base", "--num_test 3", "--surface", "--phantom facades"]
)
def test_a_test_is_plain_only_with_all_images_and_settings_of_the_run(tmp_path, flags):
    def plain(*more):
        opt = parse(["--checkpoints_dir", str(tmp_path), "--results_dir", str(tmp_path), "--name", "x", *more])
        return is_plain(opt, results_folder(opt, "x", "metrics.json"))

    (tmp_path / "x").mkdir()
    write_json(tmp_path / "x" / "options.json", {"dataset_mode": "phantom", "phantom": "chests", "model": "pix2pix"})
    assert plain()
    assert plain("--phase", "val", "--epoch", "best")
    assert not plain(*words(flags))


def test_a_new_run_under_an_old_name_moves_the_old_card_away(run):
    set_aside(run)
    assert sorted(path.name for path in (run / "before").iterdir()) == [CARD, "best_net_G.pth", RECORD]


def donor(path):
    import torch

    from models.networks.define import define_G

    torch.save(define_G(3, 3, 4, "unet_64", "batch", True).state_dict(), path)


def test_the_shipped_donors_card_is_a_text_of_its_own():
    assert BEGIN not in read(ROOT / "checkpoints" / "facades_photo2label")
