"""The weights that encoders of segmentation_models_pytorch start from."""

import copy
import hashlib
import io
from argparse import Namespace

import numpy as np
import pytest
import torch
from PIL import Image
from torchvision import models as torchvision_models

from models.donors.encoders import as_smp, load_encoder
from models.networks.define import define_G
from models.networks.smp import SmpGenerator
from models.norm_stats import inference
from models.optim.optimizers import freeze_encoders
from tests.models.networks.helpers import smp
from tests.util.web import serving
from util.errors import UserError
from util.fetch import catalogue
from util.run.checkpoint import read_state_dict

MOBILENET = "mobilenet_v2_imagenet_from_tflite_quant_fp16.pth"
ZEBRA = 340  # of ImageNet's classes


@pytest.mark.parametrize("name", ["resnet18", "densenet121", "mobilenet_v2"])
def test_torchvisions_weights_fit_and_compute_the_same_features(tmp_path, name):
    """Compares the deepest features with those of torchvision's own network."""
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


def test_an_efficientnets_weights_are_matched_by_the_order_of_its_layers(tmp_path):
    """timm's EfficientNet is torchvision's network under other names."""
    theirs = torchvision_models.efficientnet_b0()
    for norm in theirs.modules():
        if isinstance(norm, torch.nn.BatchNorm2d):
            norm.momentum = 1.0
    theirs.features(torch.rand(4, 3, 64, 64))  # with its initial statistics the network would put out nearly nothing
    theirs.eval()
    torch.save(theirs.state_dict(), tmp_path / "theirs.pth")
    net = smp(encoder="tu-efficientnet_b0", input_nc=3)
    load_encoder(net, str(tmp_path / "theirs.pth"), "smp:unet:tu-efficientnet_b0", tmp_path)
    images = torch.rand(1, 3, 64, 64)
    with torch.no_grad():
        torch.testing.assert_close(net.eval().encoder(images)[-1], theirs.features[:8](images))


def test_densenets_load_under_the_old_names_that_torchvision_published(tmp_path):
    """The published files have norm.1 where today's code has norm1, and no num_batches_tracked."""
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


def test_one_input_channel_equals_repeating_the_grey_image(tmp_path):
    torch.save(torchvision_models.resnet18().state_dict(), tmp_path / "theirs.pth")
    colour, grey = smp(input_nc=3).eval(), smp(input_nc=1).eval()
    load_encoder(colour, str(tmp_path / "theirs.pth"), "smp:unet:resnet18", tmp_path)
    note = load_encoder(grey, str(tmp_path / "theirs.pth"), "smp:unet:resnet18", tmp_path)
    assert "its first layer is summed to 1 input channel" in note
    image = torch.rand(1, 1, 64, 64)
    with torch.no_grad():
        expected = colour.encoder(image.repeat(1, 3, 1, 1))[-1]
        torch.testing.assert_close(grey.encoder(image)[-1], expected, rtol=1e-4, atol=1e-5)


def test_of_another_run_only_the_encoder_is_loaded(tmp_path):
    """The other run may have another decoder."""
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
def test_weights_that_do_not_fit_are_refused_by_name(tmp_path, monkeypatch, weights, netG, message):
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
def test_imagenet_weights_are_downloaded_once_and_checked(tmp_path, monkeypatch, honest):
    """A server on loopback stands in for torchvision's. The file's name ends in the first digits of its checksum."""
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
def test_torchvision_publishes_weights_for_the_papers_encoders_and_they_fit(encoder):
    name = encoder.removeprefix("tu-")
    assert catalogue.imagenet_weights(encoder).name.startswith(f"{name}")
    with torch.device("meta"):
        theirs = getattr(torchvision_models, name)().state_dict()
        wanted = smp(encoder=encoder, input_nc=3).encoder.state_dict()
    state = as_smp(theirs, wanted)
    assert all(state[key].shape == wanted[key].shape for key in wanted if "num_batches" not in key)


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


def test_a_real_encoder_recognises_zebras_at_the_input_norm_it_was_trained_with(real_data):
    """It was trained on (x - 128) / 128, which is `signed`. ImageNet's mean and deviation make it less sure."""
    images = zebras(real_data)
    sure = zebra(real_mobilenet(real_data).eval(), images, real_data)
    assert sure.min() > 0.9
    assert zebra(real_mobilenet(real_data, input_norm="imagenet").eval(), images, real_data).mean() < sure.mean()


def test_folded_norms_stay_unchanged_through_training_and_resuming(real_data):
    """Normalising by batches would make another network of a real file, whose norms have weight 1 by folding."""
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
