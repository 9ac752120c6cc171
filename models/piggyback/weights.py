"""Ways to compute a task's weights from a donor's frozen ones: one module for each layer, `forward(donor) -> weights`.

Each starts where the donor is: before the first step it returns the donor's weights, bit for bit.
"""

import math
from abc import abstractmethod
from collections.abc import Callable
from typing import cast

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd
from torch.nn.utils.parametrize import ParametrizationList

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

Tensors = dict[str, torch.Tensor]
Expected = tuple[torch.dtype, tuple[int, ...] | None]
"""Type and shape of a stored tensor; None: of any length."""


def filter_axis(layer: _ConvNd) -> int:
    """The axis of a convolution's weights that counts its filters (output channels): 1 in a transposed convolution."""
    return 1 if isinstance(layer, _ConvTransposeNd) else 0


class Adapter(nn.Module):
    """Computes a layer's weights from the donor's. Its parameters are what a task trains in that layer."""

    @abstractmethod
    def forward(self, donor: torch.Tensor) -> torch.Tensor:
        """The donor's weights to the task's, of the same shape."""

    @abstractmethod
    def stored(self) -> Tensors:
        """The tensors that a task file holds for this layer, by name."""

    @abstractmethod
    def largest(self) -> int:
        """The bytes that `stored` takes at most, whatever the task learns."""

    @abstractmethod
    def expected(self) -> dict[str, Expected]:
        """Type and shape of each tensor of `stored`."""

    @abstractmethod
    def restore(self, tensors: Tensors) -> None:
        """Take over what a task file holds, in place."""


class _Masked(torch.autograd.Function):
    """Donor weights times the code of each real value: 1 above the cutoff, else 0 (ternary: -1 below zero).

    The cutoff is a step, whose own gradient is zero nearly everywhere. The paper therefore passes the gradient straight
    through it, as if the code were the real value itself. Product and cutoff are one function here, because the
    product's own gradient would keep the codes in memory.
    """

    @staticmethod
    def forward(ctx, donor: torch.Tensor, real: torch.Tensor, cutoff: float, ternary: bool) -> torch.Tensor:
        ctx.save_for_backward(donor)
        if ternary:  # codes of one byte each take half the time of choosing among whole tensors
            return donor * ((real > cutoff).view(torch.int8) - (real < 0).view(torch.int8))
        return torch.where(real > cutoff, donor, 0.0)

    @staticmethod
    def backward(ctx, *grad_outputs: torch.Tensor):
        (donor,) = ctx.saved_tensors
        return None, grad_outputs[0] * donor, None, None


class Mask(Adapter):
    """The donor's weights, each kept or set to zero: Piggyback (Mallya et al. 2018, arXiv 1801.06519).

    Each weight has a real value, which is trained and begins at `init`. The weight is kept where the value is above
    `cutoff`. The value's gradient is the gradient of the task's weight times the donor's weight. Stored as at most one
    bit per weight.
    """

    ternary = False

    def __init__(self, weight: torch.Tensor, init: float, cutoff: float):
        super().__init__()
        self.init, self.cutoff = init, cutoff
        self.real = nn.Parameter(torch.full_like(weight, init))

    def forward(self, donor: torch.Tensor) -> torch.Tensor:
        return cast(torch.Tensor, _Masked.apply(donor, self.real, self.cutoff, self.ternary))

    def stored(self) -> Tensors:
        return {"mask": deflate(pack_bits(self.real.detach() > self.cutoff))}

    def largest(self) -> int:
        return math.ceil(self.real.numel() / 8)  # a new mask keeps everything and deflates to almost nothing

    def expected(self) -> dict[str, Expected]:
        return {"mask": (torch.uint8, None)}

    @torch.no_grad()
    def restore(self, tensors: Tensors) -> None:
        """Take over a stored mask. It holds no real values: they become `init`, or lie as far below the cutoff."""
        packed = inflate(tensors["mask"], math.ceil(self.real.numel() / 8))
        kept = unpack_bits(packed, self.real.shape).to(self.real.device)
        self.real.copy_(torch.where(kept, self.init, 2 * self.cutoff - self.init))


