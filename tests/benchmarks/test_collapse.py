"""The averages that the benchmark computes equal those that batch norm keeps, and its scores are right."""

import pytest
import torch
from torch import nn

from benchmarks.collapse import KERAS, TORCH, KimUnet, averages, fit, probabilities, put, scores, starts


@pytest.fixture
def lungs():
    generator = torch.Generator().manual_seed(0)
    images = torch.rand(20, 1, 16, 16, generator=generator) * 2 - 1
    return images, (images > 0.4).float()


def small_net(norm: type[nn.Module] = nn.BatchNorm2d) -> nn.Module:
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), norm(4), nn.ReLU(), nn.Conv2d(4, 1, 1), nn.Tanh())
    net.multiple = 1
    return net


def test_the_network_has_as_many_weights_as_the_papers_notebook_prints():
    net = KimUnet()
    assert sum(weight.numel() for weight in net.parameters()) == 1_927_841
    assert net(torch.zeros(2, 1, 16, 24)).shape == (2, 1, 16, 24)


@pytest.mark.parametrize("momentum", [KERAS, TORCH])
def test_averages_computed_after_training_equal_those_that_batch_norm_keeps(lungs, momentum):
    class Stubborn(nn.BatchNorm2d):  # its momentum cannot be changed
        pass

    Stubborn.momentum = property(lambda self: momentum, lambda self, value: None)

    net, plain = small_net(), small_net(Stubborn)
    begun = [average.clone() for average in averages(net)]
    torch.manual_seed(1)
    moved = fit(net, *lungs, epochs=3)[momentum]
    put(averages(net), [(1 - momentum) ** 6 * begin + x for begin, x in zip(begun, moved, strict=True)])
    torch.manual_seed(1)
    fit(plain, *lungs, epochs=3)
    torch.testing.assert_close(averages(net), averages(plain))
    torch.testing.assert_close(probabilities(net, lungs[0], "running"), probabilities(plain, lungs[0], "running"))


def test_the_contracting_path_can_begin_with_averages_of_brighter_images(lungs):
    net = nn.ModuleDict({"down": small_net(), "up": small_net()})
    net.forward = lambda x: net["up"](net["down"](x))
    net.multiple = 1
    begun = starts(net, lungs[0])
    zero, one = torch.zeros(4), torch.ones(4)
    torch.testing.assert_close(begun["0 and 1"], [zero, one, zero, one])
    torch.testing.assert_close(begun["0..255"][2:], [zero, one])
    assert begun["0..255"][1].min() > 1000  # the variance grows by 255 squared


def test_a_low_probability_everywhere_scores_as_an_empty_mask_except_in_the_papers_dice():
    truths = torch.zeros(2, 1, 10, 10)
    truths[:, :, :5, :5] = 1  # a quarter
    soft, hard, accuracy = scores(torch.full_like(truths, 0.05), truths)
    assert (hard, accuracy) == (0, 0.75)
    assert soft == pytest.approx(2 * 0.25 * 0.05 / (0.25 + 0.05))
