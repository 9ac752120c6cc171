"""Ways to make a task's weights from a donor's frozen ones: one module a layer, `forward(donor) -> weights`.

Each starts where the donor is: before the first step the weights made are the donor's, bit for bit.
"""

import math
from collections.abc import Callable

import torch
import torch.nn.functional as F
from torch import nn
from torch.nn.modules.conv import _ConvNd, _ConvTransposeNd

from models.piggyback.packing import deflate, inflate, pack_bits, pack_trits, unpack_bits, unpack_trits

Tensors = dict[str, torch.Tensor]


def filter_axis(layer: _ConvNd) -> int:
    """The axis of a convolution's weights that counts its filters (output channels): 1 where it is transposed."""
    return 1 if isinstance(layer, _ConvTransposeNd) else 0


class _Masked(torch.autograd.Function):
    """Donor weights times the code of each real value; the gradient passes the threshold as if it were the identity
    (straight through). One function for both, since the product's own gradient would keep the codes in memory."""

    @staticmethod
    def forward(ctx, donor: torch.Tensor, real: torch.Tensor, cutoff: float, ternary: bool) -> torch.Tensor:
        ctx.save_for_backward(donor)
        if ternary:  # through codes of a byte each: half the time of choosing among whole tensors
            return donor * ((real > cutoff).view(torch.int8) - (real < 0).view(torch.int8))
        return torch.where(real > cutoff, donor, 0.0)

    @staticmethod
    def backward(ctx, gradient: torch.Tensor):
        (donor,) = ctx.saved_tensors
        return None, gradient * donor, None, None


class Mask(nn.Module):
    """The donor's weights, each kept or set to zero: Piggyback (Mallya et al. 2018, arXiv 1801.06519).

    One real value per weight is trained, `init` at first; above `cutoff` the weight is kept. A weight's gradient
    reaches its value times the donor's weight. Stored as at most one bit a weight.
    """

    ternary = False

    def __init__(self, weight: torch.Tensor, init: float, cutoff: float):
        super().__init__()
        self.init, self.cutoff = init, cutoff
        self.real = nn.Parameter(torch.full_like(weight, init))

    def forward(self, donor: torch.Tensor) -> torch.Tensor:
        return _Masked.apply(donor, self.real, self.cutoff, self.ternary)

    def stored(self) -> Tensors:
        """What a task file holds of this layer."""
        return {"mask": deflate(pack_bits(self.real.detach() > self.cutoff))}

    def expected(self) -> dict[str, tuple[torch.dtype, tuple[int, ...] | None]]:
        """Types and shapes of `stored`; None: any length."""
        return {"mask": (torch.uint8, None)}

    @torch.no_grad()
    def restore(self, tensors: Tensors) -> None:
        """Take over what a task file holds; values lie as far from the cutoff as they did at the start."""
        packed = inflate(tensors["mask"], math.ceil(self.real.numel() / 8))
        kept = unpack_bits(packed, self.real.shape).to(self.real.device)
        self.real.copy_(torch.where(kept, self.init, 2 * self.cutoff - self.init))


class TernaryMask(Mask):
    """A mask that can also turn a weight's sign: +1 above `cutoff`, -1 below zero (as in the paper's released code).

    Stored as at least five weights a byte.
    """

    ternary = True

    def stored(self) -> Tensors:
        codes = (self.real > self.cutoff).to(torch.int8) - (self.real < 0).to(torch.int8)
        return {"mask": deflate(pack_trits(codes))}

    @torch.no_grad()
    def restore(self, tensors: Tensors) -> None:
        packed = inflate(tensors["mask"], math.ceil(self.real.numel() / 5))
        codes = unpack_trits(packed, self.real.shape).to(self.real.device)
        values = torch.tensor([-self.init, self.cutoff / 2, self.init], device=codes.device)
        self.real.copy_(values[codes.long() + 1])


class _Trained(nn.Module):
    """A layer whose parameters are stored as they are."""

    def stored(self) -> Tensors:
        return {name: value.detach().cpu().clone() for name, value in self.named_parameters()}

    def expected(self) -> dict[str, tuple[torch.dtype, tuple[int, ...] | None]]:
        return {name: (value.dtype, tuple(value.shape)) for name, value in self.named_parameters()}

    @torch.no_grad()
    def restore(self, tensors: Tensors) -> None:
        for name, value in self.named_parameters():
            value.copy_(tensors[name])


