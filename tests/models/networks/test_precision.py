"""Training in bfloat16 (`--amp`): what is computed in it, and what never is."""

from typing import cast

import pytest
import torch

from models import create_model
from tests.models.helpers import model_options
from util.contracts import Batch

CPU = torch.device("cpu")


def kinds_inside(net: torch.nn.Module, images: torch.Tensor) -> set[torch.dtype]:
    """The types of the numbers that come out of a network's convolutions."""
    kinds = set()
    convolutions = [module for module in net.modules() if isinstance(module, torch.nn.Conv2d)]
    hooks = [layer.register_forward_hook(lambda _, __, answers: kinds.add(answers.dtype)) for layer in convolutions]
    net(images)
    for hook in hooks:
        hook.remove()
    return kinds


def test_layers_compute_in_bfloat16_only_while_they_train_and_all_else_is_float32():
    model = create_model(model_options(amp=True), CPU, training=True)
    net, images = model.networks["G"], torch.rand(1, 3, 64, 64)
    assert torch.bfloat16 in kinds_inside(net, images)  # the layers of the fewest pixels are faster in float32
    assert net(images).dtype == torch.float32
    with torch.no_grad():
        assert model.translate(images).dtype == torch.float32
    assert kinds_inside(net.eval(), images) == {torch.float32}
    net.train()
    losses = model.train_step(cast(Batch, {"A": images, "B": images}))
    assert {loss.dtype for loss in losses.values()} == {torch.float32}
    assert {parameter.dtype for parameter in net.parameters()} == {torch.float32}


@pytest.mark.parametrize(
    ("model", "changes"),
    [
        ("pix2pix", {"gan_mode": "wgangp"}),
        ("pix2pix", {"output_nc": 1, "lambda_seg": 1.0, "norm": "instance"}),
        ("pix2pix", {"norm_stats": "image"}),
        ("cycle_gan", {"netG": "resnet_6blocks"}),
        ("supervised", {"output_nc": 1, "netG": "unet_ronneberger"}),
    ],
)
def test_a_step_in_bfloat16_gives_nearly_the_losses_of_float32(model, changes):
    torch.manual_seed(0)
    opt, steps = model_options(model, **changes), []
    shown, target = torch.rand(1, opt.input_nc, 64, 64), torch.rand(1, opt.output_nc, 64, 64).round()
    images = cast(Batch, {"A": shown * 2 - 1, "B": target * 2 - 1})
    for amp in (False, True):
        torch.manual_seed(1)
        trained = create_model(model_options(model, amp=amp, **changes), CPU, training=True)
        torch.manual_seed(2)
        steps.append(trained.train_step(images))
    for name, loss in steps[0].items():
        if not name.startswith("acc_"):
            torch.testing.assert_close(steps[1][name], loss, rtol=0.05, atol=0.05, msg=name)


def test_train_py_says_that_a_cpu_without_amx_is_slower_with_it(monkeypatch, capsys):
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"avx2": True})
    create_model(model_options(amp=True), CPU, training=True)
    assert "--amp: this processor has no AMX" in capsys.readouterr().out
    monkeypatch.setattr(torch.cpu, "get_capabilities", lambda: {"amx_bf16": True})
    create_model(model_options(amp=True), CPU, training=True)
    assert "AMX" not in capsys.readouterr().out
