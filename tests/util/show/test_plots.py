"""The curves of a training run."""

import pytest

from util.run.log import GAME, WEIGHTED
from util.show import plots


@pytest.fixture
def drawn(monkeypatch):
    """The panels that were drawn, by their titles."""
    axes = {}
    monkeypatch.setattr(plots, "_save", lambda figure, path: axes.update({ax.get_title(): ax for ax in figure.axes}))
    return axes


def lines(ax):
    return [line.get_label() for line in ax.lines if line.get_label()[0] != "_"]


def test_discriminators_accuracies_have_a_panel_of_their_own(drawn, tmp_path):
    steps = [{"epoch": 1, "iters": 4, "time": 0.1, "D_real": 0.5, "G_L1": 3.0, "acc_D_real": 1.0, "acc_D_fake": 0.0}]
    epochs = [
        {"epoch": n, "acc_D_real": 0.7, "acc_D_fake": 0.6, "D_real": 0.5, "G_L1": 2.0, "val_G_L1": 3.0, "val_miou": 0.9}
        for n in (1, 2)
    ]
    plots.curves(steps, epochs, tmp_path)
    assert lines(drawn["how often the discriminator is right"]) == ["acc_D_real", "acc_D_fake", "chance"]
    assert lines(drawn["other validation scores"]) == ["val_miou"]
    assert list(drawn["how often the discriminator is right"].lines[0].get_ydata()) == [0.7, 0.7]


def test_losses_with_a_lambda_do_not_hide_those_of_the_game(drawn, tmp_path):
    steps = [{"epoch": 1, "iters": i, "time": 0.1, "G_GAN": -0.3, "D_real": 0.0, "G_L1": 900.0 / i} for i in (1, 2, 3)]
    plots.curves(steps, [], tmp_path)
    assert (lines(drawn[GAME]), drawn[GAME].get_yscale()) == (["G_GAN", "D_real"], "linear")
    assert (lines(drawn[WEIGHTED]), drawn[WEIGHTED].get_yscale()) == (["G_L1"], "log")


def test_losses_and_scores_never_share_an_axis_also_without_losses_of_steps(drawn, tmp_path):
    """With fewer images in an epoch than --print_freq, only metrics.csv has the losses."""
    row = {
        "iters": 10,
        "G_GAN": 0.7,
        "G_L1": 50.0,
        "D_real": 0.6,
        "train_dice": 0.8,
        "val_dice": 0.7,
        "val_recall": 0.6,
    }
    files = plots.curves([], [{"epoch": n, **row} for n in (1, 2)], tmp_path, best=2)
    assert lines(drawn["other validation scores"]) == ["val_recall"]
    assert lines(drawn["Dice"])[-1] == "best epoch: 2"
    assert lines(drawn[GAME]) == ["G_GAN", "D_real"]
    assert list(drawn[WEIGHTED].lines[0].get_xdata()) == [1, 2]
    assert [title for title, _ in files] == list(drawn)


@pytest.mark.parametrize("top", [3.0, 90.0, 50000.0])
def test_a_logarithmic_axis_has_numbers_however_little_it_spans(drawn, tmp_path, top):
    plots.curves([{"epoch": 1, "iters": i, "time": 0.1, "G_L1": y} for i, y in ((1, top), (2, 2.0))], [], tmp_path)
    ax = drawn[WEIGHTED]
    low, high = ax.get_ylim()
    shown = [value for value in ax.yaxis.get_major_locator()() if low <= value <= high]
    assert 2 <= len(shown) <= 12


def test_dollar_signs_in_names_are_no_formula(tmp_path):
    plots.histogram_plot({"site$1_$": [0.9, 0.8]}, "Dice", tmp_path / "a.png")
    plots.bars({"bytes": {"cost$x_$": 2.0}}, tmp_path / "b.png")
    plots.paths([("Dice", "Dice", {"run$^$": ([1, 2], [0.5, 0.6])}, {})], tmp_path / "c.png", ["one$_$", "two"])
    assert len(list(tmp_path.iterdir())) == 3
