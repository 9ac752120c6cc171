"""What holds a generator to its old task while it learns another: made from the donor, or read from the run's folder.

The run keeps the donor's weights (and for EWC their Fisher information) in a file of its own, so that it goes on
exactly, from any epoch, whatever became of the donor and of its images.
"""

import argparse
import copy
from collections.abc import Iterable
from pathlib import Path

import torch

from models.base import BaseModel
from models.donors.architecture import infer_architecture
from models.donors.find import find_donor
from models.donors.wrappings import read_generator
from models.networks.generator import Generator
from models.rivals import RIVALS
from models.rivals.ewc import Ewc, Tensors, fisher
from models.rivals.lwf import Lwf
from util import distributed
from util.commands import quoted
from util.contracts import Item, Rival
from util.errors import UserError
from util.files import replacing
from util.run.checkpoint import load_tensors

FILE = "old_task.pth"


def check_start(opt: argparse.Namespace) -> None:
    """UserError where a new run's generator could not keep what the network of --pretrained has learnt."""
    donor = find_donor(opt.pretrained, Path(opt.checkpoints_dir))
    if "_task_" in donor.name:
        raise UserError(
            f"--pretrained {opt.pretrained}: {donor} is a task beside a frozen donor, which forgets nothing: name that "
            f"donor, or plain weights (python -m models.piggyback export {quoted(opt.pretrained)})"
        )
    known = infer_architecture(read_generator(donor))
    for flag in ("input_nc", "output_nc") if known else ():
        if (has := getattr(known, flag)) != (wanted := getattr(opt, flag)):
            raise UserError(
                f"--{flag} {wanted}: the old task of --pretrained {opt.pretrained} has {has} channels, and one "
                f"generator is to do both tasks; take --{flag} {has}"
            )


def create_rival(opt: argparse.Namespace, model: BaseModel, examples: Iterable[Item], folder: Path) -> Rival | None:
    """What holds the generator of a run to its old task, by --adapt; None if nothing does.

    model: has the donor's weights, unless the run is continued. examples: of the old task, for EWC; a run that is
    continued needs none. folder: the run's, which keeps what was made. UserError: the examples teach nothing, or the
    folder's file is damaged.
    """
    if opt.adapt not in RIVALS:
        return None
    net = model.generator("G")
    if opt.continue_train:
        kept = _read(folder / FILE, net, opt.adapt)
    else:
        kept = {"weights": {key: tensor.detach().clone() for key, tensor in net.state_dict().items()}}
        if opt.adapt == "ewc":
            kept["fisher"] = fisher(net, examples, model.loss, opt.norm_stats, model.device)
            if not any(bool(stiff.any()) for stiff in kept["fisher"].values()):
                raise UserError("--adapt ewc: the old task's loss has no slope; raise --lambda_L1")
        if not distributed.rank():
            with replacing(folder / FILE, "wb", durable=True) as file:
                torch.save({kind: _on(tensors, "cpu") for kind, tensors in kept.items()}, file)
    kept = {kind: _on(tensors, model.device) for kind, tensors in kept.items()}
    if opt.adapt == "ewc":
        return Ewc(net, kept["weights"], kept["fisher"], opt.old_weight)
    donor = copy.deepcopy(net)
    donor.load_state_dict(kept["weights"])
    return Lwf(donor, opt.norm_stats, opt.old_weight)


def _read(path: Path, net: Generator, how: str) -> dict[str, Tensors]:
    """What a run kept of its donor. UserError: another kind of file, or not of this generator."""
    kept = load_tensors(path)
    wanted = {"weights": net.state_dict()}
    if how == "ewc":
        wanted["fisher"] = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    if not isinstance(kept, dict) or {kind: _shapes(kept.get(kind)) for kind in wanted} != {
        kind: _shapes(tensors) for kind, tensors in wanted.items()
    }:
        raise UserError(f"{path}: not what this run kept of its donor; start it again from the beginning (--overwrite)")
    return kept


def _shapes(tensors: object) -> object:
    if not isinstance(tensors, dict):
        return None
    return {name: (x.shape, x.dtype) if torch.is_tensor(x) else None for name, x in tensors.items()}


def _on(tensors: Tensors, device: torch.device | str) -> Tensors:
    return {name: tensor.to(device) for name, tensor in tensors.items()}
