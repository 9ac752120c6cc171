"""Training schemes by name (`--model`)."""

import argparse
import re
from pathlib import Path

import torch

from models.averages import Averages
from models.base import BaseModel
from models.cycle_gan import CycleGANModel
from models.files import load_networks
from models.optim.optimizers import check_encoder_flags
from models.optim.schedules import create_schedulers, step_schedulers
from models.piggyback import METHODS
from models.pix2pix import Pix2PixModel
from models.single_direction import SingleDirectionModel
from models.supervised import SupervisedModel
from util import distributed
from util.errors import UserError

__all__ = [
    "MODELS",
    "Averages",
    "create_model",
    "create_schedulers",
    "load_model",
    "load_networks",
    "pick_device",
    "step_schedulers",
]

MODELS: dict[str, type[BaseModel]] = {
    "cycle_gan": CycleGANModel,
    "pix2pix": Pix2PixModel,
    "supervised": SupervisedModel,
    "test": SingleDirectionModel,
}


def pick_device(gpu_ids: str | None) -> torch.device:
    """The device of `--gpu_ids`: "-1" the CPU, "0" the first GPU, None a GPU (CUDA, else MPS) if there is one."""
    if distributed.world_size() > 1 and gpu_ids != "-1":
        return torch.device("cuda", distributed.local_rank()) if torch.cuda.is_available() else torch.device("cpu")
    if gpu_ids == "-1":
        return torch.device("cpu")
    if gpu_ids is None:
        if torch.cuda.is_available():
            return torch.device("cuda", 0)
        return torch.device("mps" if torch.backends.mps.is_available() else "cpu")
    if not re.fullmatch(r"\d+(,\d+)*", gpu_ids):
        raise UserError(f"--gpu_ids {gpu_ids}: want -1 (the CPU) or the number of a GPU")
    if not gpu_ids.isdigit():
        wanted = gpu_ids.count(",") + 1
        raise UserError(
            f"--gpu_ids {gpu_ids}: one process drives one GPU; for {wanted} run "
            f"`CUDA_VISIBLE_DEVICES={gpu_ids} torchrun --nproc_per_node {wanted} train.py ...` without --gpu_ids"
        )
    if int(gpu_ids) >= torch.cuda.device_count():
        raise UserError(f"--gpu_ids {gpu_ids}: this machine shows {torch.cuda.device_count()} CUDA GPUs; -1 is the CPU")
    return torch.device("cuda", int(gpu_ids))


def create_model(opt: argparse.Namespace, device: torch.device, training: bool) -> BaseModel:
    """The model that `--model` names, on `device`, with fresh or donated (`--pretrained`) weights."""
    if opt.norm == "syncbatch" and distributed.world_size() > 1 and device.type != "cuda":
        raise UserError(f"--norm syncbatch: several processes share statistics on CUDA GPUs only, not on {device}")
    model = MODELS[opt.model](opt, device, training)
    if training:
        check_encoder_flags(opt, model.networks)
    if training and opt.adapt in METHODS and not model.tasks:
        raise UserError(
            f"--adapt {opt.adapt}: run {opt.name} holds no task of epoch {opt.epoch} to go on with: it was "
            "trained otherwise, or stopped before its first save; start it anew"
        )
    if not training and opt.task == "base" and not model.loaded:
        raise UserError(
            f"--task base: run {opt.name} has no task file of epoch {opt.epoch}; its weights are its "
            "own: leave the flag out"
        )
    return model


def load_model(opt: argparse.Namespace, device: torch.device) -> BaseModel:
    """The trained model of the run that test.py's options name."""
    model = create_model(opt, device, training=False)
    load_networks(model, Path(opt.checkpoints_dir) / opt.name, opt.epoch, opt)
    return model
