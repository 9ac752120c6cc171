"""The device that a script computes on (`--gpu_ids`), and how a training on a CPU keeps its memory."""

import ctypes
import re
import sys

import torch

from util import distributed
from util.errors import UserError


def pick_device(gpu_ids: str | None) -> torch.device:
    """The device of `--gpu_ids`: "-1" is the CPU, "0" the first GPU; None takes a GPU if there is one.

    The first GPU is that of CUDA or, without CUDA, the one of a Mac (MPS).

    Under torchrun each process takes the GPU of its own number, unless "-1" asks for the CPU. UserError: no such GPU.
    """
    if distributed.world_size() > 1 and gpu_ids != "-1":
        return torch.device("cuda", distributed.local_rank()) if torch.cuda.is_available() else torch.device("cpu")
    if gpu_ids == "-1":
        return torch.device("cpu")
    if gpu_ids in (None, "0") and not torch.cuda.is_available() and torch.backends.mps.is_available():
        return torch.device("mps")
    if gpu_ids is None:
        return torch.device("cuda", 0) if torch.cuda.is_available() else torch.device("cpu")
    if not re.fullmatch(r"\d+(,\d+)*", gpu_ids):
        raise UserError(f"--gpu_ids {gpu_ids}: want -1 (the CPU) or the number of a GPU")
    if not gpu_ids.isdigit():
        wanted = gpu_ids.count(",") + 1
        raise UserError(
            f"--gpu_ids {gpu_ids}: one process drives one GPU; for {wanted} run "
            f"`CUDA_VISIBLE_DEVICES={gpu_ids} torchrun --nproc_per_node {wanted} train.py ...` without --gpu_ids; "
            "other scripts use one GPU"
        )
    if int(gpu_ids) >= torch.cuda.device_count():
        raise UserError(f"--gpu_ids {gpu_ids}: this machine shows {torch.cuda.device_count()} CUDA GPUs; -1 is the CPU")
    return torch.device("cuda", int(gpu_ids))


def keep_freed_memory() -> None:
    """Let the C library keep what a training step frees, for the next step.

    By default glibc gives tensors of 32 MB and more back to the system at once, as the weights' gradients of a U-Net
    with --ngf 64 are. Each step then waits for the system to clear as many new pages (benchmarks/speed.md). Does
    nothing where the C library is another one.
    """
    if not sys.platform.startswith("linux"):
        return
    libc = ctypes.CDLL(None)
    if hasattr(libc, "gnu_get_libc_version"):
        trim_threshold, most_mapped = -1, -4  # M_TRIM_THRESHOLD and M_MMAP_MAX of malloc.h
        libc.mallopt(trim_threshold, -1)
        libc.mallopt(most_mapped, 0)
