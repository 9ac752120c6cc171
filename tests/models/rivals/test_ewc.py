"""Elastic weight consolidation, on networks so small that its figures can be computed by hand."""

from typing import Any

import pytest
import torch
from torch import nn

from models.networks.generator import Generator
from models.rivals.ewc import Ewc, fisher

CPU = torch.device("cpu")


class Line(Generator):
    """y = tanh(slope * x + shift), for images of any size."""

    multiple = 1

    def __init__(self, slope: float, shift: float):
        super().__init__()
        self.slope, self.shift = nn.Parameter(torch.tensor(slope)), nn.Parameter(torch.tensor(shift))
        self.last = nn.Identity()  # no Tanh: the network is linear

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        return self.last(self.slope * images + self.shift)


def example(x: float, y: float) -> Any:
    return {"A": torch.full((1, 2, 2), x), "B": torch.full((1, 2, 2), y)}


def half_square(fake, target):
    return {"G_L1": ((fake - target) ** 2).mean() / 2}


def test_the_fisher_information_is_the_mean_square_of_the_gradients():
    """The gradients of (slope x + shift - y)^2 / 2 are e x and e, with the error e: here 1 x 1, 1; then -2 x 3, -2."""
    net = Line(2.0, 0.0)
    measured = fisher(net, [example(1.0, 1.0), example(3.0, 8.0)], half_square, "image", CPU)
    assert {name: value.item() for name, value in measured.items()} == {"slope": (1 + 36) / 2, "shift": (1 + 4) / 2}
    assert net.slope.grad is None


def test_without_examples_there_is_no_fisher_information():
    with pytest.raises(ValueError, match="no examples"):
        fisher(Line(1.0, 0.0), [], half_square, "image", CPU)


def test_the_penalty_is_half_the_stiffness_times_the_squared_distance():
    net = Line(2.0, 1.0)
    start = {"slope": torch.tensor(1.5), "shift": torch.tensor(3.0)}
    held = Ewc(net, start, {"slope": torch.tensor(4.0), "shift": torch.tensor(10.0)}, weight=3.0)
    loss = held.losses(torch.empty(0), torch.empty(0))["G_EWC"]
    assert loss.item() == pytest.approx(3 / 2 * (4 * 0.5**2 + 10 * 2**2))
    slopes = torch.autograd.grad(loss, (net.slope, net.shift))
    assert [slope.item() for slope in slopes] == pytest.approx([3 * 4 * 0.5, 3 * 10 * -2])


@pytest.mark.parametrize(("weight", "slope"), [(0.0, 5.0), (1.0, 3.5), (1e6, 2.0)])
def test_the_minimum_lies_between_the_new_task_and_the_donor(weight, slope):
    """(s - 5)^2 / 2 + weight / 2 (s - 2)^2 is smallest at (5 + 2 weight) / (1 + weight)."""
    net = Line(2.0, 0.0)
    held = Ewc(net, {"slope": torch.tensor(2.0)}, {"slope": torch.tensor(1.0)}, weight)
    optimizer = torch.optim.SGD([net.slope], lr=1 / (1 + weight))  # one step of Newton
    loss = half_square(net(torch.ones(1, 1, 1, 1)), torch.full((1, 1, 1, 1), 5.0))["G_L1"]
    (loss + held.losses(torch.empty(0), torch.empty(0))["G_EWC"]).backward()
    optimizer.step()
    assert net.slope.item() == pytest.approx(slope, abs=1e-5)
    assert net.shift.item() == 0


def test_three_tasks_in_a_sequence_end_where_all_of_them_together_would():
    """The tasks' losses h / 2 (s - c)^2 have the Fisher information h (their curvature). Their sum is smallest at the
    mean of c, weighted by h. One penalty at the latest weights, with the sum of F, comes to the same place.

    With a penalty where each task's run ended, the first task would count twice: that comes to 1.34 and not to 1.62.
    """
    net, tasks = Line(0.0, 0.0), [(1.0, 2.0), (3.0, 5.0), (4.0, -1.0)]
    stiffness, found = torch.tensor(0.0), []
    for curvature, best in tasks:
        held = Ewc(net, {"slope": net.slope.detach().clone()}, {"slope": stiffness}, weight=1.0)
        optimizer = torch.optim.SGD([net.slope], lr=1 / (curvature + stiffness.item()))  # one step of Newton
        loss = curvature * half_square(net(torch.ones(1, 1, 1, 1)), torch.full((1, 1, 1, 1), best))["G_L1"]
        (loss + held.losses(torch.empty(0), torch.empty(0))["G_EWC"]).backward()
        optimizer.step()
        net.zero_grad()
        stiffness = stiffness + curvature
        found.append(net.slope.item())
    assert found == pytest.approx([2.0, (2 + 15) / 4, (2 + 15 - 4) / 8])
