"""Networks of segmentation_models_pytorch as generators, and the weights that their encoders start from."""

import copy
import hashlib
import io
from argparse import Namespace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models as torchvision_models

from models.base import generate
from models.donors.encoders import as_smp, load_encoder
from models.networks import SmpGenerator, define_G
from models.norm_stats import inference
from models.optim.optimizers import freeze_encoders
from tests.util.web import serving
from util.errors import UserError
from util.fetch import catalogue
from util.run.checkpoint import read_state_dict

MOBILENET = "mobilenet_v2_imagenet_from_tflite_quant_fp16.pth"
ZEBRA = 340  # of ImageNet's classes


def smp(arch: str = "unet", encoder: str = "resnet18", input_nc: int = 1, **more) -> SmpGenerator:
    return define_G(input_nc, 1, 0, f"smp:{arch}:{encoder}", **more)


@pytest.mark.parametrize(
    ("arch", "encoder"),
    [
        ("unet", "mobilenet_v2"),
        ("unetplusplus", "resnet18"),
        ("linknet", "vgg11"),
        ("fpn", "efficientnet-b0"),
        ("deeplabv3plus", "resnet18"),
        ("unet", "densenet121"),
    ],
)
def test_a_mask_of_the_images_size(arch, encoder):
    net = smp(arch, encoder)
    assert isinstance(list(net.modules())[-1], torch.nn.Tanh)
    net.train()
    masks = generate(net, torch.rand(2, 1, 40, 70) * 2 - 1)
    assert masks.shape == (2, 1, 40, 70)
    assert masks.abs().max() <= 1
    masks.mean().backward()
    assert all(p.grad is not None for p in net.encoder.parameters() if p.requires_grad) or arch != "unet"


@pytest.mark.parametrize("arch", ["deeplabv3plus", "pan"])
def test_a_single_image_can_be_trained_on(arch):
    """As the last of an epoch may be; pooled to one value a channel, it goes by the statistics of those before."""
    net = smp(arch).train()
    net(torch.rand(1, 1, 128, 128)).mean().backward()
    assert all(torch.isfinite(p.grad).all() for p in net.parameters() if p.grad is not None)


@pytest.mark.parametrize(("arch", "encoder"), [("pan", "resnet18"), ("unet", "tu-mobilenetv3_small_050")])
def test_statistics_of_the_image_are_those_of_training_on_it_alone(arch, encoder):
    """Where a layer gets one value a channel, and where timm's norms hold the activation too."""
    net, image = smp(arch, encoder), torch.rand(1, 1, 128, 128) * 2 - 1
    with torch.no_grad():
        with inference(net, "image"):
            ours = net(image)
        for module in net.modules():
            if isinstance(module, torch.nn.modules.dropout._DropoutNd):
                module.p = 0.0
        torch.testing.assert_close(ours, net.train()(image), atol=1e-4, rtol=1e-3)


def test_inception_loses_no_border():
    """Its convolutions are not padded: 96 pixels become 45, 20, 9, 4, 1. The mask has 96."""
    net = smp(encoder="tu-inception_v3").eval()
    with torch.no_grad():
        assert net(torch.zeros(1, 1, 96, 96)).shape == (1, 1, 96, 96)


@pytest.mark.parametrize(
    ("netG", "message"),
    [
        ("smp:unett:resnet18", "no network 'unett'; there are deeplabv3, deeplabv3plus, "),
        ("smp:unet:resnet35", "no encoder 'resnet35'; there are resnet50, resnet34, "),
        ("smp:unet:inception_v3", "no encoder 'inception_v3'; there are tu-inception_v3, "),
        ("smp:pan:vgg16", "they do not go together: 'VGG' models do not support dilated mode"),
    ],
)
def test_networks_that_there_are_not(netG, message):
    with pytest.raises(UserError) as error:
        define_G(1, 1, 0, netG)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v2"])
def test_torchvisions_weights_fit_and_do_the_same(tmp_path, name):
    """The deepest features are those that torchvision's own network computes."""
    theirs = getattr(torchvision_models, name)().eval()
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    net = smp(encoder=name, input_nc=3)
    note = load_encoder(net, str(tmp_path / "theirs.pth"), f"smp:unet:{name}", tmp_path)
    assert note == f"encoder {name} starts from {tmp_path / 'theirs.pth'}"
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        deepest = net.eval().encoder(images)[-1]
        if name == "resnet18":
            theirs.avgpool = theirs.fc = torch.nn.Identity()
            expected = theirs(images).view_as(deepest)
        else:
            expected = theirs.features(images)
    torch.testing.assert_close(deepest, expected)


