"""Few-valued tensors as bytes."""

import zlib

import numpy as np
import torch

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


def deflate(packed: torch.Tensor) -> torch.Tensor:
    """uint8 [n] -> uint8 [m], by zlib: masks that drop far less or far more than half of their weights shrink."""
    return torch.frombuffer(bytearray(zlib.compress(packed.numpy().tobytes(), 9)), dtype=torch.uint8)


def inflate(deflated: torch.Tensor, length: int) -> torch.Tensor:
    """The uint8 [length] that `deflate` made smaller; ValueError where it holds anything else."""
    try:  # no more than is wanted: a few bytes can stand for gigabytes
        data = zlib.decompressobj().decompress(deflated.numpy().tobytes(), length + 1)
    except zlib.error as error:
        raise ValueError(str(error)) from error
    if len(data) != length:
        raise ValueError(f"{len(data)} bytes in place of {length}")
    return torch.frombuffer(bytearray(data), dtype=torch.uint8)