class TernaryMask(Mask):
    """A mask that can also turn a weight's sign: +1 above `cutoff`, -1 below zero (as in the paper's released code).

    Stored in at most a byte for five weights.
    """

    ternary = True

    def stored(self) -> Tensors:
        codes = (self.real > self.cutoff).to(torch.int8) - (self.real < 0).to(torch.int8)
        return {"mask": deflate(pack_trits(codes))}

    def largest(self) -> int:
        return math.ceil(self.real.numel() / 5)

    @torch.no_grad()
    def restore(self, tensors: Tensors) -> None:
        packed = inflate(tensors["mask"], math.ceil(self.real.numel() / 5))
        codes = unpack_trits(packed, self.real.shape).to(self.real.device)
        values = torch.tensor([-self.init, self.cutoff / 2, self.init], device=codes.device)
        self.real.copy_(values[codes.long() + 1])


class _Rounded(torch.autograd.Function):
    """Codes times steps of `round_rows`. The gradient passes straight through them, as in `_Masked`."""

    @staticmethod
    def forward(ctx, values: torch.Tensor) -> torch.Tensor:
        codes, steps = round_rows(values)
        return codes.mul_(steps).view_as(values)

    @staticmethod
    def backward(ctx, *grad_outputs: torch.Tensor):
        return grad_outputs[0]


class _Mixer(Adapter):
    """A change to the donor's weights that is linear in the donor's filters, from rounded parameters.

    The parameters themselves are trained, and the training state holds them. Everything else, the training's own passes
    as well, sees them as the task file stores them: whole numbers times a step for each row (`round_rows`). The
    gradient passes straight through the rounding (Bengio et al. 2013, 1308.3432).
    """

    def rounded(self, name: str) -> torch.Tensor:
        """The parameter of this name as the task file stores it."""
        return cast(torch.Tensor, _Rounded.apply(self.get_parameter(name)))

    @abstractmethod
    def mix(self, convolve: Callable[[torch.Tensor], torch.Tensor], donor: torch.Tensor) -> torch.Tensor:
        """The result of `convolve` with the weights that `forward` computes, up to rounding.

        convolve: takes weights and returns the layer's answers [N, filters, H, W] to its images.
        """

    def stored(self) -> Tensors:
        tensors = {}
        for name, values in self.named_parameters():
            tensors[name], tensors[f"{name}_steps"] = pack_rows(values)
        return tensors

    def largest(self) -> int:
        """Half a byte for each value, two bytes for each row's step."""
        return sum(math.ceil(values.numel() / 2) + 2 * len(values) for values in self.parameters())

    def expected(self) -> dict[str, Expected]:
        shapes: dict[str, Expected] = {}
        for name, values in self.named_parameters():
            shapes |= {name: (torch.uint8, None), f"{name}_steps": (torch.bfloat16, (len(values), 1))}
        return shapes

    @torch.no_grad()
    def restore(self, tensors: Tensors) -> None:
        for name, values in self.named_parameters():
            values.copy_(unpack_rows(tensors[name], tensors[f"{name}_steps"], values.shape))


def respond(layer: _ConvNd, images: torch.Tensor) -> torch.Tensor:
    """`layer.forward` under a `FilterBank` or `LowRank`: training mixes the answers of filters instead of the filters.

    Both give the same result up to rounding, since a convolution is linear in its filters. But mixing 512 filters and
    their gradients costs more than the convolution itself (benchmarks.adapt), and this way they never exist.
    """
    if not layer.training or layer.groups > 1 or layer.padding_mode != "zeros":
        return type(layer).forward(layer, images)
    weights = cast(ParametrizationList, layer.get_submodule("parametrizations.weight"))

    def convolve(weight: torch.Tensor) -> torch.Tensor:
        if isinstance(layer, nn.ConvTranspose2d):
            padding = cast(tuple[int, ...], layer.padding)
            return F.conv_transpose2d(
                images, weight, None, layer.stride, padding, layer.output_padding, dilation=layer.dilation
            )
        return F.conv2d(images, weight, None, layer.stride, layer.padding, layer.dilation)

    answers = cast(_Mixer, weights[0]).mix(convolve, weights.original)
    return answers if layer.bias is None else answers + layer.bias[:, None, None]


