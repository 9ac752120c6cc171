"""Patches, mirror images, ensembles and passes, applied to networks whose results are easy to predict."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from data.classes import Classes
from models.apply.translators import Ensemble, Grey, Mirrored, Tiled, create_translator, shared_input, tiled
from models.pix2pix import Pix2PixModel
from tests.models.helpers import model_options
from util.errors import UserError

CPU = torch.device("cpu")


class Net:
    """A translator that applies a function and records the sizes of its images."""

    def __init__(self, function=lambda images: images):
        self.function, self.sizes = function, []

    def translate(self, images):
        self.sizes.append(tuple(images.shape[-2:]))
        return self.function(images)

    def companions(self, batch):
        return {"beside": batch["A"]}


def constant(value: float, channels: int = 1) -> Net:
    return Net(lambda images: torch.full((len(images), channels, *images.shape[-2:]), value))


def options(**changes):
    """test.py's options of a run."""
    own = {
        "samples": 0,
        "tta": False,
        "patch": 0,
        "patch_overlap": 0.5,
        "direction": "AtoB",
        "classes": None,
        "intensity": "none",
        "clahe": False,
    }
    return model_options(**own | changes)


def model(opt):
    torch.manual_seed(opt.seed)
    return Pix2PixModel(opt, CPU, training=False)


