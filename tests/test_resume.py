"""What may change on --continue_train: the table in docs/training.md, row by row."""

import re

import pytest
import torch

from options.train import TRAIN
from tests.helpers import ROOT, read_json, words
from util.errors import UserError
from util.flags import Fact, flags
from util.run.log import read_metrics

TINY = words(
    "--netG unet_64 --ngf 4 --ndf 4 --load_size 70 --crop_size 64 --gpu_ids -1 --display_id 0 --no_html "
    "--num_threads 0 --dataset_mode phantom --phantom_count 4 --batch_size 2 --n_epochs 2 --n_epochs_decay 0"
)
FIXED = flags(Fact.FIXED)


def rows() -> dict[str, set[str]]:
    """The table's rows: what happens, and the flags."""
    text = (ROOT / "docs" / "training.md").read_text(encoding="utf-8").split("### What may change")[1].split("\n#")[0]
    lines = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")][2:]
    return {does.strip(): {*re.findall(r"`--(\w+)", names)} for names, does in lines}


def test_the_table_names_every_flag_of_a_training_once():
    listed = [name for names in rows().values() for name in names]
    assert len(listed) == len({*listed})
    assert {*listed} == {*flags(Fact.RESUMED)}
    (refused,) = [names for does, names in rows().items() if does.startswith("refused: they")]
    assert refused == {*FIXED}


@pytest.fixture
def trained(run):
    return run(*TINY)


VALUES = {
    "model": "supervised",
    "netG": "unet_128",
    "netD": "pixel",
    "norm": "instance",
    "init_type": "xavier",
    "init_gain": "0.1",
    "input_norm": "unit",
    "adapt": "masks",
    "bank": "cumulative",
    "bank_fraction": "0.5",
    "encoder_weights": "imagenet",
    "mask_init": "0.5",
    "mask_cutoff": "0.5",
}
NUMBERS = ("n_layers_D", "ngf", "ndf", "input_nc", "output_nc", "rank")


def test_flags_that_could_not_act_are_refused_and_the_run_stays_as_it_was(run, trained):
    before = {path.name: path.read_bytes() for path in trained.glob("*.*")}
    of_pix2pix = TRAIN.default_values("pix2pix", "phantom")
    for name in [name for name in FIXED if name in of_pix2pix and not name.startswith("old_")]:  # test_rivals.py
        value = [VALUES[name]] if name in VALUES else ["7"] * (name in NUMBERS) or ["x"] * (name != "no_dropout")
        with pytest.raises(UserError, match=rf"--{name} .* was trained with --{name} .*leave the flag out, or"):
            run("--continue_train", "--n_epochs", "3", f"--{name}", *value)
    assert {path.name: path.read_bytes() for path in trained.glob("*.*")} == before


@pytest.mark.parametrize("flag", ["--optimizer sgd", "--beta1 0.9", "--weight_decay 0.1", "--ema 0.9"])
def test_flags_of_the_saved_optimizers_are_refused(run, trained, flag):
    with pytest.raises(UserError, match=flag.split()[0]):
        run("--continue_train", "--n_epochs", "3", *words(flag))


@pytest.mark.parametrize(
    ("flags", "wanted"),
    [
        ("--lr 0.1", 0.1),
        ("--lr_policy plateau", 0.0002),
        ("--lr_policy plateau --lr 0.1", 0.1),
        ("--lr_policy cosine --lr 0.1 --n_epochs_decay 1", 0.1 * 0.5),
        ("--lr_policy step --lr_decay_iters 1 --lr 0.1", 0.001),
        ("--warmup 3", 0.0002 * 3 / 4),
    ],
)
def test_the_learning_rate_follows_the_present_flags(run, trained, monkeypatch, capsys, flags, wanted):
    from models.pix2pix import Pix2PixModel

    rates, real = [], Pix2PixModel.train_step

    def step(self, batch):
        rates.append(self.optimizers["G"].param_groups[0]["lr"])
        return real(self, batch)

    monkeypatch.setattr(Pix2PixModel, "train_step", step)
    run("--continue_train", "--n_epochs", "3", *words(flags))
    assert rates[0] == pytest.approx(wanted)
    said = capsys.readouterr().out
    for flag in re.findall(r"--(\w+)", flags):
        assert f"from now on --{flag} " in said
        assert f"{read_json(trained / 'options.json')[flag]} (before: " in said
    assert "from now on --n_epochs 3 (before: 2)" in said


def test_losses_and_clipping_act_from_the_next_step(run, trained):
    run("--continue_train", "--n_epochs", "3", "--lambda_L1", "0", "--clip_grad", "0.1", "--gan_mode", "wgangp")
    assert read_metrics(trained / "metrics.csv")[-1]["G_L1"] == 0


def test_images_act_from_the_next_batch(run, trained):
    run("--continue_train", "--n_epochs", "3", "--phantom_count", "8", "--batch_size", "1", "--seed", "3")
    assert [row["iters"] for row in read_metrics(trained / "metrics.csv")] == [4, 8, 16]


def test_validation_acts_from_the_next_epoch(run, trained):
    run("--continue_train", "--n_epochs", "3", "--val_freq", "0")
    assert ["val_dice" in row for row in read_metrics(trained / "metrics.csv")] == [True, True, False]


def test_a_finished_run_says_that_nothing_is_left_to_do(run, trained, capsys):
    before = {path.name: path.read_bytes() for path in trained.glob("*.*")}
    run("--continue_train")
    assert "nothing left to do: all 2 epochs are done; raise --n_epochs" in capsys.readouterr().out
    assert {path.name: path.read_bytes() for path in trained.glob("*.*")} == before


def test_a_run_that_stopped_early_says_which_flag_to_raise(run, capsys):
    folder = run(*TINY, *words("--lr 0 --n_epochs 9 --early_stop 1 --norm instance"))
    capsys.readouterr()
    run("--continue_train")
    assert "no gain in 1 validations: stopping; best epoch 1; raise --early_stop" in capsys.readouterr().out
    assert len(read_metrics(folder / "metrics.csv")) == 2


def test_going_back_to_an_earlier_epoch_keeps_the_best_so_far(run, capsys):
    folder = run(*TINY, "--save_epoch_freq", "1", *words("--n_epochs 1 --n_epochs_decay 1"))
    path = folder / "latest_train_state.pth"
    state = torch.load(path, weights_only=True)
    state["progress"]["best"] = 0.99  # no epoch of this training reaches that
    torch.save(state, path)
    best = (folder / "best_net_G.pth").read_bytes()
    capsys.readouterr()
    before = (folder / "1_net_G.pth").read_bytes()
    run("--continue_train", "--epoch", "1")
    assert torch.load(path, weights_only=True)["schedulers"] == state["schedulers"], "the schedule goes back with it"
    assert "continuing at epoch 2: optimizers start afresh" in capsys.readouterr().out
    assert (folder / "1_net_G.pth").read_bytes() == before
    assert (folder / "best_net_G.pth").read_bytes() == best
    progress = torch.load(path, weights_only=True)["progress"]
    assert (progress["best"], progress["best_epoch"]) == (0.99, state["progress"]["best_epoch"])


def test_epoch_count_may_only_say_where_the_run_is(run, trained):
    with pytest.raises(UserError, match="--epoch_count 2: the run goes on at epoch 3; leave the flag out"):
        run("--continue_train", "--n_epochs", "3", "--epoch_count", "2")
    run("--continue_train", "--n_epochs", "3", "--epoch_count", "3")
    assert len(read_metrics(trained / "metrics.csv")) == 3
