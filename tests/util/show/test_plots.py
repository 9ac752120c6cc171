"""The curves of a training run."""

from util.show import plots


def test_discriminators_accuracies_have_a_panel_of_their_own(monkeypatch, tmp_path):
    drawn = {}
    monkeypatch.setattr(plots, "_save", lambda figure, path: drawn.update({ax.get_title(): ax for ax in figure.axes}))
    steps = [{"epoch": 1, "iters": 4, "D_real": 0.5, "G_L1": 3.0, "acc_D_real": 1.0, "acc_D_fake": 0.0}]
    epochs = [
        {"epoch": n, "acc_D_real": 0.7, "acc_D_fake": 0.6, "D_real": 0.5, "G_L1": 2.0, "val_G_L1": 3.0, "val_miou": 0.9}
        for n in (1, 2)
    ]
    plots.curves(steps, epochs, tmp_path / "curves.png")
    lines = {
        title: [line.get_label() for line in ax.lines if line.get_label()[0] != "_"] for title, ax in drawn.items()
    }
    assert lines["losses"] == ["D_real", "G_L1"]
    assert lines["how often the discriminator is right"] == ["acc_D_real", "acc_D_fake", "chance"]
    assert lines["validation"] == ["val_miou"]
    assert list(drawn["how often the discriminator is right"].lines[0].get_ydata()) == [0.7, 0.7]
