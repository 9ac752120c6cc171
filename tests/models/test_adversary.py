"""A discriminator's side of the game."""

import pytest
import torch

from models.adversary import Adversary
from models.networks.define import define_D
from models.optim.optimizers import descend
from util.errors import UserError


@pytest.mark.parametrize(("netD", "goes_on"), [("spectral", False), ("n_layers", True)])
def test_only_a_spectral_discriminator_rests_where_it_is_right_about_almost_everything(netD, goes_on):
    torch.manual_seed(0)
    net = define_D(1, 8, netD, norm="none")
    adversary, optimizer = Adversary(net, "hinge"), torch.optim.SGD(net.parameters(), lr=0.05)
    real, fake = torch.ones(2, 1, 64, 64), -torch.ones(2, 1, 64, 64)
    learnt = []  # of each step: whether it was right about more than 80 %, and whether a weight changed
    for _ in range(60):
        before = [parameter.detach().clone() for parameter in net.parameters()]
        judged = adversary.judge(real, [fake])
        descend(optimizer, judged.objective)
        changed = any((a != b).any() for a, b in zip(before, net.parameters(), strict=True))
        learnt.append(((judged.right["real"] + judged.right["fake"]).item() / 2 > 0.8, bool(changed)))
    assert (False, True) in learnt
    assert {changed for ahead, changed in learnt if ahead} == {goes_on}


def test_an_image_that_is_too_small_for_it_is_named_by_its_size():
    for norm, size in (("batch", (20, 64)), ("batch", (16, 16)), ("instance", (20, 20))):
        adversary = Adversary(define_D(1, 4, "basic", norm=norm), "lsgan")
        with pytest.raises(UserError, match=f"needs more pixels than {size[1]} x {size[0]}, .* --netD pixel"):
            adversary.judge(torch.ones(1, 1, *size), [torch.ones(1, 1, *size)])
