"""Every recipe parses, names its run like its file, and is listed in recipes/README.md."""

import argparse

import pytest
import torch

import benchmarks.papers.__main__ as papers
import options.forgetting
import options.test
import options.train
from benchmarks.papers.recipes import FOLDER, Recipe, read_recipes, with_needs
from models.optim.schedules import create_schedulers, step_schedulers

RECIPES = read_recipes()
PARSE = {
    "train.py": options.train.parse,
    "test.py": options.test.parse,
    "forgetting.py": lambda words: options.forgetting.parse(words).opt,
}


@pytest.mark.parametrize(
    "path", sorted(set(FOLDER.glob("*.txt")) - set(FOLDER.glob("sequence_*"))), ids=lambda path: path.stem
)
def test_a_recipe_parses_and_names_its_command_and_paper(path, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    lines = path.read_text(encoding="utf-8").splitlines()
    ours = ("lungs", "quick")  # for the user's own images, who names the run
    if path.stem.startswith("demo") or path.stem in ours:
        script = "train.py"
    else:
        script = RECIPES[path.stem].script
        assert lines[0] == f"# python {script} @recipes/{path.name}"
        assert lines[1].startswith(f"# Paper {path.stem[:3]} (")
    opt = PARSE[script]([f"@recipes/{path.name}"])
    assert opt.name == path.stem or script == "test.py" or path.stem in ours
    assert f"`{path.stem}`" in (FOLDER / "README.md").read_text(encoding="utf-8")
    if script == "train.py":
        shorter = PARSE[script]([f"@recipes/{path.name}", "--n_epochs", "1", "--name", "mine"])
        assert (shorter.n_epochs, shorter.name) == (1, "mine")


def test_paper_003_lowers_its_learning_rate_after_three_epochs_without_gain(monkeypatch):
    """As Keras does with a patience of 3."""
    monkeypatch.chdir(FOLDER.parent)
    opt = PARSE["train.py"](["@recipes/003_unet_small.txt"])
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=opt.lr)
    schedulers, rates = create_schedulers(opt, {"G": optimizer}), []
    for score in (0.5, 0.5, 0.5, 0.5):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        step_schedulers(schedulers, score)
    assert rates == [opt.lr] * 4
    assert optimizer.param_groups[0]["lr"] == pytest.approx(opt.lr / 5)


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.script == "train.py"])
def test_a_small_recipe_parses_and_is_shorter_or_has_smaller_images(name, monkeypatch):
    monkeypatch.chdir(FOLDER.parent)
    full, small = (PARSE["train.py"](RECIPES[name].flags(scale, imagenet=False)) for scale in ("full", "small"))
    assert (full.name, small.name) == (name, f"{name}_small")
    shorter = small.n_epochs + small.n_epochs_decay < full.n_epochs + full.n_epochs_decay
    assert shorter or small.crop_size < full.crop_size
    assert getattr(full, "encoder_weights", None) != "imagenet"


def test_a_small_recipe_starts_from_small_runs():
    study = RECIPES["002_forgetting"]
    assert set(study.needs) == {"002_pix2pix_decay20", "002_piggyback_bank", "002_piggyback_masks"}
    assert "bank=002_piggyback_bank_small" in study.flags("small", imagenet=True)
    assert "bank=002_piggyback_bank" in study.flags("full", imagenet=True)


def test_a_recipe_whose_donor_is_not_on_this_machine_is_left_out(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(papers, "ROOT", tmp_path)
    monkeypatch.setattr(papers, "train", lambda *args: pytest.fail("was trained"))
    papers.run(RECIPES["000_mobilenet_imagenet"], argparse.Namespace(scale="small", no_imagenet=False))
    assert "left out: it starts from datasets/weights/mobilenet_v2_" in capsys.readouterr().err


def test_the_runs_that_a_recipe_needs_come_before_it():
    order = [recipe.name for recipe in with_needs(RECIPES, ["002_reverse"])]
    assert order == ["002_pix2pix_scratch", "002_reverse"]


def test_without_imagenet_encoders_start_from_random_weights_but_weights_in_files_are_used():
    words = ("--name", "a", "--encoder_weights", "imagenet")
    assert Recipe("a", "train.py", words, ()).flags("full", imagenet=False)[-2:] == ["--encoder_weights", "none"]
    assert Recipe("a", "train.py", words, ()).flags("full", imagenet=True) == list(words)
    words = ("--name", "a", "--encoder_weights", "file.pth", "--input_norm", "imagenet")
    assert Recipe("a", "train.py", words, ()).flags("full", imagenet=False) == list(words)
