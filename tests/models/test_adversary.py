"""A discriminator's side of the game."""

import pytest
import torch

from models.adversary import Adversary
from models.networks.define import define_D
from util.errors import UserError


def test_an_image_that_is_too_small_for_it_is_named_by_its_size():
    for norm, size in (("batch", (20, 64)), ("batch", (16, 16)), ("instance", (20, 20))):
        adversary = Adversary(define_D(1, 4, "basic", norm=norm), "lsgan")
        with pytest.raises(UserError, match=f"needs more pixels than {size[1]} x {size[0]}, .* --netD pixel"):
            adversary.judge(torch.ones(1, 1, *size), [torch.ones(1, 1, *size)])
