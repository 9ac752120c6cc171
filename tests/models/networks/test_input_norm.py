"""Images scaled for networks that were trained on another scale."""

import pytest
import torch

from models.networks.define import define_G


@pytest.mark.parametrize(
    ("name", "black", "grey"), [("signed", -1.0, 0.0), ("unit", 0.0, 0.5), ("imagenet", -0.449 / 0.226, 0.051 / 0.226)]
)
def test_input_norm_scales_black_and_grey(name, black, grey):
    net = define_G(1, 1, 4, "unet_64", input_norm=name)
    seen = []
    net.model.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    images = torch.zeros(1, 1, 64, 64)
    images[..., :32] = -1
    net(images)
    torch.testing.assert_close(seen[0][0, 0, 0, 0].item(), black, rtol=0, atol=1e-6)
    torch.testing.assert_close(seen[0][0, 0, 0, -1].item(), grey, rtol=0, atol=1e-6)
    assert net.state_dict().keys() == define_G(1, 1, 4, "unet_64").state_dict().keys()


def test_zscore_normalises_each_image_by_itself():
    net = define_G(1, 1, 4, "unet_64", input_norm="zscore")
    noise = torch.rand(1, 9, 9)
    seen = net.input_norm(torch.stack([noise, 0.1 * noise - 0.7, torch.full((1, 9, 9), 0.3)]))
    torch.testing.assert_close(seen.mean((1, 2, 3)), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(seen.std((1, 2, 3), unbiased=False), torch.tensor([1.0, 1.0, 0.0]), rtol=0, atol=1e-4)
