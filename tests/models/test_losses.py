"""Adversarial losses against values worked out by hand."""

import math

import pytest
import torch

from models.losses import GAN_LOSSES, gradient_penalty


@pytest.mark.parametrize(
    ("mode", "real", "expected"),
    [
        ("lsgan", True, (0 + 1) / 2),  # ((1-1)^2 + (0-1)^2) / 2
        ("lsgan", False, (1 + 0) / 2),
        ("vanilla", True, (math.log(1 + math.exp(-1)) + math.log(2)) / 2),
        ("vanilla", False, (math.log(1 + math.exp(1)) + math.log(2)) / 2),
        ("wgangp", True, -0.5),
        ("wgangp", False, 0.5),
    ],
)
def test_values(mode, real, expected):
    assert GAN_LOSSES[mode](torch.tensor([1.0, 0.0]), real).item() == pytest.approx(expected)


class Linear(torch.nn.Module):
    def __init__(self, slope: float):
        super().__init__()
        self.slope = torch.nn.Parameter(torch.tensor(slope))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.slope * x


@pytest.mark.parametrize(("slope", "expected"), [(0.5, 0.0), (1.0, 10.0)])
def test_gradient_penalty(slope, expected):
    """D(x) = slope * sum(x) over 4 pixels has a gradient of norm 2 * slope: penalty 10 * (2 * slope - 1)^2."""
    net = Linear(slope)
    penalty = gradient_penalty(net, torch.rand(3, 1, 2, 2), torch.rand(3, 1, 2, 2))
    assert penalty.item() == pytest.approx(expected, abs=1e-5)
    penalty.backward()
    assert net.slope.grad is not None
