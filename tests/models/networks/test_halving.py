"""The U-Net's convolutions give what torch's own give, however they are computed."""

import pytest
import torch
from torch import nn

from models.networks.define import define_G
from models.networks.halving import FEW, Double, Halve


def gradients_of(layer: nn.Module, images: torch.Tensor) -> list[torch.Tensor]:
    """What a layer makes of images, and the gradients of images, weights and bias."""
    images = images.detach().clone().requires_grad_(True)
    answers = layer(images)
    slopes = torch.linspace(-1, 1, answers.numel()).reshape(answers.shape)
    return [answers, *torch.autograd.grad((answers * slopes).sum(), [images, *layer.parameters()])]


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("shape", [(1, 4, 2, 2), (2, 4, 6, 4), (1, 4, 7, 5), (3, 4, 64, 64)])
def test_halving_and_doubling_are_convolutions_and_have_their_gradients(shape, bias):
    torch.manual_seed(0)
    images = torch.randn(shape)
    pairs = (
        (Halve(4, 6, bias), nn.Conv2d(4, 6, 4, stride=2, padding=1, bias=bias)),
        (Double(4, 6, bias), nn.ConvTranspose2d(4, 6, 4, stride=2, padding=1, bias=bias)),
    )
    for ours, usual in pairs:
        usual.load_state_dict(ours.state_dict())
        for own, other in zip(gradients_of(ours, images), gradients_of(usual, images), strict=True):
            torch.testing.assert_close(own, other, atol=1e-4, rtol=1e-4)


def test_only_a_small_image_in_training_takes_the_product_of_matrices(monkeypatch):
    taken = []
    monkeypatch.setattr("models.networks.halving.F.unfold", lambda *args, **kwargs: taken.append(args) or 1 / 0)
    layer, side = Halve(1, 1), int(FEW**0.5)
    layer(torch.zeros(1, 1, 2 * side + 2, 2 * side + 2))
    layer.eval()(torch.zeros(1, 1, 2, 2))
    assert not taken
    with pytest.raises(ZeroDivisionError):
        layer.train()(torch.zeros(1, 1, 2 * side, 2 * side))


def test_a_unet_keeps_upstreams_keys_and_gradients_reach_all_its_weights():
    net = define_G(3, 3, 4, "unet_64", "batch", dropout=False)
    assert "model.model.1.model.1.weight" in net.state_dict()
    net(torch.randn(1, 3, 64, 64)).mean().backward()
    assert all(parameter.grad is not None for parameter in net.parameters())