def _mixed(answers: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """matrix [n, C] times the channels of answers [N, C, H, W]: a 1x1 convolution."""
    return F.conv2d(answers, matrix[:, :, None, None])


class FilterBank(_Mixer):
    """Some filters of the task's own, the rest mixed from a bank: Piggyback GAN (Zhai et al. 2020, arXiv 2104.11939).

    axis: `filter_axis`. The first ceil(fraction * filters) filters are the task's own: the donor's plus
    `unconstrained`. Each other filter is the donor's plus a row of `mixing` [rest, bank] times the bank. The bank holds
    the donor's filters and then those of `earlier`, the own filters of earlier tasks (one tensor [n, ...] each, a
    filter in each row). Both begin at zero and zero is kept by rounding, so at first each filter is the donor's own.
    """

    earlier: torch.Tensor  # [n, weights of a filter]; not stored, as the earlier tasks' files hold it

    def __init__(self, weight: torch.Tensor, axis: int, fraction: float, earlier: tuple[torch.Tensor, ...] = ()):
        super().__init__()
        self.axis = axis
        filters = weight.detach().movedim(axis, 0)
        own = math.ceil(fraction * len(filters) - 1e-9)  # 1e-9: 0.07 * 100 is 7.000000000000001
        rows = [filters.new_zeros(0, filters[0].numel()), *(rows.to(filters).flatten(1) for rows in earlier)]
        self.register_buffer("earlier", torch.cat(rows), persistent=False)
        self.unconstrained = nn.Parameter(filters.new_zeros(own, *filters.shape[1:]))
        self.mixing = nn.Parameter(filters.new_zeros(len(filters) - own, len(filters) + len(self.earlier)))

    def forward(self, donor: torch.Tensor) -> torch.Tensor:
        filters = donor.movedim(self.axis, 0)
        bank = torch.cat([filters.flatten(1), self.earlier])
        change = torch.cat([self.rounded("unconstrained").flatten(1), self.rounded("mixing") @ bank])
        return (donor + change.view(filters.shape).movedim(0, self.axis)).contiguous()

    def mix(self, convolve: Callable[[torch.Tensor], torch.Tensor], donor: torch.Tensor) -> torch.Tensor:
        answers = convolve(donor)
        change = convolve(self.rounded("unconstrained").movedim(0, self.axis))
        if len(self.mixing):
            bank = answers
            if len(self.earlier):
                earlier = self.earlier.view(-1, *self.unconstrained.shape[1:]).movedim(0, self.axis)
                bank = torch.cat([answers, convolve(earlier)], 1)
            change = torch.cat([change, _mixed(bank, self.rounded("mixing"))], 1)
        return answers + change


def own_filters(layer: _ConvNd, tensors: Tensors, name: str) -> torch.Tensor:
    """A stored task's own filters of a layer, [n, ...]: the donor's first n, plus what `FilterBank` stored.

    layer: with the donor's weights. tensors, name: the task file's, and the name there of the layer's weights.
    """
    filters, steps = layer.weight.detach().movedim(filter_axis(layer), 0), tensors[f"{name}.unconstrained_steps"]
    first = filters[: len(steps)]
    return first + unpack_rows(tensors[f"{name}.unconstrained"], steps, first.shape).to(first)


class LowRank(_Mixer):
    """The donor's weights plus a matrix [filters, weights of a filter] of low rank: LoRA (Hu et al. 2021, 2106.09685).

    LoRA's scale is left out, since with Adam it would only be another learning rate. The rank never exceeds that of the
    weights. `up` begins at zero, so the weights begin as the donor's; `down` is random, or nothing would have a slope.
    """

    def __init__(self, weight: torch.Tensor, axis: int, rank: int):
        super().__init__()
        self.axis = axis
        filters = weight.detach().movedim(axis, 0).flatten(1)
        rank = min(rank, *filters.shape)
        bound = filters.shape[1] ** -0.5
        self.down = nn.Parameter(torch.empty_like(filters[:rank], memory_format=torch.contiguous_format))
        nn.init.uniform_(self.down, -bound, bound)
        self.up = nn.Parameter(filters.new_zeros(len(filters), rank))

    def forward(self, donor: torch.Tensor) -> torch.Tensor:
        filters = donor.movedim(self.axis, 0)
        return donor + (self.rounded("up") @ self.rounded("down")).view(filters.shape).movedim(0, self.axis)

    def mix(self, convolve: Callable[[torch.Tensor], torch.Tensor], donor: torch.Tensor) -> torch.Tensor:
        down = self.rounded("down").view(-1, *donor.movedim(self.axis, 0).shape[1:]).movedim(0, self.axis)
        return convolve(donor) + _mixed(convolve(down), self.rounded("up"))
