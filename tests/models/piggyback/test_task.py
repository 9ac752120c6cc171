"""A task is put on, trained, taken off and exchanged, and the donor never changes."""

import copy
import re

import pytest
import torch
from torch import nn

from models.piggyback.inputs import describe
from models.piggyback.task import Settings, attach, current, detach, materialize, switch
from tests.models.piggyback.helpers import NETS, all_settings, donor, learn, output
from util.run.checkpoint import fingerprint

each_net = pytest.mark.parametrize("netG", NETS)
each_method = pytest.mark.parametrize("how", all_settings(), ids=lambda how: how.method)


@each_net
@each_method
@pytest.mark.parametrize("norm_stats", ["image", "running"])
def test_a_new_task_has_the_outputs_of_its_donor(netG, how, norm_stats):
    net = donor(netG)
    before = output(net, norm_stats)
    attach(net, how)
    assert torch.equal(output(net, norm_stats), before)


@each_net
@each_method
def test_a_trained_and_detached_task_leaves_the_donor_bit_for_bit(netG, how):
    net = donor(netG)
    mark, before, parameters = fingerprint(net.state_dict()), output(net), set(net.parameters())
    task = attach(net, how)
    learn(net, task)
    after = output(net)
    assert not torch.equal(after, before)
    detach(net, task)
    assert fingerprint(net.state_dict()) == mark
    assert torch.equal(output(net), before)
    assert set(net.parameters()) == parameters
    assert all(parameter.requires_grad for parameter in parameters)
    assert [type(module) for module in net.modules()] == [type(module) for module in donor(netG).modules()]
    switch(net, task)
    assert torch.equal(output(net), after)


@each_net
@each_method
def test_only_the_task_is_trained_and_no_frozen_weight_has_a_gradient(netG, how):
    net = donor(netG)
    own = {parameter.data_ptr() for parameter in net.parameters()}
    task = attach(net, how)
    assert not own & {parameter.data_ptr() for parameter in task.parameters()}
    learn(net, task)
    for name, parameter in net.named_parameters():
        assert (parameter.grad is not None) == any(parameter is trained for trained in task.parameters()), name
        assert parameter.requires_grad == (parameter.grad is not None)


@each_net
@each_method
def test_the_plain_state_dict_is_the_adapted_generator(netG, how):
    net = donor(netG)
    keys = list(net.state_dict())
    task = attach(net, how)
    learn(net, task)
    state, after = materialize(net, task), output(net)
    assert list(state) == keys
    assert current(net) is task
    plain = donor(netG, seed=5)
    plain.load_state_dict(state, strict=True)
    assert torch.equal(output(plain), after)
    assert torch.equal(output(plain, "image"), output(net, "image"))


def test_each_method_trains_its_own_tensors():
    """The first and last convolution are trained whole. The others have a mask, a mix of filters or a product."""
    trained = {
        how.method: {name for name, tensor in attach(donor(), how).own.items() if tensor.requires_grad}
        for how in all_settings()
    }
    ends = {"model.model.0.weight", "model.model.3.weight"}
    assert trained["head_only"] == {"model.model.3.weight", "model.model.3.bias"}
    assert trained["masks"] == trained["ternary"] == trained["filter_bank"] == trained["lowrank"]
    assert trained["masks"] - trained["norm_only"] == ends
    assert "model.model.1.model.2.bias" in trained["norm_only"], "batch norm's shift"
    masks = attach(donor(), Settings("masks")).tensors()
    assert masks["model.model.1.model.1.weight.mask"].numel() < 4 * 8 * 4 * 4 / 8, "a mask that keeps all is small"
    assert masks["model.model.1.model.2.running_mean"].shape == (8,)
    assert not set(masks) & {"model.model.1.model.1.weight"}, "no donor weight is stored"


