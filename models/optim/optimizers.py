"""Optimizers by name (`--optimizer`), frozen encoders and clipped gradients."""

import argparse
from collections.abc import Iterable
from pkgutil import resolve_name

import torch
from torch import nn
from torch.optim import Optimizer

from models.optim import OPTIMIZERS
from models.piggyback import METHODS
from util.errors import UserError

ADAMW_DECAY = 0.01  # Loshchilov and Hutter 2019, arXiv 1711.05101, and PyTorch


def create_optimizer(
    opt: argparse.Namespace, parameters: Iterable[nn.Parameter], encoder: Iterable[nn.Parameter] = ()
) -> Optimizer:
    """An optimizer of all `parameters`. Those that are in `encoder` too get a learning rate of their own, --lr_encoder.

    --beta1 is the momentum of all three kinds. Without --weight_decay, only adamw has any.
    """
    parameters = list(parameters)
    apart = {id(p) for p in encoder} if opt.lr_encoder is not None else set()
    groups: list[dict] = [{"params": [p for p in parameters if id(p) not in apart]}]
    if inside := [p for p in parameters if id(p) in apart]:
        groups.append({"params": inside, "lr": opt.lr_encoder})
    decay = opt.weight_decay
    if decay is None:
        decay = ADAMW_DECAY if opt.optimizer == "adamw" else 0.0
    momentum = {"momentum": opt.beta1} if opt.optimizer == "sgd" else {"betas": (opt.beta1, 0.999)}
    # fused: one pass over the weights; torch's loop of ten passes took a fifth of a pix2pix step (benchmarks/speed.md)
    return resolve_name(OPTIMIZERS[opt.optimizer])(groups, lr=opt.lr, weight_decay=decay, fused=True, **momentum)


def descend(optimizer: Optimizer, loss: torch.Tensor) -> None:
    """One step of an optimizer down a loss. The gradients are freed at once and not before the next step, so that their
    memory serves the next step's activations."""
    loss.backward()
    optimizer.step()
    optimizer.zero_grad(set_to_none=True)


def encoders(networks: dict[str, nn.Module]) -> dict[str, nn.Module]:
    """The encoders of the networks that have one (attribute `encoder`), by the networks' names."""
    return {name: net.get_submodule("encoder") for name, net in networks.items() if hasattr(net, "encoder")}


def check_encoder_flags(opt: argparse.Namespace, networks: dict[str, nn.Module]) -> None:
    """UserError where --freeze_encoder or --lr_encoder have nothing to act on."""
    given = [f"--freeze_encoder {opt.freeze_encoder}"] * bool(opt.freeze_encoder)
    given += [f"--lr_encoder {opt.lr_encoder}"] * (opt.lr_encoder is not None)
    if given and not encoders(networks):
        raise UserError(f"{given[0]}: --netG {opt.netG} has no separate encoder; take smp:ARCH:ENCODER")
    if given and opt.adapt in METHODS:
        raise UserError(f"{given[0]}: --adapt {opt.adapt} never trains the donor's own encoder; leave one of them out")


def freeze_encoders(networks: dict[str, nn.Module], epoch: int, epochs: int) -> None:
    """Call at the start of each epoch, the first being 1: nothing in an encoder changes during the first `epochs`.

    A frozen encoder's batch norm uses its stored statistics and keeps them. With `epochs` 0 nothing is done.
    """
    for name, encoder in encoders(networks).items() if epochs else ():
        networks[name].train()  # not the encoder alone: only its network knows which of its norms never train
        encoder.requires_grad_(epoch > epochs)
        if epoch <= epochs:
            encoder.eval()


def clip_gradients(optimizers: Iterable[Optimizer], norm: float) -> None:
    """Let each optimizer, before its step, scale its gradients down to this norm where they exceed it; 0: never.

    The norm is of all its gradients together. Call this after `distributed.share`, so that the gradients are averaged
    over all processes before they are clipped.
    """

    def clip(optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], norm)

    for optimizer in optimizers if norm else ():
        optimizer.register_step_pre_hook(clip)
