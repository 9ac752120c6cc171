"""Outputs that stay constant where the ground truth varies are named, also in a test and on its page."""

import numpy as np
import pytest
import torch

from util.score.evaluate import evaluate
from util.score.variation import Variation


def masks(count: int = 4, channels: int = 3, size: int = 32) -> torch.Tensor:
    """White rectangles on black, in a different place in each image."""
    images = -torch.ones(count, channels, size, size)
    for i in range(count):
        images[i, :, 4 * i : 4 * i + 10, 8:20] = 1
    return images


def keys(outputs: torch.Tensor, truths: torch.Tensor) -> list[str]:
    variation = Variation()
    for batch in zip(outputs.split(3), truths.split(3), strict=True):
        variation.add(*batch)
    return list(variation.faults())


def test_a_channel_stuck_at_black_is_named_by_its_colour():
    outputs = masks() * 0.9
    assert keys(outputs, masks()) == []
    outputs[:, 0] = -1
    assert keys(outputs, masks()) == ["dead channel red"]


def test_a_channel_that_is_constant_in_the_ground_truth_too_is_no_fault():
    truths, outputs = masks(), masks()
    truths[:, 2] = outputs[:, 2] = -1
    assert keys(outputs, truths) == []


def test_a_channel_dark_in_a_quarter_of_the_pixels_of_a_grey_mask_is_named():
    """As in a filter bank of make demo: one of the four phases of a transposed convolution was dead in red."""
    outputs = masks(size=64)
    outputs[:, :, 10:50, 10:50] = 1
    truths = outputs.clone()
    outputs[:, 0, ::2, ::2] = -1
    assert keys(outputs, truths) == ["tinted red"]
    truths[:, 0] *= 0.5  # the ground truth is coloured itself
    assert keys(outputs, truths) == []


def test_one_colour_everywhere_is_a_constant_output():
    for channels in (1, 3):
        assert keys(-torch.ones(4, channels, 32, 32), masks(channels=channels)) == ["constant output"]


def test_the_same_mask_for_every_image_is_named_but_not_for_a_single_image_or_equal_truths():
    same = masks()[:1].repeat(4, 1, 1, 1) + 0.05 * torch.rand(4, 3, 32, 32)
    assert keys(same, masks()) == ["same output"]
    assert keys(same[:1], masks()[:1]) == []
    assert keys(same, masks()[:1].repeat(4, 1, 1, 1)) == []


def test_a_small_finding_in_one_image_of_many_counts_as_variation():
    truths = -torch.ones(20, 1, 128, 128)
    truths[7, :, 50:60, 50:60] = 1
    assert keys(truths.clone(), truths) == []


def test_images_of_different_sizes_are_compared():
    variation = Variation()
    for size in (32, 48):
        variation.add(-torch.ones(1, 3, size, size), masks(1, 3, size))
    assert list(variation.faults()) == ["constant output"]


@pytest.mark.parametrize("dead", [True, False])
def test_an_evaluation_lists_the_fault_and_its_summary_too(pictures, dead):
    truths = [np.zeros((32, 32), np.uint8) for _ in range(3)]
    for i, truth in enumerate(truths):
        truth[4 * i : 4 * i + 10, 8:20] = 1
    colours = [np.where(truth, 1.0, -1.0)[None].repeat(3, 0) for truth in truths]

    class Red:
        def translate(self, images):
            images = images.clone()
            images[:, 0] = -1 if dead else images[:, 0]
            return images

        def companions(self, batch):
            return {}

    evaluation = evaluate(Red(), pictures(colours, truths).loader())
    assert list(evaluation.faults) == ["dead channel red"] * dead
    assert ("faults" in evaluation.summary) == dead
