"""A step of pix2pix, compared with results computed by hand where that is possible."""

import re

import pytest
import torch

from models import GAN_LOSSES
from models.losses import gan_loss, seg_loss
from models.networks.generator import generate_with_logits
from models.piggyback.task import detach
from models.pix2pix import Pix2PixModel
from tests.models.helpers import model_options
from util.errors import UserError

CPU = torch.device("cpu")


def batch(n: int = 2, output_nc: int = 3) -> dict:
    return {"A": torch.rand(n, 3, 64, 64) * 2 - 1, "B": torch.rand(n, output_nc, 64, 64) * 2 - 1}


def test_a_step_trains_both_networks_and_returns_upstreams_losses_and_accuracies():
    model = Pix2PixModel(model_options(), CPU, training=True)
    before = {name: [p.detach().clone() for p in net.parameters()] for name, net in model.networks.items()}
    losses = model.train_step(batch())
    assert list(losses) == ["G_GAN", "G_L1", "D_real", "D_fake", "acc_D_real", "acc_D_fake"]
    assert all(loss.ndim == 0 and not loss.requires_grad for loss in losses.values())
    for name, net in model.networks.items():
        assert any(not torch.equal(old, new) for old, new in zip(before[name], net.parameters(), strict=True)), name
    assert list(model.pictures()) == ["real_A", "fake_B", "real_B"]


def test_losses_are_those_of_the_paper():
    """Computed before the step: D judges (A, B) and (A, G(A)); L1 is the mean absolute error times its weight."""
    model = Pix2PixModel(model_options(norm="none", no_dropout=True, lambda_L1=7.0), CPU, training=True)
    data = batch()
    with torch.no_grad():
        fake = model.networks["G"](data["A"])
        real_logits = model.networks["D"](torch.cat([data["A"], data["B"]], 1))
        fake_logits = model.networks["D"](torch.cat([data["A"], fake], 1))
    losses = model.train_step(data)
    assert losses["D_real"].item() == pytest.approx(gan_loss("vanilla")(real_logits, True).item(), rel=1e-5)
    assert losses["D_fake"].item() == pytest.approx(gan_loss("vanilla")(fake_logits, False).item(), rel=1e-5)
    assert losses["G_L1"].item() == pytest.approx(7 * (fake - data["B"]).abs().mean().item(), rel=1e-5)
    torch.testing.assert_close(model.pictures()["fake_B"], fake)


def test_lambda_seg_adds_a_loss_of_masks_to_upstreams():
    """Also at sizes that must be padded, sigmoid(logit) is (y + 1) / 2 for a generator's output y."""
    flags = dict(norm="none", no_dropout=True, output_nc=1, lambda_seg=3.0, seg_loss="dice+2*bce")
    model = Pix2PixModel(model_options(**flags), CPU, training=True)
    data = {"A": torch.rand(2, 3, 70, 81) * 2 - 1, "B": torch.rand(2, 1, 70, 81).round() * 2 - 1}
    with torch.no_grad():
        fake, logits = generate_with_logits(model.networks["G"], data["A"])
    torch.testing.assert_close(torch.sigmoid(logits), (fake + 1) / 2)
    losses = model.train_step(data)
    assert list(losses)[:5] == ["G_GAN", "G_L1", "G_seg", "D_real", "D_fake"]
    p, truth = (fake + 1) / 2, (data["B"] + 1) / 2
    dice = 1 - 2 * (p * truth).sum() / (p + truth).sum()
    bce = torch.nn.functional.binary_cross_entropy(p, truth)
    assert losses["G_seg"].item() == pytest.approx(3 * (dice + 2 * bce).item(), rel=1e-4)
    shown = model.loss(*(model.pictures()[label] for label in ("fake_B", "real_B")))
    assert shown == {name: pytest.approx(losses[name].item(), rel=1e-4) for name in ("G_L1", "G_seg")}


