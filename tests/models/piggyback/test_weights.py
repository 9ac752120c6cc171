"""A layer's weights computed from its donor's: equal at the start, from the right filters, stored in few bytes."""

import copy
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from models.piggyback.packing import (
    deflate,
    inflate,
    pack_bits,
    pack_rows,
    pack_trits,
    round_rows,
    unpack_bits,
    unpack_rows,
    unpack_trits,
)
from models.piggyback.task import Settings, Task, attach
from models.piggyback.weights import FilterBank, LowRank, Mask, TernaryMask, filter_axis, own_filters
from tests.models.piggyback.helpers import NETS, donor, image

METHODS = ("masks", "ternary", "filter_bank", "lowrank")
SHAPES = st.tuples(st.integers(1, 9), st.integers(1, 9), st.integers(1, 4), st.integers(1, 3))
KINDS = st.sampled_from([nn.Conv2d, nn.ConvTranspose2d])


def layer(shape: tuple[int, ...], kind: type) -> nn.Module:
    return kind(shape[0], shape[1], shape[2:], bias=False)


@settings(deadline=None, max_examples=60)
@given(shape=SHAPES, kind=KINDS, method=st.sampled_from(METHODS), fraction=st.floats(0.01, 1), rank=st.integers(1, 12))
def test_weights_of_any_shape_start_as_the_donors_and_are_restored_from_a_file(shape, kind, method, fraction, rank):
    conv = layer(shape, kind)
    how = Settings(method, bank_fraction=fraction, rank=rank)
    adapter = how.adapter(conv)
    assert torch.equal(adapter(conv.weight), conv.weight)
    assert adapter(conv.weight).shape == conv.weight.shape
    with torch.no_grad():
        for parameter in adapter.parameters():
            parameter += torch.randn_like(parameter) * 0.02
    stored, again = adapter.stored(), how.adapter(conv)
    assert stored.keys() == adapter.expected().keys()
    for name, (dtype, shape) in adapter.expected().items():
        assert stored[name].dtype == dtype
        assert shape in (None, tuple(stored[name].shape))
    again.restore(stored)
    assert torch.equal(again(conv.weight), adapter(conv.weight))


@settings(deadline=None)
@given(st.lists(st.integers(-1, 1), min_size=1, max_size=50))
def test_packing_is_reversible_and_small(codes):
    codes = torch.tensor(codes, dtype=torch.int8)
    bits, trits = pack_bits(codes > 0), pack_trits(codes)
    assert len(bits) == math.ceil(len(codes) / 8)
    assert len(trits) == math.ceil(len(codes) / 5)
    assert torch.equal(unpack_bits(bits, codes.shape), codes > 0)
    assert torch.equal(unpack_trits(trits, codes.shape), codes)


@pytest.mark.parametrize(("dropped", "most"), [(0.0, 0.05), (0.1, 0.75), (0.5, 1.02)])
def test_the_fewer_weights_are_dropped_the_smaller_the_mask(dropped, most):
    packed = pack_bits(torch.rand(1 << 16, generator=torch.Generator().manual_seed(0)) >= dropped)
    deflated = deflate(packed)
    assert len(deflated) < most * len(packed)
    assert torch.equal(inflate(deflated, len(packed)), packed)
    with pytest.raises(ValueError, match="in place of"):
        inflate(deflated, len(packed) + 1)
    with pytest.raises(ValueError, match="header"):
        inflate(packed, len(packed))


def test_packed_bytes_are_those_computed_by_hand():
    assert pack_bits(torch.tensor([True, False, True])).tolist() == [0b10100000]
    assert pack_trits(torch.tensor([[1, -1], [0, 1]])).tolist() == [2 + 0 * 3 + 1 * 9 + 2 * 27 + 1 * 81]