def test_efficientnets_go_by_the_order_of_their_layers(tmp_path):
    """timm's is torchvision's network under other names."""
    theirs = torchvision_models.efficientnet_b0()
    for norm in theirs.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = 1.0
    theirs.features(torch.rand(4, 3, 64, 64))  # statistics as of a trained network: random ones silence it
    theirs.eval()
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    net = smp(encoder="tu-efficientnet_b0", input_nc=3)
    load_encoder(net, str(tmp_path / "theirs.pth"), "smp:unet:tu-efficientnet_b0", tmp_path)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net.eval().encoder(images)[-1], theirs.features[:8](images))


def test_densenets_as_torchvision_publishes_them(tmp_path):
    """The published files are older than the names in today's code, norm.1 for norm1, and than num_batches_tracked."""
    theirs = torchvision_models.densenet121().state_dict()
    old = {
        key.replace("norm1.", "norm.1.").replace("conv2.", "conv.2.") if "denselayer" in key else key: value
        for key, value in theirs.items()
        if "num_batches" not in key
    }
    torch.save(old, tmp_path / "old.pth")
    net = smp(encoder="densenet121", input_nc=3)
    load_encoder(net, str(tmp_path / "old.pth"), "smp:unet:densenet121", tmp_path)
    key = "features.denseblock1.denselayer1.norm1.weight"
    assert torch.equal(net.encoder.state_dict()[key], theirs[key])


def test_one_channel_is_the_grey_image_three_times(tmp_path):
    torch.save(torchvision_models.resnet18().state_dict(), tmp_path / "theirs.pth")
    colour, grey = smp(input_nc=3).eval(), smp(input_nc=1).eval()
    load_encoder(colour, str(tmp_path / "theirs.pth"), "smp:unet:resnet18", tmp_path)
    note = load_encoder(grey, str(tmp_path / "theirs.pth"), "smp:unet:resnet18", tmp_path)
    assert "its first layer is summed to 1 input channel" in note
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        expected = colour.encoder(image.repeat(1, 3, 1, 1))[-1]
        torch.testing.assert_close(grey.encoder(image)[-1], expected, rtol=1e-4, atol=1e-5)


def test_another_runs_encoder(tmp_path):
    """Of a file of ours only the encoder is taken, under another decoder too."""
    run = smp("unetplusplus")
    torch.save(run.state_dict(), tmp_path / "latest_net_G.pth")
    net = smp("unet")
    decoder = copy.deepcopy(net.net.decoder.state_dict())
    load_encoder(net, str(tmp_path / "latest_net_G.pth"), "smp:unet:resnet18", tmp_path)
    assert all(torch.equal(value, run.encoder.state_dict()[key]) for key, value in net.encoder.state_dict().items())
    assert all(torch.equal(value, decoder[key]) for key, value in net.net.decoder.state_dict().items())


@pytest.mark.parametrize(
    ("weights", "netG", "message"),
    [
        ("theirs.pth", "smp:unet:resnet34", "theirs.pth: not the weights of encoder resnet34: it has no layer1.2.conv"),
        ("deeper.pth", "smp:unet:resnet18", "not the weights of encoder resnet18: it has also a layer1.2.conv1.weight"),
        ("other.pth", "smp:unet:resnet18", "(64, 64, 3, 3), not (9, 9, 9, 9), is wanted for layer1.0.conv1."),
        ("nowhere.pth", "smp:unet:resnet18", "nowhere.pth: no such file"),
        ("theirs.pth", "unet_small", "--netG unet_small has no encoder of its own"),
        ("imagenet", "smp:unet:mit_b0", "torchvision publishes no weights that fit encoder mit_b0"),
        ("imagenet", "smp:unet:efficientnet-b0", "fit encoder efficientnet-b0; take tu-efficientnet_b0,"),
        ("b0.pth", "smp:unet:efficientnet-b0", "pads otherwise than encoder efficientnet-b0; take --netG smp:unet:tu-"),
        ("theirs.pth", "smp:unet:tu-efficientnet_b0", "weights of encoder tu-efficientnet_b0: it has no model."),
    ],
)
def test_weights_that_do_not_fit(tmp_path, monkeypatch, weights, netG, message):
    monkeypatch.chdir(tmp_path)
    theirs = torchvision_models.resnet18().state_dict()
    torch.save(theirs, "theirs.pth")
    torch.save(theirs | {"layer1.0.conv1.weight": torch.zeros(9, 9, 9, 9)}, "other.pth")
    torch.save(torchvision_models.resnet34().state_dict(), "deeper.pth")
    torch.save(torchvision_models.efficientnet_b0().state_dict(), "b0.pth")
    with pytest.raises(UserError) as error:
        load_encoder(define_G(1, 1, 4, netG), weights, netG, tmp_path)
    assert message in str(error.value)