def test_a_saturated_output_still_learns_from_its_logits():
    """Where tanh is exactly 1, the losses L1 and GAN have no slope, but cross-entropy on the logit has one."""
    net = torch.nn.Sequential(torch.nn.Conv2d(1, 1, 1), torch.nn.Tanh())
    net.multiple = 1
    torch.nn.init.constant_(net[0].bias, 30.0)
    fake, logits = generate_with_logits(net, torch.zeros(1, 1, 2, 2))
    assert (fake == 1).all()
    seg_loss("bce")(logits, torch.zeros(1, 1, 2, 2)).backward()
    assert net[0].bias.grad.item() == pytest.approx(2)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ({"lambda_seg": 1.0}, "--lambda_seg 1.0: it is for masks of one channel; add --output_nc 1"),
        ({"lambda_seg": 1.0, "output_nc": 1, "seg_loss": "dicee"}, "--seg_loss dicee: 'dicee' is no loss"),
        ({"seg_loss": "bce"}, "--seg_loss bce: it has no effect without --lambda_seg"),
    ],
)
def test_a_loss_of_masks_without_a_weight_or_a_mask_is_refused(flags, message):
    with pytest.raises(UserError, match=re.escape(message)):
        Pix2PixModel(model_options(**flags), CPU, training=True)


@pytest.mark.parametrize("gan_mode", GAN_LOSSES)
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_every_gan_mode_trains_with_every_norm(gan_mode, norm):
    model = Pix2PixModel(model_options(gan_mode=gan_mode, norm=norm), CPU, training=True)
    losses = model.train_step(batch())
    assert all(torch.isfinite(loss) for loss in losses.values())
    assert ("D_GP" in losses) == (gan_mode == "wgangp")


def test_a_hundred_steps_beat_the_best_constant_image():
    """On two images, the L1 loss falls well below that of the best constant image."""
    torch.manual_seed(0)
    model = Pix2PixModel(model_options(lr=2e-3, no_dropout=True, ngf=8), CPU, training=True)
    data = batch()
    data["B"] = torch.sign(torch.nn.functional.avg_pool2d(data["A"], 9, 1, 4))
    for _ in range(100):
        losses = model.train_step(data)
    assert losses["G_L1"] < 60


def test_images_of_any_size_can_be_trained_on_and_translated():
    model = Pix2PixModel(model_options(), CPU, training=True)
    model.train_step({"A": torch.rand(1, 3, 70, 81), "B": torch.rand(1, 3, 70, 81)})
    assert model.translate(torch.rand(2, 3, 70, 81)).shape == (2, 3, 70, 81)


def test_grey_images_become_masks_of_one_channel():
    model = Pix2PixModel(model_options(input_nc=1, output_nc=1), CPU, training=True)
    model.train_step({"A": torch.rand(1, 1, 64, 64), "B": torch.rand(1, 1, 64, 64)})
    assert model.translate(torch.rand(1, 1, 64, 64)).shape == (1, 1, 64, 64)


@pytest.mark.parametrize(
    ("flags", "network"),
    [
        ({"crop_size": 16}, "D"),
        ({"netD": "n_layers", "n_layers_D": 6}, "D"),
        ({"netG": "resnet_6blocks", "crop_size": 4}, "G"),
        ({"patch": 16, "preprocess": "none"}, "D"),
    ],
)
def test_crops_and_patches_too_small_for_a_network_are_refused(flags, network):
    flag = "patch" if "patch" in flags else "crop_size"
    with pytest.raises(UserError, match=f"--{flag} .*: too small for network {network}"):
        Pix2PixModel(model_options(**flags), CPU, training=True)


def test_the_optimizer_of_an_adapted_generator_holds_its_task_and_nothing_of_the_donor(tmp_path):
    donor = Pix2PixModel(model_options(), CPU, training=False).networks["G"]
    torch.save(donor.state_dict(), tmp_path / "latest_net_G.pth")
    model = Pix2PixModel(model_options(pretrained=str(tmp_path), adapt="masks", lr=0.01), CPU, training=True)
    held = [p for group in model.optimizers["G"].param_groups for p in group["params"]]
    assert {id(p) for p in held} == {id(p) for p in model.tasks["G"].parameters()}
    for _ in range(2):
        model.train_step(batch())
    frozen = {n: p for n, p in model.networks["G"].named_parameters() if n.endswith("weight.original")}
    assert len(frozen) == 10
    assert all(p.grad is None and not p.requires_grad for p in frozen.values())
    detach(model.networks["G"], model.tasks["G"])
    state = model.networks["G"].state_dict()
    assert all(torch.equal(value, state[name]) for name, value in donor.state_dict().items())