def test_a_mask_keeps_weights_above_the_cutoff_and_its_gradient_passes_straight_through():
    donor = torch.tensor([[2.0, -3.0, 5.0]])
    mask = Mask(donor, init=0.01, cutoff=0.005)
    mask.real.data = torch.tensor([[0.006, 0.005, -1.0]])
    made = mask(donor)
    assert made.tolist() == [[2.0, 0.0, 0.0]]
    (made * torch.tensor([[1.0, 10.0, 100.0]])).sum().backward()
    assert mask.real.grad.tolist() == [[2.0, -30.0, 500.0]], "the loss's gradient times the donor's weight"
    ternary = TernaryMask(donor, init=0.01, cutoff=0.005)
    ternary.real.data = torch.tensor([[0.006, 0.005, -0.001]])
    assert ternary(donor).tolist() == [[2.0, 0.0, -5.0]]


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_a_row_of_mixing_adds_filters_of_the_bank_to_the_donors(kind):
    """A filter computes one output channel. In a transposed convolution another axis of the weights counts them."""
    conv = layer((8, 8, 3, 3), kind)
    bank = FilterBank(conv.weight, filter_axis(conv), 0.25)
    assert bank.unconstrained.shape == (2, 8, 3, 3)
    assert bank.mixing.shape == (6, 8)
    with torch.no_grad():
        bank.mixing[3, 6] = 7  # the donor's channel 6, seven times, onto output channel 2 + 3
    image = torch.rand(1, 8, 7, 7)
    before = conv(image)
    conv.weight = nn.Parameter(bank(conv.weight))
    after = conv(image)
    torch.testing.assert_close(after[:, 5], before[:, 5] + 7 * before[:, 6])
    assert torch.equal(after[:, :5], before[:, :5])
    assert torch.equal(after[:, 6:], before[:, 6:])


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_a_cumulative_bank_also_holds_the_filters_of_earlier_tasks(kind):
    conv = layer((8, 8, 3, 3), kind)
    axis = filter_axis(conv)
    earlier = tuple(torch.rand(2, 8, 3, 3) for _ in range(2))
    bank = FilterBank(conv.weight, axis, 0.25, earlier)
    assert bank.mixing.shape == (6, 8 + 2 + 2)
    assert torch.equal(bank(conv.weight), conv.weight)
    with torch.no_grad():
        bank.mixing[0, 8 + 2 + 1] = 7
    wanted = conv.weight.movedim(axis, 0)[2] + 7 * earlier[1][1]
    torch.testing.assert_close(bank(conv.weight).movedim(axis, 0)[2], wanted)


@pytest.mark.parametrize("kind", [nn.Conv2d, nn.ConvTranspose2d])
def test_the_own_filters_of_a_stored_bank_are_those_that_it_computes(kind):
    conv = layer((8, 8, 3, 3), kind)
    axis = filter_axis(conv)
    bank = FilterBank(conv.weight, axis, 0.25)
    nn.init.normal_(bank.unconstrained)
    stored = {f"0.weight.{part}": tensor for part, tensor in bank.stored().items()}
    assert torch.equal(own_filters(conv, stored, "0.weight"), bank(conv.weight).movedim(axis, 0)[:2])


def test_rows_are_rounded_to_whole_numbers_times_a_step_of_their_own():
    """Each row's largest value becomes 7 or -7 steps. 1.4 and 0.8 steps round to one, 1.6 to two, 0.4 to none."""
    rows = torch.tensor([[7.0, 1.4, -1.6, 0.4], [0.35, -3.5, 0.0, 0.8], [0.0, 0.0, 0.0, 0.0]])
    codes, steps = round_rows(rows)
    assert codes.tolist() == [[7, 1, -2, 0], [1, -7, 0, 2], [0, 0, 0, 0]]
    assert steps[:2].tolist() == [[1.0], [0.5]]
    assert unpack_rows(*pack_rows(rows), rows.shape).tolist() == [
        [7.0, 1.0, -2.0, 0.0],
        [0.5, -3.5, 0.0, 1.0],
        [0.0] * 4,
    ]


@settings(deadline=None)
@given(
    st.integers(0, 2**31),
    st.sampled_from([torch.float32, torch.float64]),
    st.sampled_from([1e-44, 1e-37, 1e-3, 1, 1e30]),
)
def test_rounding_what_is_rounded_changes_nothing(seed, dtype, scale):
    """Or else a task that is loaded and saved again would not be the same."""
    rows = torch.randn(20, 9, generator=torch.Generator().manual_seed(seed)).to(dtype) * scale
    codes, steps = round_rows(rows)
    again = round_rows(codes * steps)
    assert torch.equal(again[0], codes)
    assert torch.equal(again[1], steps)


