"""Training on several GPUs or nodes, started by torchrun. Alone (no torchrun) every function does the obvious.

Each process trains on its share of the images; before an optimizer steps, the gradients are averaged over the
processes. That is all a GAN needs: its networks run several times a step and take turns at being frozen, which
DistributedDataParallel's bookkeeping does not like.
"""

import os
import sys
from collections.abc import Iterable

import torch
import torch.distributed as dist
from torch import nn
from torch.optim import Optimizer

from util.errors import UserError

_talk: dist.ProcessGroup | None = None  # what is said between processes goes from CPU to CPU: no GPU has to wait


def start() -> None:
    """Join the other processes when torchrun started this one: NCCL where CUDA is, else gloo. Only rank 0 prints."""
    if "LOCAL_RANK" not in os.environ or dist.is_initialized():
        return
    if torch.cuda.is_available():
        if local_rank() >= torch.cuda.device_count():
            raise UserError(f"torchrun --nproc_per_node: this machine shows {torch.cuda.device_count()} GPUs, no more")
        torch.cuda.set_device(local_rank())
    join("nccl" if torch.cuda.is_available() else "gloo")
    if rank():
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115 (for the life of the process)


def join(backend: str, **settings: object) -> None:
    """Start the process group of `torch.distributed.init_process_group(backend, **settings)`."""
    global _talk
    dist.init_process_group(backend, **settings)
    _talk = dist.new_group(backend="gloo")


def stop() -> None:
    """Leave the group, all processes together: one that leaves early can bring the others down."""
    global _talk
    if dist.is_initialized():
        dist.barrier(group=_talk)
        _talk = None
        dist.destroy_process_group()


def rank() -> int:
    """This process's number; 0 saves, prints and shows."""
    return dist.get_rank() if dist.is_initialized() else 0


def world_size() -> int:
    """How many processes train together."""
    return dist.get_world_size() if dist.is_initialized() else 1


def local_rank() -> int:
    """This process's number on its machine: its GPU."""
    return int(os.environ.get("LOCAL_RANK", 0))


def average_gradients(optimizer: Optimizer) -> None:
    """Have `optimizer` average its gradients over all processes before each step."""

    def average(optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
        flat = torch.cat([gradient.flatten() for gradient in gradients])
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
            gradient.copy_(mean.view_as(gradient))

    optimizer.register_step_pre_hook(average)


def share(networks: Iterable[nn.Module], optimizers: Iterable[Optimizer]) -> None:
    """Give all processes rank 0's weights and keep them equal by averaging gradients. Alone: nothing."""
    if world_size() == 1:
        return
    for net in networks:
        for tensor in net.state_dict().values():
            dist.broadcast(tensor, 0)
    for optimizer in optimizers:
        average_gradients(optimizer)


def from_first(value: float | None) -> float | None:
    """Rank 0's `value` in every process."""
    if world_size() == 1:
        return value
    box = [value]
    dist.broadcast_object_list(box, 0, group=_talk)
    return box[0]


def any_process(flag: bool) -> bool:
    """Whether `flag` holds in any process. Alone: `flag` itself."""
    if world_size() == 1:
        return flag
    shared = torch.tensor(int(flag))
    dist.all_reduce(shared, dist.ReduceOp.MAX, group=_talk)
    return bool(shared)
