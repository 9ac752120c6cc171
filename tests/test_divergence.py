"""A training that diverges stops and keeps its last good files; one with dead outputs or a dead D says so."""

import pytest
import torch

from models.cycle_gan import CycleGANModel
from models.pix2pix import Pix2PixModel
from tests.helpers import words
from util.errors import UserError

TINY = words("--netG unet_64 --ngf 4 --ndf 4 --load_size 70 --crop_size 64 --gpu_ids -1 --display_id 0 --no_html")
PHANTOM = words("--dataset_mode phantom --phantom_count 6")
SMALL = [*TINY, *PHANTOM]


def diverging(monkeypatch, model: type, at: int, network: str = "", loss: str = "") -> list[int]:
    """Make the weights of a network NaN after training step `at`, or a loss infinite in that step alone. Returns a list
    that grows by one with each step."""
    steps, train_step = [], model.train_step

    def step(self, batch):
        losses = train_step(self, batch)
        steps.append(1)
        if len(steps) == at:
            if network:
                next(self.networks[network].parameters()).data.fill_(float("nan"))
            if loss:
                losses[loss] = losses[loss] + float("inf")
        return losses

    monkeypatch.setattr(model, "train_step", step)
    return steps


def all_finite(folder) -> bool:
    files = [torch.load(path, weights_only=True) for path in folder.glob("*_net_*.pth")]
    return all(value.isfinite().all() for state in files for value in state.values())


def test_nan_weights_never_replace_latest_and_the_run_resumes_from_the_last_good_save(run, monkeypatch, tmp_path):
    diverging(monkeypatch, Pix2PixModel, at=5, network="D")
    flags = [*SMALL, *words("--n_epochs 2 --n_epochs_decay 0 --save_latest_freq 2")]
    with pytest.raises(UserError, match=r"diverged.*--lr.*--clip_grad 1.*--continue_train"):
        run(*flags)
    folder = tmp_path / "run"
    assert all_finite(folder)
    assert torch.load(folder / "latest_train_state.pth", weights_only=True)["progress"]["iters"] == 4
    monkeypatch.undo()
    run("--continue_train", *words("--clip_grad 1"))
    assert torch.load(folder / "latest_train_state.pth", weights_only=True)["progress"]["iters"] == 12


def test_an_infinite_loss_in_a_single_step_is_noticed_at_the_next_line_of_the_log(run, monkeypatch):
    steps = diverging(monkeypatch, Pix2PixModel, at=2, loss="G_L1")
    with pytest.raises(UserError, match="G_L1"):
        run(*SMALL, *words("--n_epochs 2 --n_epochs_decay 0 --print_freq 4"))
    assert len(steps) == 4


def test_an_infinite_loss_is_noticed_at_the_end_of_an_epoch_shorter_than_print_freq(run, monkeypatch, tmp_path):
    steps = diverging(monkeypatch, Pix2PixModel, at=2, loss="G_L1")
    with pytest.raises(UserError, match="G_L1.*nothing was saved"):
        run(*SMALL, *words("--n_epochs 2 --n_epochs_decay 0"))
    assert len(steps) == 6
    assert not list((tmp_path / "run").glob("*.pth"))


def test_a_cyclegan_without_validation_stops_when_its_losses_are_nan(run, monkeypatch, tmp_path):
    steps = diverging(monkeypatch, CycleGANModel, at=8, network="G_B")
    flags = words("--model cycle_gan --val_freq 0 --n_epochs 4 --n_epochs_decay 0 --save_epoch_freq 1")
    with pytest.raises(UserError, match="diverged"):
        run(*SMALL, *flags)
    assert len(steps) == 12, "the training ends with epoch 2 of 4"
    assert all_finite(tmp_path / "run")


def test_ctrl_c_on_nan_weights_does_not_save_them(run, monkeypatch, tmp_path):
    train_step = Pix2PixModel.train_step

    def step(self, batch):
        import signal

        losses = train_step(self, batch)
        next(self.networks["G"].parameters()).data.fill_(float("nan"))
        signal.raise_signal(signal.SIGINT)
        return losses

    monkeypatch.setattr(Pix2PixModel, "train_step", step)
    with pytest.raises(UserError, match="weights of G"):
        run(*SMALL, *words("--n_epochs 1 --n_epochs_decay 0"))
    assert not list((tmp_path / "run").glob("*.pth"))


def test_a_dead_output_channel_and_a_discriminator_that_won_are_said_once(run, monkeypatch, capsys):
    train_step, translate = Pix2PixModel.train_step, Pix2PixModel.translate

    def step(self, batch):
        return train_step(self, batch) | {"acc_D_real": torch.tensor(0.999), "acc_D_fake": torch.tensor(1.0)}

    def without_red(self, images, network=""):
        outputs = translate(self, images, network)
        outputs[:, 0] = -1
        return outputs

    monkeypatch.setattr(Pix2PixModel, "train_step", step)
    monkeypatch.setattr(Pix2PixModel, "translate", without_red)
    run(*SMALL, *words("--n_epochs 3 --n_epochs_decay 0"))
    out = capsys.readouterr().out
    assert out.count("discriminator D has won") == 1
    assert "note: epoch 1: output channel red is constant (-1.00)" in out
    assert out.count("output channel red is constant") == 2
    assert "note: last validation: output channel red" in out


def test_what_the_only_validation_has_said_is_not_said_again(run, monkeypatch, capsys):
    monkeypatch.setattr(Pix2PixModel, "translate", lambda self, images, network="": torch.full_like(images, -1))
    run(*SMALL, *words("--n_epochs 1 --n_epochs_decay 0"))
    assert capsys.readouterr().out.count("the output is one colour all over") == 1