def test_packed_rows_take_half_a_byte_a_value_and_less_where_most_are_small():
    random = torch.Generator().manual_seed(0)
    for values, bits in (
        (torch.rand(64, 1000, generator=random) * 2 - 1, 4),
        (torch.randn(64, 1000, generator=random), 3.2),
    ):
        packed, steps = pack_rows(values)
        assert len(packed) < values.numel() * bits / 8
        assert (unpack_rows(packed, steps, values.shape) - values).abs().max() <= steps.float().max() * 0.53


def test_the_gradient_passes_straight_through_the_rounding():
    change = LowRank(torch.ones(2, 2, 1, 1), 0, rank=1)
    change.down.data, change.up.data = torch.tensor([[7.0, 1.4]]), torch.tensor([[14.0], [0.0]])
    made = change(torch.ones(2, 2, 1, 1))
    assert made.flatten().tolist() == [1 + 14 * 7, 1 + 14 * 1, 1, 1], "1.4 counts as 1"
    made[0, 1].backward()
    assert change.down.grad.tolist() == [[0, 14]]
    assert change.up.grad.tolist() == [[1], [0]]


@pytest.mark.parametrize("netG", NETS)
@pytest.mark.parametrize(
    "how",
    [Settings("filter_bank"), Settings("filter_bank", bank_fraction=1.0), Settings("lowrank")],
    ids=["bank", "whole bank", "lowrank"],
)
def test_training_mixes_answers_instead_of_filters_with_the_same_outputs_and_gradients(netG, how):
    """In training, `forward` is never called for a layer without groups."""
    net = donor(netG).double().eval()
    task = attach(net, how)
    nudge(task)
    convs = [layer for layer in net.modules() if isinstance(layer, (nn.Conv2d, nn.ConvTranspose2d))]
    parameters = [parameter for parameter in task.parameters() if parameter.numel()]
    found = []
    for training in (False, True):
        for conv in convs:
            conv.training = training
        out = net(image().double())
        found.append([out, *torch.autograd.grad(out.square().sum(), parameters)])
    for kept, answered in zip(*found, strict=True):
        torch.testing.assert_close(answered, kept)
    if netG != "mobile_resnet_9blocks":  # some of its convolutions have groups
        made = [p for conv in convs if hasattr(conv, "parametrizations") for p in conv.parametrizations.weight]
        for module in made:
            module.forward = None
        net(image().double())


def test_answers_of_the_filters_of_earlier_tasks_are_mixed_too():
    conv = nn.ConvTranspose2d(8, 8, 4, stride=2, padding=1, output_padding=1)
    net = nn.Sequential(nn.Conv2d(3, 8, 1), conv, nn.Conv2d(8, 3, 1))
    first = attach(net, Settings("filter_bank"))
    nudge(first)
    nudge(attach(net, Settings("filter_bank"), [first.tensors()]))
    picture = torch.rand(1, 3, 5, 6)
    torch.testing.assert_close(net.train()(picture), net.eval()(picture))


def test_a_copy_of_an_adapted_network_does_not_share_its_weights():
    net = donor()
    nudge(attach(net, Settings("filter_bank")))
    twin = copy.deepcopy(net)
    before = twin.train()(image())
    for parameter in net.parameters():
        parameter.data.zero_()
    assert torch.equal(twin.train()(image()), before)


def nudge(task: Task) -> None:
    torch.manual_seed(3)
    with torch.no_grad():
        for parameter in task.parameters():
            parameter += torch.randn_like(parameter) * 0.05


def test_lowrank_changes_weights_by_a_matrix_of_that_rank():
    conv = nn.ConvTranspose2d(16, 12, 3)
    change = LowRank(conv.weight, 1, rank=2)
    nn.init.normal_(change.up)
    difference = (change(conv.weight) - conv.weight).movedim(1, 0).flatten(1)
    assert torch.linalg.matrix_rank(difference, atol=1e-4) == 2
    assert sum(p.numel() for p in change.parameters()) == 2 * (12 + 16 * 9)


def test_settings_that_would_not_start_as_the_donor_are_refused():
    from util.errors import UserError

    with pytest.raises(UserError, match="--mask_cutoff 0.02: .* less than --mask_init 0.01"):
        Settings("masks", mask_init=0.01, mask_cutoff=0.02)
    with pytest.raises(UserError, match="--adapt magic"):
        Settings("magic")
