"""A step of CycleGAN, compared with results computed by hand where that is possible."""

import pytest
import torch

from models.cycle_gan import CycleGANModel
from models.files import load_networks
from models.networks.define import define_G
from tests.models.helpers import model_options
from util.errors import UserError
from util.run.checkpoint import save_networks

CPU = torch.device("cpu")


def cycle_options(**changes):
    return model_options(
        "cycle_gan",
        **{
            "norm": "instance",
            "no_dropout": True,
            "gan_mode": "lsgan",
            "netG": "resnet_6blocks",
            "crop_size": 32,
            "dataset_mode": "unaligned",
        }
        | changes,
    )


def batch(n: int = 1, size: int = 32) -> dict:
    return {"A": torch.rand(n, 3, size, size) * 2 - 1, "B": torch.rand(n, 3, size, size) * 2 - 1}


def test_a_step_trains_four_networks_and_returns_upstreams_losses():
    model = CycleGANModel(cycle_options(), CPU, training=True)
    before = {name: [p.detach().clone() for p in net.parameters()] for name, net in model.networks.items()}
    losses = model.train_step(batch(2))
    upstreams = ["D_A", "G_A", "cycle_A", "idt_A", "D_B", "G_B", "cycle_B", "idt_B"]
    assert list(losses) == [*upstreams, "acc_D_A_real", "acc_D_A_fake", "acc_D_B_real", "acc_D_B_fake"]
    assert all(loss.ndim == 0 and not loss.requires_grad for loss in losses.values())
    assert set(before) == {"G_A", "G_B", "D_A", "D_B"}
    for name, net in model.networks.items():
        assert any(not torch.equal(old, new) for old, new in zip(before[name], net.parameters(), strict=True)), name
    pictures = ["real_A", "fake_B", "rec_A", "idt_B", "real_B", "fake_A", "rec_B", "idt_A"]
    assert list(model.pictures()) == pictures


def test_losses_are_those_of_the_paper():
    """Computed before the step. The discriminators judge with old weights, because the generators step first."""
    weights = {"lambda_A": 3.0, "lambda_B": 5.0, "lambda_identity": 0.25}
    model = CycleGANModel(cycle_options(**weights), CPU, training=True)
    data, nets = batch(), model.networks
    with torch.no_grad():
        fake_B, fake_A = nets["G_A"](data["A"]), nets["G_B"](data["B"])
        expected = {
            "cycle_A": 3 * (nets["G_B"](fake_B) - data["A"]).abs().mean(),
            "cycle_B": 5 * (nets["G_A"](fake_A) - data["B"]).abs().mean(),
            "idt_A": 5 * 0.25 * (nets["G_A"](data["B"]) - data["B"]).abs().mean(),
            "idt_B": 3 * 0.25 * (nets["G_B"](data["A"]) - data["A"]).abs().mean(),
            "G_A": ((nets["D_A"](fake_B) - 1) ** 2).mean(),
            "G_B": ((nets["D_B"](fake_A) - 1) ** 2).mean(),
            "D_A": ((nets["D_A"](data["B"]) - 1) ** 2).mean() / 2 + (nets["D_A"](fake_B) ** 2).mean() / 2,
            "D_B": ((nets["D_B"](data["A"]) - 1) ** 2).mean() / 2 + (nets["D_B"](fake_A) ** 2).mean() / 2,
            "acc_D_A_real": (nets["D_A"](data["B"]) > 0.5).float().mean(),
            "acc_D_A_fake": (nets["D_A"](fake_B) <= 0.5).float().mean(),
            "acc_D_B_real": (nets["D_B"](data["A"]) > 0.5).float().mean(),
            "acc_D_B_fake": (nets["D_B"](fake_A) <= 0.5).float().mean(),
        }
    losses = model.train_step(data)
    assert losses.keys() == expected.keys()
    for name, value in expected.items():
        torch.testing.assert_close(losses[name], value, rtol=1e-4, atol=1e-6, msg=name)


def test_without_lambda_identity_no_identity_loss_is_computed():
    model = CycleGANModel(cycle_options(lambda_identity=0.0), CPU, training=True)
    assert "idt_A" not in model.train_step(batch())
    assert list(model.pictures()) == ["real_A", "fake_B", "rec_A", "real_B", "fake_A", "rec_B"]


@pytest.mark.parametrize("gan_mode", ["vanilla", "wgangp"])
def test_other_adversarial_losses_train(gan_mode):
    model = CycleGANModel(cycle_options(gan_mode=gan_mode), CPU, training=True)
    assert all(torch.isfinite(loss) for loss in model.train_step(batch()).values())


def test_grey_images_become_colour_and_back():
    """D_A sees B and D_B sees A, each with its own channels. An identity loss is impossible then."""
    model = CycleGANModel(cycle_options(input_nc=1, lambda_identity=0.0), CPU, training=True)
    model.train_step({"A": torch.rand(1, 1, 32, 32), "B": torch.rand(1, 3, 32, 32)})
    assert model.translate(torch.rand(2, 1, 32, 32)).shape == (2, 3, 32, 32)
    assert model.translate(torch.rand(2, 3, 32, 32), "G_B").shape == (2, 1, 32, 32)
    with pytest.raises(UserError, match="--lambda_identity 0.5: .* --lambda_identity 0"):
        CycleGANModel(cycle_options(input_nc=1), CPU, training=True)


