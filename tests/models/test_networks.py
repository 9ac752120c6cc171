"""The networks are upstream's: same keys, shapes and counts, and they work at the sizes users have."""

import pytest
import torch

from data.read.images import read_image
from data.transforms import to_network
from models.base import generate
from models.networks import DISCRIMINATORS, GENERATORS, INITS, NORMS, define_D, define_G, widths_of


def size(net: torch.nn.Module) -> tuple[int, int]:
    return len(net.state_dict()), sum(parameter.numel() for parameter in net.parameters())


@pytest.mark.parametrize(
    ("netG", "norm", "expected"),
    [
        ("unet_256", "batch", (82, 54_413_955)),
        ("unet_128", "batch", (70, 41_828_995)),
        ("resnet_9blocks", "instance", (48, 11_378_179)),
        ("resnet_9blocks", "batch", (140, 11_383_427)),
        ("resnet_6blocks", "instance", (36, 7_837_699)),
    ],
)
def test_tensors_and_parameters_are_upstreams(netG, norm, expected):
    """Counts of upstream's own checkpoints (ngf 64, colour to colour)."""
    assert size(define_G(3, 3, 64, netG, norm)) == expected


def test_patch_discriminator_is_upstreams():
    net = define_D(6, 64, "basic")
    assert size(net) == (22, 2_768_705)
    assert {key.split(".")[1] for key in net.state_dict()} == {"0", "2", "3", "5", "6", "8", "9", "11"}


def test_pixel_discriminator_keys():
    assert {key.split(".")[1] for key in define_D(6, 8, "pixel").state_dict()} == {"0", "2", "3", "5"}


def test_unet_keys():
    keys = define_G(3, 3, 4, "unet_256", "batch").state_dict().keys()
    for key in (
        "model.model.0.weight",
        "model.model.1.model.1.weight",
        "model.model.1.model.2.running_mean",
        "model.model.1.model.3.model.5.weight",
        "model.model.3.bias",
    ):
        assert key in keys
    assert "model.model.0.bias" not in keys  # batch norm follows
    assert "model.model.0.bias" in define_G(3, 3, 4, "unet_256", "instance").state_dict()


@pytest.mark.parametrize(("dropout", "second"), [(True, "6"), (False, "5")])
def test_dropout_shifts_the_resnets_second_convolution(dropout, second):
    keys = define_G(3, 3, 4, "resnet_6blocks", "instance", dropout).state_dict()
    assert {key.split(".")[3] for key in keys if "conv_block" in key} == {"1", second}


def test_dropout_leaves_no_trace_in_a_unet():
    with_it, without = (define_G(3, 3, 4, "unet_128", "batch", dropout) for dropout in (True, False))
    assert list(with_it.state_dict()) == list(without.state_dict())


def test_real_upstream_checkpoint_loads_strictly(real_data):
    path = real_data / "weights/facades_photo2label_upstream_unet256_ngf16_latest_net_G.pth"
    define_G(3, 3, 16, "unet_256", "batch").load_state_dict(torch.load(path, weights_only=True), strict=True)


def horse2zebra(real_data) -> torch.nn.Module:
    """GAN Compression's generator from its own weights."""
    path = real_data / "weights/horse2zebra_gancompression_mobile_resnet9_latest_net_G.pth"
    state = torch.load(path, weights_only=True)
    net = define_G(3, 3, 64, "mobile_resnet_9blocks", "instance", False, widths=widths_of(state))
    net.load_state_dict(state, strict=True)
    return net.eval()


def test_a_real_mobile_resnet_has_the_widths_its_search_left(real_data):
    net = horse2zebra(real_data)
    assert size(net) == (84, 356_867)
    assert widths_of(net.state_dict()) == (16, 32, 128, 64, 64, 64, 128, 128, 128, 128, 128, 128, 32, 16)


