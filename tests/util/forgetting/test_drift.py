"""How outputs are compared without ground truth: drift, and KID by random features."""

import math

import pytest
import torch

from util.forgetting.drift import drift, ssim_chance
from util.forgetting.kid import RandomFeatures, kernel_distance


def noise(count: int, seed: int = 0, size: int = 24) -> list[torch.Tensor]:
    return list(torch.rand(count, 3, size, size, generator=torch.Generator().manual_seed(seed)) * 2 - 1)


def test_equal_outputs_have_no_drift():
    images = noise(3)
    assert drift(images, [image.clone() for image in images]) == {"l1": 0, "psnr": None, "ssim": 1, "bit_equal": 3}


def test_the_drift_of_a_constant_shift_agrees_with_a_hand_computed_one():
    """Each pixel moves half the way from black to white: L1 is 1/2 and MSE 1/4. For flat pictures only the luminance
    term of SSIM remains, with c1 = 0.01^2."""
    dark, mid = torch.full((1, 16, 16), -1.0), torch.zeros(1, 16, 16)
    found = drift([mid, dark], [dark, dark])
    assert found["l1"] == pytest.approx((0.5 + 0) / 2)
    assert found["psnr"] == pytest.approx(-10 * math.log10((0.25 + 0) / 2))
    assert found["ssim"] == pytest.approx((1e-4 / (0.25 + 1e-4) + 1) / 2, abs=1e-6)
    assert found["bit_equal"] == 1


def test_the_smallest_change_is_not_bit_equal():
    image = noise(1)[0]
    other = image.clone()
    other[0, 0, 0] = torch.nextafter(other[0, 0, 0], torch.tensor(2.0))
    assert drift([other], [image])["bit_equal"] == 0


def test_outputs_for_different_inputs_may_differ_in_size():
    images = noise(1, size=24) + noise(1, size=16)
    assert drift(images, images)["bit_equal"] == 2
    with pytest.raises(ValueError, match="shorter"):
        drift(images, images[:1])


def test_the_chance_level_compares_outputs_for_different_images():
    a, b = noise(2)
    assert ssim_chance([a, b]) == pytest.approx(drift([a, b], [b, a])["ssim"])
    assert ssim_chance([a, a]) == 1  # a generator that ignores its input has nothing to lose
    assert ssim_chance([a]) == 0


def test_the_kernel_distance_agrees_with_a_hand_computed_one():
    """With one feature the kernel is (xy + 1)^3. Within a: (1*3 + 1)^3 = 64; within b: (0*2 + 1)^3 = 1; between: 1 and
    27 for x = 1, 1 and 343 for x = 3, which makes a mean of 93."""
    a, b = torch.tensor([[1.0], [3.0]]), torch.tensor([[0.0], [2.0]])
    assert kernel_distance(a, b) == pytest.approx(64 + 1 - 2 * 93)


def test_the_kernel_distance_separates_distributions():
    features = RandomFeatures()
    with_noise = features(torch.stack(noise(30, seed=1)))
    more_noise = features(torch.stack(noise(30, seed=2)))
    flat = features(torch.stack([image * 0.2 for image in noise(30, seed=3)]))
    assert abs(kernel_distance(with_noise, more_noise)) < 0.05 * kernel_distance(with_noise, flat)


def test_random_features_are_the_same_everywhere_and_leave_the_random_state_alone():
    image = noise(1)[0][None]
    torch.manual_seed(5)
    before = torch.get_rng_state()
    first, second = RandomFeatures()(image), RandomFeatures()(image)
    assert torch.equal(first, second)
    assert first.shape == (1, 960)
    assert first.isfinite().all()
    assert not torch.equal(first, RandomFeatures(seed=1)(image))
    assert torch.equal(torch.get_rng_state(), before)


def test_grey_has_the_same_features_as_colour():
    grey = noise(1)[0][None, :1]
    assert torch.equal(RandomFeatures()(grey), RandomFeatures()(grey.repeat(1, 3, 1, 1)))