def test_the_discriminator_sees_images_of_the_pool():
    model = CycleGANModel(cycle_options(pool_size=1), CPU, training=True)
    seen = []
    for _ in range(8):
        model.train_step(batch())
        newest = model.pictures()["fake_B"]
        seen.append(any(torch.equal(image, newest) for image in model.pools["D_A"].state_dict()["images"]))
    assert seen[0], "a pool that is not full keeps every fake"
    assert not all(seen), "a full pool keeps about every second fake"


def donors(tmp_path, *names: str) -> dict:
    nets = {name: define_G(3, 3, 4, "resnet_6blocks", "instance", False) for name in names}
    for name, net in nets.items():
        torch.save(net.state_dict(), tmp_path / f"latest_net_{name}.pth")
    return nets


def same(first: torch.nn.Module, second: torch.nn.Module) -> bool:
    return all(torch.equal(a, b) for a, b in zip(first.parameters(), second.parameters(), strict=True))


def test_one_donor_starts_both_generators_and_the_log_says_so(tmp_path):
    donor = donors(tmp_path, "G")["G"]
    model = CycleGANModel(cycle_options(pretrained=str(tmp_path)), CPU, training=True)
    assert same(model.networks["G_A"], donor)
    assert same(model.networks["G_B"], donor)
    notes = model.describe()
    assert f"G_A starts from {tmp_path / 'latest_net_G.pth'}" in notes
    assert f"G_B starts from {tmp_path / 'latest_net_G.pth'}" in notes


def test_a_cyclegans_other_generator_starts_g_b(tmp_path):
    nets = donors(tmp_path, "G_A", "G_B")
    model = CycleGANModel(cycle_options(pretrained=str(tmp_path)), CPU, training=True)
    assert same(model.networks["G_A"], nets["G_A"])
    assert same(model.networks["G_B"], nets["G_B"])
    model = CycleGANModel(cycle_options(pretrained=str(tmp_path), pretrained_B="same"), CPU, training=True)
    assert same(model.networks["G_B"], nets["G_A"])


def test_pretrained_b_none_starts_g_b_with_random_weights(tmp_path):
    donor = donors(tmp_path, "G")["G"]
    model = CycleGANModel(cycle_options(pretrained=str(tmp_path), pretrained_B="none"), CPU, training=True)
    assert same(model.networks["G_A"], donor)
    assert not same(model.networks["G_B"], donor)
    assert "G_B has random weights" in model.describe()


def test_pretrained_b_names_another_donor_for_g_b(tmp_path):
    (tmp_path / "other").mkdir()
    donors(tmp_path, "G")
    other = donors(tmp_path / "other", "G")["G"]
    opt = cycle_options(pretrained=str(tmp_path), pretrained_B=str(tmp_path / "other"))
    assert same(CycleGANModel(opt, CPU, training=True).networks["G_B"], other)


def test_a_donor_for_g_b_needs_one_for_g_a_and_errors_name_its_flag(tmp_path):
    donors(tmp_path, "G")
    with pytest.raises(UserError, match="--pretrained_B same: it has no effect without --pretrained"):
        CycleGANModel(cycle_options(pretrained_B="same"), CPU, training=True)
    CycleGANModel(cycle_options(pretrained_B="same", continue_train=True), CPU, training=True)
    with pytest.raises(UserError, match="--pretrained_B nothing: neither"):
        CycleGANModel(cycle_options(pretrained=str(tmp_path), pretrained_B="nothing"), CPU, training=True)


def test_companions_are_the_cycles_that_a_tests_images_allow():
    model = CycleGANModel(cycle_options(), CPU, training=False)
    data = batch()
    shown = model.companions(data)
    assert list(shown) == ["rec_A", "fake_A", "rec_B"]
    torch.testing.assert_close(shown["rec_A"], model.networks["G_B"](model.translate(data["A"])))
    assert list(model.companions({"A": data["A"]})) == ["rec_A"]


def test_crops_too_small_for_a_network_are_refused():
    with pytest.raises(UserError, match="--crop_size 8: too small for network"):
        CycleGANModel(cycle_options(crop_size=8), CPU, training=True)


def test_instance_noise_reaches_only_the_discriminators():
    """Noise that hides the images changes every loss of a discriminator and no loss of a cycle."""
    data, losses = batch(), {}
    for noise in (0.0, 50.0):
        torch.manual_seed(0)
        model = CycleGANModel(cycle_options(instance_noise=noise), CPU, training=True)
        losses[noise] = model.train_step(data)
        assert model.pictures()["real_B"].abs().max() <= 1
        assert model.pictures()["fake_B"].abs().max() <= 1
    for name in ("cycle_A", "cycle_B", "idt_A", "idt_B"):
        assert torch.equal(losses[0.0][name], losses[50.0][name])
    for name in ("D_A", "D_B", "G_A", "G_B"):
        assert not torch.equal(losses[0.0][name], losses[50.0][name])


def test_a_generator_of_other_channels_is_explained_in_the_terms_of_the_flags(tmp_path):
    """The channels of G_B are those of the flags, the other way round."""
    grey = cycle_options(output_nc=1)
    save_networks(tmp_path, "latest", {"G_B": CycleGANModel(grey, CPU, training=False).networks["G_B"]})
    model = CycleGANModel(cycle_options(), CPU, training=False)
    save_networks(tmp_path, "latest", {"G_A": model.networks["G_A"]})
    with pytest.raises(UserError, match=r"G_B.pth: .* --input_nc 3 --output_nc 1 .*: change --output_nc$"):
        load_networks(model, tmp_path, "latest", cycle_options())
