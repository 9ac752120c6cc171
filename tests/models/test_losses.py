"""Losses compared with values computed by hand."""

import math

import pytest
import torch

from models import SEG_LOSSES
from models.losses import gan_loss, gradient_penalty, seg_loss
from util.errors import UserError


@pytest.mark.parametrize(
    ("mode", "real", "expected"),
    [
        ("lsgan", True, (0 + 1) / 2),  # ((1-1)^2 + (0-1)^2) / 2
        ("lsgan", False, (1 + 0) / 2),
        ("vanilla", True, (math.log(1 + math.exp(-1)) + math.log(2)) / 2),
        ("vanilla", False, (math.log(1 + math.exp(1)) + math.log(2)) / 2),
        ("wgangp", True, -0.5),
        ("wgangp", False, 0.5),
        ("hinge", True, (0 + 1) / 2),  # max(0, 1 - 1), max(0, 1 - 0)
        ("hinge", False, (2 + 1) / 2),
    ],
)
def test_gan_losses_have_the_values_computed_by_hand(mode, real, expected):
    assert gan_loss(mode)(torch.tensor([1.0, 0.0]), real).item() == pytest.approx(expected)


@pytest.mark.parametrize(
    ("mode", "of_real", "of_fakes"),
    [("lsgan", 2 / 3, 1 / 3), ("vanilla", 1.0, 0.0), ("hinge", 1.0, 0.0), ("wgangp", None, None)],
)
def test_a_logit_is_right_on_its_side_of_the_level(mode, of_real, of_fakes):
    logits = torch.tensor([0.2, 0.6, 2.0])
    for real, expected in ((True, of_real), (False, of_fakes)):
        share = gan_loss(mode).right(logits, real)
        assert share is None if expected is None else share.item() == pytest.approx(expected)


def test_the_generator_raises_the_logits_with_hinge_without_an_end():
    assert gan_loss("hinge").deceive(torch.tensor([1.0, 4.0])).item() == -2.5
    assert gan_loss("vanilla").deceive(torch.tensor([0.0])).item() == pytest.approx(math.log(2))


class Linear(torch.nn.Module):
    def __init__(self, slope: float):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor(slope))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.slope * x


@pytest.mark.parametrize(("slope", "expected"), [(0.5, 0.0), (1.0, 10.0)])
def test_the_gradient_penalty_of_a_linear_discriminator_is_known(slope, expected):
    """D(x) = slope * sum(x) over 4 pixels has a gradient of norm 2 * slope: penalty 10 * (2 * slope - 1)^2."""
    net = Linear(slope)
    penalty = gradient_penalty(net, torch.rand(3, 1, 2, 2), torch.rand(3, 1, 2, 2))
    assert penalty.item() == pytest.approx(expected, abs=1e-5)
    penalty.backward()
    assert net.slope.grad is not None


def mask(*pixels: float) -> torch.Tensor:
    """One image, one row."""
    return torch.tensor(pixels, dtype=torch.float32).reshape(1, 1, 1, -1)


def logits(*chances: float) -> torch.Tensor:
    return torch.logit(mask(*chances))


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        # chances .9 and .6 of foreground where the truth is 1 and 0: TP .9, FP .6, FN .1
        ("bce", -(math.log(0.9) + math.log(0.4)) / 2),
        ("dice", 1 - 1.8 / (1.8 + 0.6 + 0.1)),
        ("jaccard", 1 - 0.9 / (0.9 + 0.6 + 0.1)),
        ("tversky", 1 - 0.9 / (0.9 + 0.3 * 0.6 + 0.7 * 0.1)),
        ("focal", -(0.1**2 * math.log(0.9) + 0.6**2 * math.log(0.4)) / 2),
        ("dice+0.5*bce", 1 - 1.8 / 2.5 - 0.5 * (math.log(0.9) + math.log(0.4)) / 2),
        (" 2 * jaccard + .5*focal ", 2 - 1.8 / 1.6 - 0.5 * (0.01 * math.log(0.9) + 0.36 * math.log(0.4)) / 2),
    ],
)
def test_losses_of_masks_have_the_values_computed_by_hand(spec, expected):
    assert seg_loss(spec)(logits(0.9, 0.6), mask(1, 0)).item() == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize("name", SEG_LOSSES)
def test_a_perfect_mask_costs_nothing_and_a_wrong_one_about_1(name):
    truth = mask(1, 0, 0, 1)
    right = 30 * (2 * truth - 1)
    assert seg_loss(name)(right, truth).item() == pytest.approx(0, abs=1e-5)
    assert seg_loss(name)(-right, truth).item() > 0.99


@pytest.mark.parametrize("name", SEG_LOSSES)
def test_an_empty_mask_lowers_every_pixel(name):
    """Both alone, where an overlap has no slope, and beside a mask with foreground. A certain zero costs nothing."""
    for truth in (torch.zeros(1, 1, 8, 8), torch.stack([torch.zeros(1, 8, 8), torch.ones(1, 8, 8)])):
        z = torch.zeros_like(truth, requires_grad=True)
        seg_loss(name)(z, truth).backward()
        assert (z.grad[0] > 1e-3 / 64).all(), f"{name}: {z.grad[0].max()}"
    assert seg_loss(name)(torch.full((1, 1, 8, 8), -30.0), torch.zeros(1, 1, 8, 8)).item() == pytest.approx(0, abs=1e-5)


@pytest.mark.parametrize("name", SEG_LOSSES)
def test_losses_of_masks_do_not_wait_for_the_device(name):
    """Tensors on the meta device have no values, so a loss that read one would fail."""
    images = torch.empty(2, 1, 8, 8, device="meta")
    assert seg_loss(name)(images, images).shape == ()


@pytest.mark.parametrize("spec", ["", "dise", "dice+", "dice*0.5", "-1*dice", "dice-bce", "nan*dice", "0.5*dice*2"])
def test_unknown_losses_are_refused_with_the_known_ones(spec):
    with pytest.raises(UserError, match="want bce, dice, jaccard, focal, tversky, or a sum such as") as error:
        seg_loss(spec)
    assert str(error.value).startswith(f"--seg_loss {spec}:")


def test_losses_whose_weights_are_all_zero_are_refused():
    with pytest.raises(UserError, match="--seg_loss 0.dice.0.0.bce: all its weights are 0"):
        seg_loss("0*dice+0.0*bce")
