"""Few-valued tensors as bytes."""

import zlib

import numpy as np
import torch

LARGEST_CODE = 7
"""Rounded values are whole numbers from -LARGEST_CODE to LARGEST_CODE times their row's step."""

_POWERS = 3 ** np.arange(5, dtype=np.uint8)


def pack_bits(bits: torch.Tensor) -> torch.Tensor:
    """bool [...] -> uint8 [ceil(n / 8)] on the CPU, the first bit highest, zeros after the last."""
    return torch.from_numpy(np.packbits(bits.flatten().cpu().numpy()))


def unpack_bits(packed: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """The bool tensor of this shape that `pack_bits` packed."""
    return torch.from_numpy(np.unpackbits(packed.numpy(), count=shape.numel())).bool().view(shape)


def pack_trits(codes: torch.Tensor) -> torch.Tensor:
    """-1, 0 or +1 [...] -> uint8 [ceil(n / 5)] on the CPU: five to a byte (3 ** 5 = 243), zeros after the last."""
    digits = codes.flatten().to("cpu", torch.int8).numpy() + 1
    digits = np.pad(digits, (0, -len(digits) % 5), constant_values=1).astype(np.uint8)
    return torch.from_numpy((digits.reshape(-1, 5) * _POWERS).sum(1, dtype=np.uint8))


def unpack_trits(packed: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """The int8 tensor of this shape that `pack_trits` packed."""
    digits = packed.numpy()[:, None] // _POWERS % 3
    return torch.from_numpy(digits.flatten()[: shape.numel()].astype(np.int8) - 1).view(shape)


def deflate(packed: torch.Tensor, strategy: int = zlib.Z_DEFAULT_STRATEGY) -> torch.Tensor:
    """uint8 [n] -> uint8 [m], by zlib: masks that drop far less or far more than half of their weights shrink."""
    deflater = zlib.compressobj(9, strategy=strategy)
    data = deflater.compress(packed.numpy().tobytes()) + deflater.flush()
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)


def inflate(deflated: torch.Tensor, length: int) -> torch.Tensor:
    """The uint8 [length] that `deflate` made smaller; ValueError where it holds anything else."""
    try:  # no more than is wanted: a few bytes can stand for gigabytes
        data = zlib.decompressobj().decompress(deflated.numpy().tobytes(), length + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(data) != length:
        raise ValueError(f"{len(data)} bytes in place of {length}")
    return torch.from_numpy(np.frombuffer(bytearray(data), np.uint8))  # torch.frombuffer refuses no bytes


def round_rows(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """[n, ...] -> each row's codes [n, m], whole numbers in the type of `values`, and its step [n, 1], in bfloat16.

    A row is its codes times its step, up to half a step. Its largest value has the code LARGEST_CODE or its negative. A
    row of zeros has codes of zero. Rounding what is rounded changes nothing: a product of a code and a step has few
    enough digits to be exact, so the largest gives the same step again.
    """
    rows = values.flatten(1)
    steps = (rows.abs().amax(1, keepdim=True) / LARGEST_CODE).bfloat16()
    steps = steps.clamp_(min=torch.finfo(torch.bfloat16).tiny)  # no division by zero
    return (rows / steps.to(rows)).round_().clamp_(-LARGEST_CODE, LARGEST_CODE), steps


def pack_rows(values: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The codes and steps of `round_rows`, on the CPU. The codes are deflated to at most half a byte each.

    They follow no pattern, so zlib is told to look for none. That takes a twentieth of the time, and less room.
    """
    codes, steps = round_rows(values.detach().cpu())
    return deflate(codes.to(torch.int8).flatten().view(torch.uint8), zlib.Z_HUFFMAN_ONLY), steps


def unpack_rows(packed: torch.Tensor, steps: torch.Tensor, shape: torch.Size) -> torch.Tensor:
    """The float32 tensor of this shape that `pack_rows` rounded and packed; ValueError as `inflate`."""
    codes = inflate(packed, shape.numel()).view(torch.int8).view(len(steps), shape[1:].numel())
    return (codes * steps.float()).view(shape)
