"""Training schemes and their losses, by the flags that choose them.

A value names a class or function as "module:name". It is imported when it is used, so that flags are parsed without
torch, which takes seconds to load.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from pkgutil import resolve_name
from typing import TYPE_CHECKING

from models.piggyback import METHODS
from util import distributed
from util.errors import UserError

if TYPE_CHECKING:
    import torch

    from models.base import BaseModel

MODELS = {
    "cycle_gan": "models.cycle_gan:CycleGANModel",
    "pix2pix": "models.pix2pix:Pix2PixModel",
    "supervised": "models.supervised:SupervisedModel",
    "test": "models.single_direction:SingleDirectionModel",
}
"""--model"""

GAN_LOSSES = {
    "lsgan": "models.losses:LSGAN",
    "vanilla": "models.losses:VANILLA",
    "wgangp": "models.losses:WGANGP",
    "hinge": "models.losses:HINGE",
}
"""--gan_mode"""

SEG_LOSSES = {
    "bce": "models.losses:bce",
    "dice": "models.losses:dice",
    "jaccard": "models.losses:jaccard",
    "focal": "models.losses:focal",
    "tversky": "models.losses:tversky",
}
"""Terms of --seg_loss: each gives a loss of logits and truth."""

SEG_LOSS = "dice+0.5*bce"
"""The default of --seg_loss."""


def create_model(opt: argparse.Namespace, device: torch.device, training: bool) -> BaseModel:
    """The model that `--model` names, on `device`, with random weights or those of a donor (`--pretrained`)."""
    from models.networks.precision import compute_in_bfloat16, slow_in_bfloat16
    from models.optim.optimizers import check_encoder_flags

    if opt.norm == "syncbatch" and distributed.world_size() > 1 and device.type != "cuda":
        raise UserError(f"--norm syncbatch: several processes share statistics on CUDA GPUs only, not on {device}")
    model = resolve_name(MODELS[opt.model])(opt, device, training)
    if training:
        check_encoder_flags(opt, model.networks)
        for net in model.networks.values() if opt.amp else ():
            compute_in_bfloat16(net)
        if opt.amp and slow_in_bfloat16(device):
            distributed.say("note: --amp: this processor has no AMX, so a step takes longer with it; leave it out")
    if training and opt.adapt in METHODS and not model.tasks:
        raise UserError(
            f"--adapt {opt.adapt}: run {opt.name} holds no task of epoch {opt.epoch} to continue with: it was trained "
            "in another way, or stopped before its first save; start it again from the beginning"
        )
    if not training and opt.task != "own" and model.translator not in model.loaded:
        raise UserError(
            f"--task {opt.task}: run {opt.name} has no task file of epoch {opt.epoch}; its weights are its "
            "own: leave the flag out"
        )
    return model


def load_model(opt: argparse.Namespace, device: torch.device) -> BaseModel:
    """The trained model of the run that test.py's options name."""
    from models.files import load_networks
    from models.norm_stats import has_averages

    model = create_model(opt, device, training=False)
    load_networks(model, Path(opt.checkpoints_dir) / opt.name, opt.epoch, opt)
    if opt.norm_stats == "running" and not has_averages(model.generator(model.translator)):
        raise UserError(
            f"--norm_stats running: run {opt.name} has no running averages, because training normalised each image by "
            "itself; leave the flag out"
        )
    return model
