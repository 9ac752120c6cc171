"""Load a model's networks from the files of a run."""

import argparse
from functools import partial
from pathlib import Path

from models.base import BaseModel
from models.donors.architecture import Architecture, State, explain_mismatch
from models.donors.wrappings import read_generator
from util.errors import UserError
from util.run.aside import saved_epochs
from util.run.checkpoint import load_state, network_path, read_state_dict


def load_networks(model: BaseModel, folder: Path, epoch: str | int, opt: argparse.Namespace) -> list[str]:
    """Load `<epoch>_net_<X>.pth` of a run into the model's networks, strictly. Adapted generators are loaded already.

    A missing discriminator is no error, since published donors have none. Returns the names of the discriminators that
    keep their fresh weights. UserError names the file, and the flags to change where a network differs.
    """

    def explain_discriminator(state: State) -> str:
        flags = ("netD", "ndf", "n_layers_D", "norm", "input_nc", "output_nc")
        return f"it was trained with another of {' '.join(f'--{flag} {getattr(opt, flag)}' for flag in flags)}"

    fresh = []
    for name, net in model.networks.items():
        if name in model.loaded:
            continue
        path = network_path(folder, epoch, name)
        if name.startswith("D") and not path.is_file():
            fresh.append(name)
            continue
        if not path.is_file():
            raise UserError(f"--epoch {epoch}: {path} does not exist; {_saved_instead(folder, epoch)}")
        if name.startswith("D"):
            load_state(net, read_state_dict(path), path, explain_discriminator)
        else:
            backwards = name == "G_B" and "G_A" in model.networks
            explain = partial(explain_mismatch, wanted=Architecture.of(opt), backwards=backwards)
            load_state(net, read_generator(path, opt.netG), path, explain)
    return fresh


def _saved_instead(folder: Path, epoch: str | int) -> str:
    """Advice where a network's file is missing: the generators of this epoch, or else the epochs that were saved."""
    if others := sorted(file.stem.split("_net_")[1] for file in folder.glob(f"{epoch}_net_G*.pth")):
        return f"this epoch has {' and '.join(others)}; check --model and, for --model test, --model_suffix"
    saved = sorted(saved_epochs(folder))
    return f"saved epochs: {', '.join(saved)}" if saved else "the folder holds no networks; train it first"
