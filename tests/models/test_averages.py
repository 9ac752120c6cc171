"""Moving averages of weights: the arithmetic, the exchange, and saving."""

import copy

import pytest
import torch

from models.averages import Average, Averages
from models.cycle_gan import CycleGANModel
from models.piggyback.task import Settings, attach
from tests.models.helpers import model_options


class Weight:
    """Stands in for a network: one number and a counter."""

    def __init__(self, value: float):
        self.tensors = {"weight": torch.tensor([value]), "batches": torch.tensor(0)}

    def state_dict(self) -> dict[str, torch.Tensor]:
        return self.tensors

    def step_to(self, value: float) -> None:
        self.tensors["weight"].fill_(value)
        self.tensors["batches"] += 1

    @property
    def value(self) -> float:
        return self.tensors["weight"].item()


def test_the_average_of_three_steps_is_the_one_computed_by_hand():
    """It begins with the first step. The next two steps keep 2/11 and 3/12 of it, but never more than the decay."""
    for decay, expected in ((0.9, 3 / 12 * (2 / 11 * 1 + 9 / 11 * 2) + 9 / 12 * 5), (0.1, 0.1 * 1.9 + 0.9 * 5)):
        weight = Weight(7.0)
        average = Average(weight, decay)
        for value in (1.0, 2.0, 5.0):
            weight.step_to(value)
            average.update()
        assert weight.value == 5
        average.swap()
        assert weight.value == pytest.approx(expected)
        assert weight.tensors["batches"] == 3
        average.swap()
        assert weight.value == 5


def test_before_the_first_step_swap_does_nothing():
    weight = Weight(7.0)
    average = Average(weight, 0.9)
    average.swap()
    assert weight.value == 7
    again = Average(Weight(7.0), 0.9)
    again.load_state_dict(average.state_dict())
    assert again.steps == 0


def test_a_resumed_average_goes_on_with_the_same_bits():
    """train.py exchanges weights and average, saves both, and exchanges them back."""
    weight = Weight(0.0)
    average = Average(weight, 0.9)
    for value in (0.1, 0.7, -0.3):
        weight.step_to(value)
        average.update()
    average.swap()
    network, state = copy.deepcopy((weight, average.state_dict()))
    average.swap()

    again = Average(network, 0.9)
    again.load_state_dict(state)
    assert network.value == weight.value
    for one, its_average in ((weight, average), (network, again)):
        one.step_to(0.4)
        its_average.update()
        its_average.swap()
    assert network.value == weight.value


def test_generators_are_averaged_and_discriminators_are_not():
    model = CycleGANModel(model_options("cycle_gan"), torch.device("cpu"), training=True)
    assert list(Averages(model, 0.9)) == ["G_A", "G_B"]
    assert not Averages(model, 0.0)


def test_of_an_adapted_generator_only_the_task_is_averaged():
    """The donor does not change. The real values of masks are averaged before the cutoff."""
    model = CycleGANModel(model_options("cycle_gan"), torch.device("cpu"), training=True)
    net = model.networks["G_A"]
    task = model.tasks["G_A"] = attach(net, Settings("masks"))
    averages = Averages(model, 0.5)
    name = next(iter(task.adapters))
    values = dict(task.adapters[name].named_parameters())
    (key,) = values
    frozen = {name: p.detach().clone() for name, p in net.named_parameters() if name.endswith("original")}
    averages.step()
    values[key].data.fill_(-1.0)
    averages.step()
    with averages.in_place():
        average = task.state_dict()[f"{name}.{key}"].clone()
    assert torch.allclose(average, torch.full_like(values[key], 2 / 11 * 1e-2 - 9 / 11))
    assert all(torch.equal(p, frozen[name]) for name, p in net.named_parameters() if name in frozen)