@pytest.mark.parametrize("honest", [True, False])
def test_imagenet_comes_from_torchvision_and_is_checked(tmp_path, monkeypatch, honest):
    """A server on loopback stands for torchvision's; the file's name ends in the beginning of its checksum."""
    buffer = io.BytesIO()
    torch.save(torchvision_models.resnet18().state_dict(), buffer)
    digest = hashlib.sha256(buffer.getvalue()).hexdigest()[:8] if honest else "0" * 8
    with serving() as web:
        url = web.put(f"/resnet18-{digest}.pth", buffer.getvalue())
        weights = {"IMAGENET1K_V1": Namespace(url=url)}
        monkeypatch.setattr(torchvision_models, "get_model_weights", lambda name: weights)
        if not honest:
            with pytest.raises(UserError, match="SHA-256 does not begin with 00000000"):
                load_encoder(smp(), "imagenet", "smp:unet:resnet18", tmp_path)
            assert not list(tmp_path.rglob("*.pth"))
            return
        for _ in range(2):
            note = load_encoder(smp(), "imagenet", "smp:unet:resnet18", tmp_path)
        assert str(tmp_path / "imagenet" / f"resnet18-{digest}.pth") in note
        assert len(web.asked) == 1


@pytest.mark.filterwarnings("ignore:The default weight initialization of inception_v3")
@pytest.mark.parametrize(
    "encoder",
    [
        "vgg16",
        "vgg19",
        "resnet34",
        "resnet50",
        "resnet101",
        "densenet121",
        "tu-inception_v3",
        "mobilenet_v2",
        "tu-efficientnet_b4",
    ],
)
def test_the_papers_encoders_are_published_and_fit(encoder):
    name = encoder.removeprefix("tu-")
    assert catalogue.imagenet_weights(encoder).name.startswith(f"{name}")
    with torch.device("meta"):
        theirs = getattr(torchvision_models, name)().state_dict()
        wanted = smp(encoder=encoder, input_nc=3).encoder.state_dict()
    found = as_smp(theirs, wanted)
    assert all(found[key].shape == wanted[key].shape for key in wanted if "num_batches" not in key)


def real_mobilenet(real_data, input_nc: int = 3, **more) -> SmpGenerator:
    net = smp(encoder="mobilenet_v2", input_nc=input_nc, **more)
    load_encoder(net, str(real_data / "weights" / MOBILENET), "smp:unet:mobilenet_v2", real_data)
    return net


@torch.no_grad()
def zebra(net: SmpGenerator, images: torch.Tensor, real_data) -> torch.Tensor:
    """The probability of a zebra by the file's own classifier behind the encoder."""
    if hasattr(net, "input_norm"):
        images = net.input_norm(images)
    file = read_state_dict(real_data / "weights" / MOBILENET)
    features = net.encoder(images)[-1].mean((2, 3))
    logits = features @ file["classifier.1.weight"].T + file["classifier.1.bias"]
    return logits.softmax(1)[:, ZEBRA]


def zebras(real_data) -> torch.Tensor:
    paths = sorted((real_data / "horse2zebra" / "testB").iterdir())[:3]
    pixels = [np.array(Image.open(path).convert("RGB").resize((224, 224))) for path in paths]
    return torch.from_numpy(np.stack(pixels)).permute(0, 3, 1, 2) / 127.5 - 1


def test_the_real_file_knows_zebras_at_its_own_scaling(real_data):
    """Its input is (x - 128) / 128, which is `signed`; ImageNet's mean and deviation make it less sure."""
    images = zebras(real_data)
    sure = zebra(real_mobilenet(real_data).eval(), images, real_data)
    assert sure.min() > 0.9
    assert zebra(real_mobilenet(real_data, input_norm="imagenet").eval(), images, real_data).mean() < sure.mean()


def test_norms_that_were_folded_stay_through_training_and_resume(real_data):
    """In batches the real file's norms, of weight 1 by folding, would be another network."""
    images, net = zebras(real_data), real_mobilenet(real_data)
    before = zebra(net.eval(), images, real_data)
    torch.testing.assert_close(zebra(net.train(), images, real_data), before)
    resumed = smp(encoder="mobilenet_v2", input_nc=3).train()
    resumed.load_state_dict(net.state_dict())
    torch.testing.assert_close(zebra(resumed, images, real_data), before)
    freeze_encoders({"G": resumed}, 1, 1)
    freeze_encoders({"G": resumed}, 2, 1)
    torch.testing.assert_close(zebra(resumed, images, real_data), before)
    with inference(resumed, "image"):
        torch.testing.assert_close(zebra(resumed, images, real_data), before)
    resumed.folded = []
    assert (zebra(resumed.train(), images, real_data) - before).abs().max() > 0.1
