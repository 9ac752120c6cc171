"""A task file says what its images look like, and each image finds the task that it belongs to."""

import numpy as np
import pytest
import torch

from models.piggyback.files import load_task, read_task
from models.piggyback.inputs import FEWEST, Chooser, Inputs, describe, features
from models.piggyback.task import Settings, attach, switch
from tests.models.piggyback.helpers import NETS, donor
from util.run.checkpoint import task_path
from util.run.together import save_together


def kind(bright: float, count: int = 40, seed: int = 0) -> list[torch.Tensor]:
    """Noise around a brightness."""
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(count, 3, 64, 64, generator=generator) * 0.2
    return [*(noise + bright + 0.1 * torch.randn(count, 1, 1, 1, generator=generator)).clamp(-1, 1)]


@pytest.mark.parametrize("netG", NETS)
def test_an_image_finds_its_task(netG):
    net = donor(netG)
    known = [describe(net, kind(bright)) for bright in (-0.5, 0.5)]
    for number, bright in enumerate((-0.5, 0.5)):
        seen = features(net, torch.stack(kind(bright, 20, seed=1)))
        assert [choice.task for choice in Chooser(known).choose(seen)] == [number] * 20


def test_an_image_unlike_those_of_every_task_is_noticed_and_few_others_are():
    net = donor()
    known = [describe(net, kind(bright)) for bright in (-0.5, 0.5)]
    stripes = torch.ones(1, 3, 64, 64)
    stripes[..., ::4] = -1
    (choice,) = Chooser(known).choose(features(net, stripes))
    assert choice.unlike
    assert choice.distance > 1
    own = Chooser(known).choose(features(net, torch.stack(kind(0.5, 40, seed=2))))
    assert sum(choice.unlike for choice in own) <= 8


def test_a_task_file_keeps_the_description():
    net = donor()
    inputs = describe(net, kind(0.0))
    again = Inputs.read(inputs.tensors())
    seen = features(net, torch.stack(kind(0.2, 5)))
    assert np.array_equal(again.distances(seen), inputs.distances(seen))
    assert sum(each.numel() * each.element_size() for each in inputs.tensors().values()) < 10_000
    with pytest.raises(ValueError, match="description"):
        Inputs.read({**inputs.tensors(), "inputs.spread": torch.zeros(3)})
    assert Inputs.read({"model.weight": torch.zeros(3)}) is None


def test_a_task_file_describes_the_donors_own_images_apart_from_the_tasks(tmp_path):
    net = donor()
    task = attach(net, Settings("norm_only"))
    switch(net, None)
    task.inputs, task.old_inputs = describe(net, kind(0.5)), describe(net, kind(-0.5))
    path = task_path(tmp_path, "latest", "G")
    save_together({path: task.contents(tmp_path)})
    file = read_task(path)
    again = load_task(file, net)
    for own in (file, again):
        assert np.array_equal(own.inputs.mean, task.inputs.mean)
        assert np.array_equal(own.old_inputs.mean, task.old_inputs.mean)


def test_too_few_images_describe_nothing():
    assert describe(donor(), kind(0.0, FEWEST - 1)) is None


def test_what_an_image_looks_like_does_not_depend_on_the_training():
    net = donor()
    before = features(net, torch.stack(kind(0.0, 3)))
    task = attach(net, Settings("norm_only"))
    for parameter in task.parameters():
        parameter.data += 1
    switch(net, None)
    assert np.array_equal(features(net, torch.stack(kind(0.0, 3))), before)