def test_a_real_horse_gets_stripes(real_data):
    """Mean, spread and mean absolute step from pixel to pixel of what it made, stored when the pictures were looked
    at: the stripes are in them."""
    expected = {"002": (0.0533, 0.5300, 0.1008), "003": (-0.1323, 0.4611, 0.0997)}
    for name, statistics in expected.items():
        image = to_network(read_image(real_data / f"horse2zebra/testA/{name}.jpeg"), 3)[None]
        with torch.no_grad():
            zebra = horse2zebra(real_data)(image)
        step = (zebra[..., 1:] - zebra[..., :-1]).abs().mean()
        found = (zebra.mean().item(), zebra.std().item(), step.item())
        assert found == pytest.approx(statistics, abs=2e-3), name


def test_uniform_widths_are_the_plain_resnets():
    plain, mobile = (define_G(3, 3, 5, f"{kind}resnet_9blocks", "instance", False) for kind in ("", "mobile_"))
    assert widths_of(mobile.state_dict()) == (5, 10, 20, *[20] * 9, 10, 5)
    assert widths_of(plain.state_dict()) is None
    assert size(mobile)[1] < size(plain)[1] / 3


def test_dropout_leaves_no_trace_in_a_mobile_resnet():
    nets = [define_G(3, 3, 4, "mobile_resnet_9blocks", "batch", dropout) for dropout in (True, False)]
    assert list(nets[0].state_dict()) == list(nets[1].state_dict())


@pytest.mark.parametrize("netG", GENERATORS)
@pytest.mark.parametrize("norm", ["batch", "instance", "none"])
def test_any_image_size(netG, norm):
    """`generate` pads what the network cannot divide and crops it back, and gradients reach the image."""
    net = define_G(1, 3, 2, netG, norm).eval()
    image = torch.rand(1, 1, 70, 90, requires_grad=True)
    out = generate(net, image)
    assert out.shape == (1, 3, 70, 90)
    assert out.abs().max() <= 1
    out.sum().backward()
    assert image.grad.abs().sum() > 0


def test_padding_does_not_touch_sizes_that_fit():
    net = define_G(1, 1, 2, "unet_64", "none").eval()
    image = torch.rand(2, 1, 64, 128)
    assert torch.equal(generate(net, image), net(image))


@pytest.mark.parametrize("netD", DISCRIMINATORS)
def test_discriminators_return_a_map_of_logits(netD):
    out = define_D(4, 4, netD, n_layers_D=2, norm="instance")(torch.rand(2, 4, 64, 64))
    assert out.shape[:2] == (2, 1)
    assert out.shape[2] > 1


def test_three_layers_see_70_pixels():
    """A change at one corner pixel reaches only the logits whose 70x70 patch holds it."""
    net = define_D(1, 4, "basic", norm="none").eval()
    image = torch.zeros(1, 1, 256, 256)
    changed = image.clone()
    changed[..., 128, 128] = 100
    rows = (net(image) != net(changed)).any(3).any(1)[0].nonzero().flatten()
    assert net(image).shape[-1] == 30
    # Patches start every 8 pixels; 70 of them hold a given pixel in 8 or 9 patches.
    assert len(rows) in (8, 9)
    assert (rows.diff() == 1).all()


@pytest.mark.parametrize("init", INITS)
def test_initialisation(init):
    torch.manual_seed(0)
    net = define_G(3, 3, 16, "resnet_6blocks", "batch", init_type=init, init_gain=0.02)
    weight = net.state_dict()["model.10.conv_block.1.weight"]
    expected = {
        "normal": 0.02,
        "xavier": 0.02 * (2 / (2 * 64 * 9)) ** 0.5,
        "kaiming": (2 / (64 * 9)) ** 0.5,
        "orthogonal": 0.02 * (1 / (64 * 9)) ** 0.5,
    }[init]
    assert weight.std().item() == pytest.approx(expected, rel=0.1)
    assert net.state_dict()["model.23.bias"].abs().max() == 0


