"""Optimizers by their flags; encoders with a rate of their own or frozen; clipped gradients."""

import pytest
import torch
from torch import nn

from models.optim.optimizers import check_encoder_flags, clip_gradients, create_optimizer, freeze_encoders
from tests.models.helpers import model_options
from util.errors import UserError


class Net(nn.Module):
    def __init__(self):
        super().__init__()
        self.encoder = nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(2), nn.Dropout(0.5))
        self.decoder = nn.Conv2d(2, 1, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.decoder(self.encoder(x))


def one(**flags: object) -> tuple[nn.Parameter, torch.optim.Optimizer]:
    parameter = nn.Parameter(torch.tensor([2.0]))
    return parameter, create_optimizer(model_options(lr=0.1, **flags), [parameter])


@pytest.mark.parametrize(
    ("flags", "after"),
    [
        # the gradient is 3; Adam's first step is as large as the learning rate, SGD's is the rate times the gradient
        ({}, 2 - 0.1),
        ({"optimizer": "adamw"}, 2 * (1 - 0.1 * 0.01) - 0.1),
        ({"optimizer": "adamw", "weight_decay": 0.5}, 2 * (1 - 0.1 * 0.5) - 0.1),
        ({"optimizer": "sgd"}, 2 - 0.1 * 3),
        ({"optimizer": "sgd", "weight_decay": 0.5}, 2 - 0.1 * (3 + 0.5 * 2)),
    ],
)
def test_the_first_step_is_the_one_computed_by_hand(flags, after):
    parameter, optimizer = one(**flags)
    parameter.grad = torch.tensor([3.0])
    optimizer.step()
    assert parameter.item() == pytest.approx(after, rel=1e-6)


def test_beta1_is_the_momentum_of_sgd():
    parameter, optimizer = one(optimizer="sgd", beta1=0.9)
    for _ in range(2):
        parameter.grad = torch.tensor([1.0])
        optimizer.step()
    assert parameter.item() == pytest.approx(2 - 0.1 - 0.1 * 1.9)


def test_the_default_is_upstreams_adam():
    _, optimizer = one()
    (group,) = optimizer.param_groups
    assert type(optimizer) is torch.optim.Adam
    assert (group["betas"], group["eps"], group["weight_decay"], group["amsgrad"]) == ((0.5, 0.999), 1e-8, 0, False)


def test_lr_encoder_gives_the_encoder_a_learning_rate_of_its_own():
    net = Net()
    optimizer = create_optimizer(model_options(lr=0.1, lr_encoder=0.01), net.parameters(), net.encoder.parameters())
    rates = {id(p): group["lr"] for group in optimizer.param_groups for p in group["params"]}
    assert {rates[id(p)] for p in net.encoder.parameters()} == {0.01}
    assert {rates[id(p)] for p in net.decoder.parameters()} == {0.1}
    assert len(rates) == len(list(net.parameters()))


def test_a_frozen_encoder_keeps_its_weights_and_statistics():
    torch.manual_seed(0)
    net = Net().train()
    optimizer = create_optimizer(model_options(optimizer="adamw"), net.parameters())
    start = {name: tensor.clone() for name, tensor in net.encoder.state_dict().items()}
    for epoch in (1, 2, 3):
        freeze_encoders({"G": net}, epoch, 2)
        optimizer.zero_grad()
        net(torch.rand(4, 1, 8, 8)).square().mean().backward()
        before = net.decoder.weight.detach().clone()
        optimizer.step()
        assert not torch.equal(before, net.decoder.weight)
        same = [torch.equal(tensor, start[name]) for name, tensor in net.encoder.state_dict().items()]
        assert all(same) if epoch <= 2 else not any(same)


def test_gradients_are_clipped_to_one_norm_over_all_parameters():
    pair = [nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = create_optimizer(model_options(optimizer="sgd", lr=1.0), pair)
    clip_gradients([optimizer], 0.0)
    clip_gradients([optimizer], 1.0)
    for gradients, expected in (((3.0, 4.0), (-0.6, -0.8)), ((0.3, 0.4), (-0.3, -0.4))):
        for parameter, gradient in zip(pair, gradients, strict=True):
            parameter.data.zero_()
            parameter.grad = torch.tensor([gradient])
        optimizer.state.clear()
        optimizer.step()
        assert [p.item() for p in pair] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(
    ("flags", "networks", "message"),
    [
        ({"lr_encoder": 0.0}, {"D": nn.Conv2d(1, 1, 1)}, "--lr_encoder 0.0: --netG unet_64 has no separate encoder"),
        ({"freeze_encoder": 3}, {}, "--freeze_encoder 3: --netG unet_64 has no separate encoder"),
        ({"freeze_encoder": 3, "adapt": "masks"}, {"G": Net()}, "--freeze_encoder 3: --adapt masks never trains"),
    ],
)
def test_flags_of_encoders_are_refused_where_no_encoder_is_trained(flags, networks, message):
    with pytest.raises(UserError, match=message):
        check_encoder_flags(model_options(**flags), networks)
    check_encoder_flags(model_options(), networks)