def test_a_task_that_shared_its_norm_statistics_would_change_the_donor():
    """Frozen convolutions alone do not keep the donor's outputs, so the tests above can fail."""
    net = donor()
    before, task = output(net), attach(donor_copy := copy.deepcopy(net), Settings("masks"))
    learn(donor_copy, task)
    shared = {name: tensor for name, tensor in task.tensors().items() if "running" in name}
    detach(donor_copy, task)
    donor_copy.load_state_dict(donor_copy.state_dict() | shared)
    assert (output(donor_copy) - before).abs().mean() > 0.05 * before.std()


@each_method
def test_many_tasks_share_one_donor_and_are_exchanged_bit_for_bit(how):
    net = donor()
    before, tasks, outputs = output(net), [], []
    for lr in (0.02, 0.05):
        tasks.append(attach(net, how))
        assert torch.equal(output(net), before), "each task starts from the donor, not from the task before it"
        learn(net, tasks[-1], lr=lr)
        outputs.append(output(net))
    for i in (0, 1, 1, None, 0, None):
        switch(net, None if i is None else tasks[i])
        assert torch.equal(output(net), before if i is None else outputs[i])
    with pytest.raises(ValueError, match="not on this network"):
        detach(net, tasks[0])


@each_net
@each_method
def test_a_saved_state_is_loaded_into_the_tensors_that_the_optimizer_holds(netG, how):
    net = donor(netG)
    task = attach(net, how)
    learn(net, task)
    state, after = {name: tensor.clone() for name, tensor in task.state_dict().items()}, output(net)
    parameters = task.parameters()
    learn(net, task, lr=0.5)
    task.load_state_dict(state)
    assert torch.equal(output(net), after)
    assert all(one is other for one, other in zip(parameters, task.parameters(), strict=True))


@each_method
def test_stored_tensors_restore_the_same_generator(how):
    net = donor()
    task = attach(net, how)
    learn(net, task)
    after, stored = output(net), task.tensors()
    again = attach(donor(), how)
    again.restore(stored)
    other = donor()
    switch(other, again)
    assert torch.equal(output(other), after)
    name = next(iter(stored))
    for wrong in (stored | {name: stored[name][:-1]}, stored | {"more": stored[name]}, {name: stored[name]}):
        with pytest.raises(ValueError, match="not the tensors of this task"):
            again.restore(wrong)


def test_tasks_have_their_tensors_in_the_same_order_every_time():
    torch.manual_seed(7)
    first = attach(donor(), Settings("lowrank")).tensors()
    torch.manual_seed(7)
    assert list(first) == list(attach(donor(), Settings("lowrank")).tensors())


def test_a_fingerprint_depends_on_names_types_shapes_and_bytes():
    state = {"a": torch.tensor([1.0, 2.0]), "b": torch.tensor(3)}
    marks = [
        fingerprint(s)
        for s in (
            state,
            {"a": state["a"], "c": state["b"]},
            state | {"a": state["a"].view(2, 1)},
            state | {"b": torch.tensor(3, dtype=torch.int32)},
            state | {"a": torch.tensor([1.0, 2.0000002])},
        )
    ]
    assert len(set(marks)) == len(marks)
    assert all(len(mark) == 64 for mark in marks)
    assert fingerprint(dict(reversed(state.items()))) == marks[0]


def test_a_network_of_two_convolutions_is_trained_whole():
    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Conv2d(4, 3, 3))
    task = attach(net, Settings("masks"))
    assert not task.adapters
    assert len(task.parameters()) == 4


@pytest.mark.parametrize("how", ["masks", "ternary", "filter_bank", "lowrank"])
def test_the_size_that_is_announced_is_not_exceeded_by_what_is_learnt(how):
    """A new mask deflates to almost nothing; one that keeps half of the weights at random is the largest."""
    net = donor()
    task = attach(net, Settings(how))
    announced = float(re.search(r"at most ([\d.]+) MB", task.describe())[1]) * 1e6
    for parameter in task.parameters():
        torch.nn.init.uniform_(parameter.data, -0.01, 0.02)
    switch(net, None)
    task.inputs = task.old_inputs = describe(net, torch.rand(20, 3, 64, 64))
    learnt = sum(tensor.numel() * tensor.element_size() for tensor in task.tensors().values())
    assert announced / 1.5 < learnt < announced * 1.05 + 1000