def test_only_instance_norm_gives_convolutions_a_bias():
    for norm in NORMS:
        net = define_G(1, 1, 2, "unet_64", norm)
        biases = sum(conv.bias is not None for conv in net.modules() if isinstance(conv, torch.nn.Conv2d))
        assert biases == (6 if norm == "instance" else 0)


def test_small_unet_is_the_papers():
    """99,589 parameters, of which 99,587 are trained: batch norm's mean and variance are counted by Keras."""
    net = define_G(1, 1, 64, "unet_small")
    statistics = sum(buffer.numel() for name, buffer in net.named_buffers() if "num_batches" not in name)
    assert sum(parameter.numel() for parameter in net.parameters()) == 99_587
    assert sum(parameter.numel() for parameter in net.parameters()) + statistics == 99_589
    encoder = [*net.norm.parameters(), *net.down.parameters()]
    assert sum(parameter.numel() for parameter in encoder) + statistics == 24_388


def test_small_unet_draws_noise_in_training_only_and_leaves_the_border_out():
    net = define_G(1, 1, 64, "unet_small")
    images = torch.rand(2, 1, 64, 32) * 2 - 1
    assert not torch.equal(net(images), net(images))
    masks = net.eval()(images)
    assert torch.equal(masks, net(images))
    inner = torch.zeros(64, 32, dtype=torch.bool)
    inner[6:58, 3:29] = True
    assert (masks[..., ~inner] == masks.min()).all()
    assert masks.min() < -0.9999997
    assert masks[..., inner].min() > -0.99


def test_ronneberger_counts_what_the_paper_draws():
    """Two convolutions a level of 64 to 1024 channels, transposed ones of 2 x 2, no norm."""
    down = sum(9 * a * b + b + 9 * b * b + b for a, b in ((1, 64), (64, 128), (128, 256), (256, 512), (512, 1024)))
    up = sum(4 * 2 * b * b + b + 9 * 2 * b * b + b + 9 * b * b + b for b in (512, 256, 128, 64))
    with torch.device("meta"):
        net = define_G(1, 1, 64, "unet_ronneberger", "none")
    assert size(net)[1] == down + up + 64 + 1 == 31_030_593


def test_own_weights_are_not_drawn_again():
    """--init_type is of the GANs' networks: 0.02 everywhere would leave a network without norms nothing to see."""
    net = define_G(1, 1, 8, "unet_ronneberger", "none")
    assert net.down[1][0].weight.std().item() == pytest.approx((2 / (9 * 8)) ** 0.5, rel=0.1)


@pytest.mark.parametrize(
    ("name", "black", "grey"), [("signed", -1.0, 0.0), ("unit", 0.0, 0.5), ("imagenet", -0.449 / 0.226, 0.051 / 0.226)]
)
def test_input_norm(name, black, grey):
    net = define_G(1, 1, 4, "unet_64", input_norm=name)
    seen = []
    net.model.register_forward_pre_hook(lambda _, args: seen.append(args[0]))
    images = torch.zeros(1, 1, 64, 64)
    images[..., :32] = -1
    net(images)
    torch.testing.assert_close(seen[0][0, 0, 0, 0].item(), black, rtol=0, atol=1e-6)
    torch.testing.assert_close(seen[0][0, 0, 0, -1].item(), grey, rtol=0, atol=1e-6)
    assert net.state_dict().keys() == define_G(1, 1, 4, "unet_64").state_dict().keys()


def test_zscore_is_of_each_image():
    net = define_G(1, 1, 4, "unet_64", input_norm="zscore")
    noise = torch.rand(1, 9, 9)
    seen = net.input_norm(torch.stack([noise, 0.1 * noise - 0.7, torch.full((1, 9, 9), 0.3)]))
    torch.testing.assert_close(seen.mean((1, 2, 3)), torch.zeros(3), rtol=0, atol=1e-4)
    torch.testing.assert_close(seen.std((1, 2, 3), unbiased=False), torch.tensor([1.0, 1.0, 0.0]), rtol=0, atol=1e-4)
