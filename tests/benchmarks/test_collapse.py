"""The averages that the benchmark collects on the side are batch norm's own, and its scores are those it names."""

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


def test_the_notebooks_network_has_as_many_weights_as_it_printed():
    net = KimUnet()
    assert sum(weight.numel() for weight in net.parameters()) == 1_927_841
    assert net(torch.zeros(2, 1, 16, 24)).shape == (2, 1, 16, 24)


@pytest.mark.parametrize("momentum", [KERAS, TORCH])
def test_averages_put_together_afterwards_are_those_batch_norm_would_have_kept(lungs, momentum):
    class Stubborn(nn.BatchNorm2d):  # whose momentum nobody changes
        pass

    Stubborn.momentum = property(lambda self: momentum, lambda self, value: None)

    net, plain = small_net(), small_net(Stubborn)
    begun = [average.clone() for average in averages(net)]
    torch.manual_seed(1)
    found = fit(net, *lungs, epochs=3)[momentum]
    put(averages(net), [(1 - momentum) ** 6 * begin + x for begin, x in zip(begun, found, strict=True)])
    torch.manual_seed(1)
    fit(plain, *lungs, epochs=3)
    torch.testing.assert_close(averages(net), averages(plain))
    torch.testing.assert_close(probabilities(net, lungs[0], "running"), probabilities(plain, lungs[0], "running"))


def test_a_contracting_path_may_begin_with_averages_of_brighter_images(lungs):
    net = nn.ModuleDict({"down": small_net(), "up": small_net()})
    net.forward = lambda x: net["up"](net["down"](x))
    net.multiple = 1
    begun = starts(net, lungs[0])
    zero, one = torch.zeros(4), torch.ones(4)
    torch.testing.assert_close(begun["0 and 1"], [zero, one, zero, one])
    torch.testing.assert_close(begun["0..255"][2:], [zero, one])
    assert begun["0..255"][1].min() > 1000  # the variance grows by 255 squared


def test_a_network_that_says_p_everywhere_has_the_accuracy_of_an_empty_mask():
    truths = torch.zeros(2, 1, 10, 10)
    truths[:, :, :5, :5] = 1  # a quarter
    soft, hard, accuracy = scores(torch.full_like(truths, 0.05), truths)
    assert (hard, accuracy) == (0, 0.75)
    assert soft == pytest.approx(2 * 0.25 * 0.05 / (0.25 + 0.05))
