"""What holds a generator to its old tasks while it learns another: made from the donor, or read from the run's folder.

The run keeps the donor's weights (and for EWC their Fisher information) in a file of its own, so that it goes on
exactly, from any epoch, whatever became of the donor and of its images.
"""

import argparse
import copy
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch

from models.base import BaseModel
from models.donors.architecture import infer_architecture
from models.donors.find import find_donor
from models.donors.wrappings import read_generator
from models.networks.generator import Generator
from models.rivals import FILE, RIVALS
from models.rivals.ewc import Ewc, Tensors, fisher
from models.rivals.lwf import Lwf
from util import distributed
from util.commands import quoted
from util.contracts import Item, Rival
from util.errors import UserError
from util.files import replacing
from util.run.checkpoint import load_tensors


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


@dataclass(frozen=True)
class Kept:
    """What a run keeps of its old tasks. tasks: their names. weights: the donor's. fisher: for EWC, the sum of all
    tasks' Fisher information, in the unit of `create_rival`; {} for others."""

    tasks: list[str]
    weights: Tensors
    fisher: Tensors


def create_rival(
    opt: argparse.Namespace,
    model: BaseModel,
    examples: Mapping[str, Iterable[Item]],
    earlier: Path | None,
    folder: Path,
) -> tuple[Rival | None, list[str]]:
    """What holds the generator of a run to its old tasks, by --adapt, and their names; (None, []) if nothing does.

    Its loss is in the unit of the new task's, lambda_L1 + lambda_seg, so that --old_weight need not follow these.
    model: has the donor's weights, unless the run is continued. examples: of old tasks, for EWC; of no images for
    others. earlier: what an EWC run kept of further tasks. A run that is continued needs neither. folder: the run's,
    which keeps what was made. UserError: the examples teach nothing, or a file is damaged.
    """
    if opt.adapt not in RIVALS:
        return None, []
    net, unit = model.generator("G"), opt.lambda_L1 + opt.lambda_seg
    if opt.continue_train:
        kept = _read(folder / FILE, net, opt.adapt)
    else:
        kept = _begin(opt, model, examples, earlier, unit)
        if not distributed.rank():
            cpu = Kept(kept.tasks, _on(kept.weights, "cpu"), _on(kept.fisher, "cpu"))
            with replacing(folder / FILE, "wb", durable=True) as file:
                torch.save(vars(cpu), file)
    weights = _on(kept.weights, model.device)
    if opt.adapt == "ewc":
        return Ewc(net, weights, _on(kept.fisher, model.device), opt.old_weight * unit), kept.tasks
    donor = copy.deepcopy(net)
    donor.load_state_dict(weights)
    return Lwf(donor, opt.norm_stats, opt.old_weight * unit), kept.tasks


def _begin(
    opt: argparse.Namespace, model: BaseModel, examples: Mapping[str, Iterable[Item]], earlier: Path | None, unit: float
) -> Kept:
    net = model.generator("G")
    weights = {key: tensor.detach().clone() for key, tensor in net.state_dict().items()}
    if opt.adapt != "ewc":
        return Kept([*examples], weights, {})
    before = _read(earlier, net, "ewc") if earlier else Kept([], {}, {})
    stiffness = _on(before.fisher, model.device)
    for name, images in examples.items():
        of_task = fisher(net, images, model.loss, opt.norm_stats, model.device)
        if not any(bool(squares.any()) for squares in of_task.values()):
            raise UserError(f"--adapt ewc: the loss of the old task {name} has no slope, so nothing would be held")
        stiffness = {key: squares / unit**2 + stiffness.get(key, 0) for key, squares in of_task.items()}
    return Kept(before.tasks + [*examples], weights, stiffness)


def _read(path: Path, net: Generator, how: str) -> Kept:
    """What a run kept of its old tasks. UserError: another kind of file, or not of this generator."""
    kept = load_tensors(path)
    trained = {name: parameter for name, parameter in net.named_parameters() if parameter.requires_grad}
    wanted = {"weights": net.state_dict(), "fisher": trained if how == "ewc" else {}}
    if (
        not isinstance(kept, dict)
        or not isinstance(kept.get("tasks"), list)
        or any(_shapes(kept.get(kind)) != _shapes(tensors) for kind, tensors in wanted.items())
    ):
        raise UserError(
            f"{path}: not what --adapt {how} keeps beside this generator; start that run again (--overwrite)"
        )
    return Kept(**kept)


def _shapes(tensors: object) -> object:
    if not isinstance(tensors, dict):
        return None
    return {name: (x.shape, x.dtype) if torch.is_tensor(x) else None for name, x in tensors.items()}


def _on(tensors: Tensors, device: torch.device | str) -> Tensors:
    return {name: tensor.to(device) for name, tensor in tensors.items()}
