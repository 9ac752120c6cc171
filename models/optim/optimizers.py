"""Optimizers by name (`--optimizer`), and what is done to their parameters and gradients from outside."""

import argparse
from collections.abc import Iterable

import torch
from torch import nn
from torch.optim import Optimizer

from models.piggyback import METHODS
from util.errors import UserError

ADAMW_DECAY = 0.01  # Loshchilov and Hutter 2019, arXiv 1711.05101, and PyTorch


def create_optimizer(
    opt: argparse.Namespace, parameters: Iterable[nn.Parameter], encoder: Iterable[nn.Parameter] = ()
) -> Optimizer:
    """An optimizer of all `parameters`, those of `encoder` among them with a learning rate of their own, --lr_encoder.

    --beta1 is the momentum of all three kinds. Without --weight_decay, only adamw has any.
    """
    apart = {id(p) for p in encoder} if opt.lr_encoder is not None else set()
    parameters = list(parameters)
    groups = [{"params": [p for p in parameters if id(p) not in apart]}]
    if inside := [p for p in parameters if id(p) in apart]:
        groups.append({"params": inside, "lr": opt.lr_encoder})
    decay = opt.weight_decay
    if decay is None:
        decay = ADAMW_DECAY if opt.optimizer == "adamw" else 0.0
    if opt.optimizer == "sgd":
        return torch.optim.SGD(groups, lr=opt.lr, momentum=opt.beta1, weight_decay=decay)
    kind = torch.optim.AdamW if opt.optimizer == "adamw" else torch.optim.Adam
    return kind(groups, lr=opt.lr, betas=(opt.beta1, 0.999), weight_decay=decay)


def encoders(networks: dict[str, nn.Module]) -> list[nn.Module]:
    """The encoders of the networks that have one (attribute `encoder`)."""
    return [net.encoder for net in networks.values() if hasattr(net, "encoder")]


def check_encoder_flags(opt: argparse.Namespace, networks: dict[str, nn.Module]) -> None:
    """UserError where --freeze_encoder or --lr_encoder have nothing to act on."""
    given = [f"--freeze_encoder {opt.freeze_encoder}"] * bool(opt.freeze_encoder)
    given += [f"--lr_encoder {opt.lr_encoder}"] * (opt.lr_encoder is not None)
    if given and not encoders(networks):
        raise UserError(f"{given[0]}: --netG {opt.netG} has no encoder apart; take one of smp:ARCH:ENCODER")
    if given and opt.adapt in METHODS:
        raise UserError(f"{given[0]}: --adapt {opt.adapt} never trains the donor's own encoder; leave one of them out")


def freeze_encoders(networks: dict[str, nn.Module], epoch: int, epochs: int) -> None:
    """At the start of an epoch, the first being 1: nothing in an encoder changes during the first `epochs`.

    Its batch norm then uses its stored statistics and keeps them. With 0 nothing is done.
    """
    if not epochs:
        return
    for net in [net for net in networks.values() if hasattr(net, "encoder")]:
        net.train()  # not the encoder alone: its network knows which of its norms never train
        net.encoder.requires_grad_(epoch > epochs)
        if epoch <= epochs:
            net.encoder.eval()


def clip_gradients(optimizers: Iterable[Optimizer], norm: float) -> None:
    """Before each step, scale an optimizer's gradients down to this norm (all of them together) where they exceed it;
    0: never. To be called after `distributed.share`, so that it is the average over all processes that is clipped."""

    def clip(optimizer: Optimizer, args: tuple, kwargs: dict) -> None:
        nn.utils.clip_grad_norm_([p for group in optimizer.param_groups for p in group["params"]], norm)

    for optimizer in optimizers if norm else ():
        optimizer.register_step_pre_hook(clip)
