"""Training on several GPUs or nodes, started by torchrun. Without torchrun, each function acts for the only process.

Each process trains on its share of the images. Before an optimizer steps, a hook averages the gradients over all
processes. PyTorch's own DistributedDataParallel is not used: with batch norm it breaks as soon as a network runs
forward twice in one step, as a GAN's discriminator does (pytorch/pytorch#175024).
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any, TextIO

from util.errors import UserError

if TYPE_CHECKING:  # flags are parsed and messages printed without torch
    from torch import nn
    from torch.optim import Optimizer

_rank, _world_size = 0, 1
_cpu_group: Any = None  # a torch.distributed.ProcessGroup for short messages: no process has to wait for its GPU


def start() -> None:
    """Join the other processes if torchrun started this one: by NCCL if CUDA is available, by gloo otherwise."""
    if "LOCAL_RANK" not in os.environ or _cpu_group is not None:
        return
    import torch

    if torch.cuda.is_available():
        if local_rank() >= torch.cuda.device_count():
            raise UserError(f"torchrun --nproc_per_node: this machine has only {torch.cuda.device_count()} GPUs")
        torch.cuda.set_device(local_rank())
    join("nccl" if torch.cuda.is_available() else "gloo")


def join(backend: str, **settings: Any) -> None:
    """Start the process group by `torch.distributed.init_process_group(backend, **settings)`."""
    global _rank, _world_size, _cpu_group
    import torch.distributed as dist

    dist.init_process_group(backend, **settings)
    _cpu_group = dist.new_group(backend="gloo")
    _rank, _world_size = dist.get_rank(), dist.get_world_size()


def stop() -> None:
    """Leave the group. All processes leave together: one that left early could bring the others down."""
    global _rank, _world_size, _cpu_group
    if _cpu_group is None:
        return
    import torch.distributed as dist

    with _together():
        dist.barrier(group=_cpu_group)
    dist.destroy_process_group()
    _rank, _world_size, _cpu_group = 0, 1, None


def rank() -> int:
    """This process's number. Process 0 saves, prints and shows."""
    return _rank


def world_size() -> int:
    """How many processes train together."""
    return _world_size


def local_rank() -> int:
    """This process's number on its machine, which is also the number of its GPU."""
    return int(os.environ.get("LOCAL_RANK", 0))


def say(*lines: object, file: TextIO | None = None) -> None:
    """Print each value on its own line. Only process 0 prints, so that no message is repeated."""
    if rank() == 0:
        print(*lines, sep="\n", file=file, flush=True)


def share(networks: Iterable[nn.Module], optimizers: Iterable[Optimizer]) -> None:
    """Copy process 0's weights to all processes and keep them equal by averaging gradients. Does nothing alone."""
    if world_size() == 1:
        return
    import torch.distributed as dist

    with _together():
        for net in networks:
            for tensor in net.state_dict().values():
                dist.broadcast(tensor, 0)
    for optimizer in optimizers:
        optimizer.register_step_pre_hook(_average_gradients)


def _average_gradients(optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
    """Average the gradients over all processes: an optimizer's hook, called before each step."""
    import torch
    import torch.distributed as dist

    gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    flat = torch.cat([gradient.flatten() for gradient in gradients])  # one message is faster than many small ones
    with _together():
        dist.all_reduce(flat)
    flat /= world_size()
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def share_buffers(net: nn.Module) -> None:
    """Copy process 0's buffers, such as batch norm's averages, to all processes. Does nothing alone."""
    if world_size() == 1:
        return
    import torch.distributed as dist

    with _together():
        for buffer in net.buffers():
            dist.broadcast(buffer, 0)


def from_first(value: float | None) -> float | None:
    """Process 0's `value`, in every process."""
    if world_size() == 1:
        return value
    import torch.distributed as dist

    box = [value]
    with _together():
        dist.broadcast_object_list(box, 0, group=_cpu_group)
    return box[0]


def gather(value: object) -> list[Any]:
    """The values of all processes, in the first process; only the own one in each other process."""
    if world_size() == 1:
        return [value]
    import torch.distributed as dist

    values: list[Any] = [None] * world_size()
    with _together():
        dist.gather_object(value, None if rank() else values, group=_cpu_group)
    return [value] if rank() else values


def any_process(flag: bool) -> bool:
    """Whether `flag` is true in at least one process."""
    if world_size() == 1:
        return flag
    import torch
    import torch.distributed as dist

    shared = torch.tensor(int(flag))
    with _together():
        dist.all_reduce(shared, dist.ReduceOp.MAX, group=_cpu_group)
    return bool(shared)


@contextlib.contextmanager
def _together() -> Iterator[None]:
    """A message to all processes. UserError: another process is gone."""
    try:
        yield
    except RuntimeError as error:  # torch has no class for it that gloo uses
        reason = str(error).splitlines()[0]
        raise UserError(
            f"process {rank()}: another process of this training ended or cannot be reached ({reason}); its own last "
            "line says why; --continue_train goes on from the last save"
        ) from error