@settings(deadline=None, max_examples=40)
@given(
    height=st.integers(1, 70),
    width=st.integers(1, 70),
    patch=st.integers(1, 40),
    overlap=st.sampled_from([0.0, 0.25, 0.5, 0.8]),
    channels=st.sampled_from([1, 3]),
    number=st.integers(1, 3),
)
def test_patches_of_a_network_that_does_nothing_blend_to_its_input(height, width, patch, overlap, channels, number):
    patch = max(patch, max(height, width) // 6)
    images = torch.rand(number, channels, height, width, generator=torch.Generator().manual_seed(0)) * 2 - 1
    before, net = images.clone(), Net()
    result = Tiled(net, patch, overlap, CPU).translate(images)
    assert result.shape == images.shape
    assert torch.allclose(result, before, atol=1e-5)
    assert torch.equal(images, before), "the input itself stays as it was"
    assert set(net.sizes) == {(patch, patch)}


def test_a_pixel_follows_the_patch_whose_centre_is_nearest():
    """Two patches of 32 on a line of 48. The network puts out -1 for the first and 1 for the second."""
    seen = iter([-1.0, 1.0])
    net = Net(lambda images: torch.stack([torch.full((1, 32, 32), next(seen)) for _ in images]))
    line = Tiled(net, 32, 0.5, CPU).translate(torch.zeros(1, 1, 32, 48))[0, 0, 16]
    assert (line[:16] == -1).all()
    assert (line[32:] == 1).all()
    both = line[16:32]
    assert (both[4:12].diff() > 0.05).all()
    assert both[0] < -0.9
    assert both[-1] > 0.9
    assert torch.allclose(both, -both.flip(0), atol=1e-5)


def test_the_result_of_the_mirror_image_is_mirrored_back():
    """A network that darkens the left edge then darkens both edges, half as much."""
    edge = Net(lambda images: torch.cat([images[..., :1] - 1, images[..., 1:]], -1))
    result = Mirrored(edge).translate(torch.zeros(1, 1, 2, 4))
    assert result.tolist() == [[[[-0.5, 0, 0, -0.5]] * 2]]
    picture = torch.rand(2, 3, 5, 7)
    assert torch.equal(Mirrored(Net()).translate(picture), picture)
    assert Mirrored(edge).companions({"A": picture})["beside"] is picture


def test_an_ensembles_mean_and_disagreement_are_those_computed_by_hand():
    """Probabilities 0.9, 0.5 and 0.1: their mean is 0.5 and their standard deviation 0.8 / sqrt(6)."""
    ensemble = Ensemble([constant(0.8), constant(0.0), constant(-0.8)])
    assert ensemble.translate(torch.zeros(1, 1, 2, 2)) == pytest.approx(torch.zeros(1, 1, 2, 2).numpy(), abs=1e-6)
    picture = ensemble.companions({})["uncertainty"]
    assert picture.shape == (1, 1, 2, 2)
    assert picture[0, 0, 0, 0].item() == pytest.approx(4 * 0.8 / 6**0.5 - 1, abs=1e-6)


def test_equal_outputs_are_certain_and_opposite_ones_as_uncertain_as_possible():
    for outputs, shown in (((0.3, 0.3, 0.3), -1.0), ((1.0, -1.0), 1.0)):
        ensemble = Ensemble([constant(value, channels=3) for value in outputs])
        ensemble.translate(torch.zeros(1, 3, 1, 1))
        assert ensemble.companions({})["uncertainty"].tolist() == [[[[shown]]]]


def test_outputs_of_one_and_three_channels_are_averaged_as_foreground():
    def foreground(output):
        return (output.mean(1) + 1) / 2

    result = Ensemble([constant(0.5), constant(1.0, channels=3)], foreground, differ=True).translate(
        torch.zeros(2, 3, 1, 1)
    )
    assert result.flatten().tolist() == [0.75, 0.75]


def test_tints_that_change_no_probability_are_no_uncertainty():
    """Both outputs have foreground 0.5, one in red and one in green. A coloured class counts in full."""

    def colour(*values: float) -> Net:
        return Net(lambda images: torch.tensor(values).view(1, 3, 1, 1).expand(len(images), 3, 1, 1))

    white = Classes.load("lungs").foreground
    ensemble = Ensemble([colour(1, -1, 0), colour(-1, 1, 0)], white)
    ensemble.translate(torch.zeros(1, 3, 1, 1))
    assert ensemble.companions({})["uncertainty"].item() == pytest.approx(-1)
    red = Classes.load('{"background": [0, 0, 0], "heart": [255, 0, 0]}').foreground
    ensemble = Ensemble([colour(-1, -1, -1), colour(1, -1, -1)], red)
    ensemble.translate(torch.zeros(1, 3, 1, 1))
    assert ensemble.companions({})["uncertainty"].item() == pytest.approx(1)


def test_a_network_of_one_channel_sees_luma():
    red = torch.tensor([1.0, 0.0, 0.0])[None, :, None, None]
    assert Grey(Net()).translate(red).item() == pytest.approx(0.299)
    grey = torch.full((1, 3, 2, 2), -0.3)
    assert torch.allclose(Grey(Net()).translate(grey), grey[:, :1])


def test_only_runs_trained_on_patches_are_applied_in_patches():
    opt = options()
    assert tiled(one := model(opt), opt) is one
    opt = options(patch=64, patch_overlap=0.25)
    patches = tiled(one, opt)
    assert (patches.patch, patches.overlap, patches.inner) == (64, 0.25, one)


def test_samples_is_the_mean_of_passes_with_different_dropout():
    """--samples 3 from --seed 5 is the mean of three --stochastic tests with seeds 5, 6 and 7."""
    opt, images = options(samples=3, seed=5, netG="unet_64", norm="instance", init_gain=1.0), torch.rand(2, 3, 64, 64)
    net = model(opt)
    translator = create_translator([net], [opt], None)
    result = translator.translate(images)
    alone = []
    for seed in (5, 6, 7):
        net.noise_seed = seed
        alone.append(net.translate(images))
    assert not torch.equal(alone[0], alone[1])
    assert torch.allclose(result, torch.stack(alone).mean(0), atol=1e-6)
    assert translator.companions({})["uncertainty"].max() > -1
    assert torch.equal(translator.translate(images), result)


def test_samples_of_a_network_without_dropout_are_refused():
    opt = options(samples=4, no_dropout=True, name="sober")
    with pytest.raises(UserError, match="--samples 4: the generator of run sober has no dropout"):
        create_translator([model(opt)], [opt], None)


def test_runs_with_different_channels_form_an_ensemble():
    """The network of one input channel sees grey images, and the probabilities of foreground are averaged."""
    runs = [options(name="gan"), options(name="unet", input_nc=1, output_nc=1, seed=3, norm="instance")]
    models, images = [model(opt) for opt in runs], torch.rand(1, 1, 64, 64).expand(1, 3, 64, 64)
    result = create_translator(models, runs, lambda output: (output.mean(1) + 1) / 2).translate(images)
    expected = (models[0].translate(images).mean(1) + models[1].translate(images[:, :1])[:, 0]) / 2
    assert torch.allclose(result[:, 0], expected, atol=1e-6)
    assert shared_input(runs[::-1]).input_nc == 3
    with pytest.raises(UserError, match="differ in --output_nc"):
        create_translator(models, runs, None)


@pytest.mark.parametrize(
    ("flag", "here", "there"),
    [("crop_size", 64, 128), ("preprocess", "none", "scale_width"), ("classes", "lungs", "lungs_dark")],
)
def test_runs_that_read_images_in_different_ways_form_no_ensemble(flag, here, there):
    runs = [options(name="a", **{flag: here}), options(name="b", **{flag: there})]
    with pytest.raises(UserError, match=f"a has --{flag} {here} and b --{flag} {there}; leave one out"):
        shared_input(runs)


def test_a_run_that_recorded_no_classes_fits_any():
    assert shared_input([options(name="old"), options(name="new", classes="lungs")]).name == "old"