def respond(layer: nn.Conv2d | nn.ConvTranspose2d, images: torch.Tensor) -> torch.Tensor:
    """`layer.forward` under a `FilterBank` or `LowRank`: while training, what filters answer is mixed, not the filters.

    The same function up to rounding, since convolution is linear in its filters; but the weights made and their
    gradients never exist, which for 512 filters cost more than the convolution itself (benchmarks.adapt).
    """
    if not layer.training or layer.groups > 1 or layer.padding_mode != "zeros":
        return type(layer).forward(layer, images)
    made = layer.parametrizations.weight

    def convolve(weight: torch.Tensor) -> torch.Tensor:
        if isinstance(layer, nn.Conv2d):
            return F.conv2d(images, weight, None, layer.stride, layer.padding, layer.dilation)
        return F.conv_transpose2d(
            images, weight, None, layer.stride, layer.padding, layer.output_padding, dilation=layer.dilation
        )

    answers = made[0].mix(convolve, made.original)
    return answers if layer.bias is None else answers + layer.bias[:, None, None]


def _mixed(answers: torch.Tensor, matrix: torch.Tensor) -> torch.Tensor:
    """matrix [n, C] times the channels of answers [N, C, H, W]."""
    return F.conv2d(answers, matrix[:, :, None, None])


class FilterBank(_Trained):
    """Some filters of the task's own, the rest mixed out of a bank: Piggyback GAN (Zhai et al. 2020, arXiv 2104.11939).

    axis: `filter_axis`. The first ceil(fraction * filters) filters are `unconstrained`; each other one is a row of
    `mixing` [rest, bank] times the bank: the donor's filters and then those in `earlier` (each [n, ...], a filter a
    row), the unconstrained ones of earlier tasks. At first each is the donor's own filter.
    """

    def __init__(self, weight: torch.Tensor, axis: int, fraction: float, earlier: tuple[torch.Tensor, ...] = ()):
        super().__init__()
        self.axis = axis
        filters = weight.detach().movedim(axis, 0)
        own = math.ceil(fraction * len(filters) - 1e-9)
        rows = [filters.new_zeros(0, filters[0].numel()), *(rows.to(filters).flatten(1) for rows in earlier)]
        self.register_buffer("earlier", torch.cat(rows), persistent=False)
        self.unconstrained = nn.Parameter(filters[:own].clone(memory_format=torch.contiguous_format))
        selection = torch.eye(len(filters), len(filters) + len(self.earlier), device=weight.device, dtype=weight.dtype)
        self.mixing = nn.Parameter(selection[own:].clone())

    def forward(self, donor: torch.Tensor) -> torch.Tensor:
        filters = donor.movedim(self.axis, 0)
        bank = filters.flatten(1)
        if len(self.earlier):
            bank = torch.cat([bank, self.earlier])
        mixed = self.mixing @ bank
        made = torch.cat([self.unconstrained, mixed.view(-1, *filters.shape[1:])])
        return made.movedim(0, self.axis).contiguous()

    def mix(self, convolve: Callable[[torch.Tensor], torch.Tensor], donor: torch.Tensor) -> torch.Tensor:
        """What `convolve` gives with the weights that `forward` makes, up to rounding."""
        own = convolve(self.unconstrained.movedim(0, self.axis))
        if not len(self.mixing):
            return own
        answers = convolve(donor)
        if len(self.earlier):
            earlier = self.earlier.view(-1, *self.unconstrained.shape[1:]).movedim(0, self.axis)
            answers = torch.cat([answers, convolve(earlier)], 1)
        return torch.cat([own, _mixed(answers, self.mixing)], 1)


class LowRank(_Trained):
    """The donor's weights plus a matrix [filters, weights of a filter] of low rank: LoRA (Hu et al. 2021, 2106.09685).

    No scale beside it: with Adam that would only be another learning rate. The rank never exceeds the matrix's own.
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
        return donor + (self.up @ self.down).view(filters.shape).movedim(0, self.axis)

    def mix(self, convolve: Callable[[torch.Tensor], torch.Tensor], donor: torch.Tensor) -> torch.Tensor:
        """What `convolve` gives with the weights that `forward` makes, up to rounding."""
        down = self.down.view(-1, *donor.movedim(self.axis, 0).shape[1:]).movedim(0, self.axis)
        return convolve(donor) + _mixed(convolve(down), self.up)
