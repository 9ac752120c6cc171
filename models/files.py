"""A model's networks from the files of a run."""

import argparse
from functools import partial
from pathlib import Path

from models.base import BaseModel
from models.donors.architecture import explain_discriminator, explain_mismatch
from util.errors import UserError
from util.run.checkpoint import load_state, network_path, read_state_dict


def load_networks(model: BaseModel, folder: Path, epoch: str | int, opt: argparse.Namespace) -> list[str]:
    """Load `<epoch>_net_<X>.pth` of a run into the model's networks, strictly; adapted generators are loaded already.

    A missing discriminator is no error (published donors have none): its name is in the returned list of networks
    that keep their fresh weights. UserError names the file, and the flags to change where the generator differs.
    """
    fresh = []
    for name, net in model.networks.items():
        if name in model.loaded:
            continue
        path = network_path(folder, epoch, name)
        if name.startswith("D") and not path.is_file():
            fresh.append(name)
            continue
        if not path.is_file():
            saved = sorted(
                {file.name.split(kind)[0] for kind in ("_net_", "_task_") for file in folder.glob(f"*{kind}*.pth")}
            )
            hint = f"saved epochs: {', '.join(saved)}" if saved else "the folder holds no networks; train it first"
            if others := sorted(file.stem.split("_net_")[1] for file in folder.glob(f"{epoch}_net_G*.pth")):
                hint = f"this epoch has {' and '.join(others)}; check --model and, for --model test, --model_suffix"
            raise UserError(f"--epoch {epoch}: {path} does not exist; {hint}")
        state = read_state_dict(path)
        advice = explain_discriminator if name.startswith("D") else explain_mismatch
        load_state(net, state, path, partial(advice, opt=opt))
    return fresh
