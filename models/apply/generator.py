"""A trained generator as a torch module, ready to be applied to tensors."""

from pathlib import Path

import torch
from torch import nn

from models.donors.architecture import Architecture, infer_architecture
from models.donors.build import from_architecture, load_donor
from models.donors.find import find_donor
from models.donors.wrappings import read_generator
from models.networks.generator import Generator, generate
from models.norm_stats import inference
from models.piggyback.files import load_task, read_task
from models.piggyback.task import materialize
from util.errors import UserError
from util.files import read_options


class Applied(nn.Module):
    """float [N, C, H, W] in [-1, 1] to the same, as test.py applies a generator: without dropout, each image normalised
    by its own statistics (`norm_stats` "image") or by stored ones ("running"). network: the generator itself."""

    def __init__(self, network: Generator, norm_stats: str = "image") -> None:
        super().__init__()
        self.network, self.norm_stats = network, norm_stats

    def forward(self, images: torch.Tensor) -> torch.Tensor:
        with inference(self.network, self.norm_stats):
            return generate(self.network, images)


def load_generator(name: str, checkpoints_dir: Path) -> Applied:
    """A generator by the name that --pretrained takes: a file, folder, run, or published one, which is downloaded.

    A run that was adapted to a task gives its generator with that task. UserError: there is none, or no known one.
    """
    path = find_donor(name, checkpoints_dir, flag="generator")
    options = path.with_name("options.json")
    recorded = read_options(options) if options.is_file() else {}
    norm_stats = str(recorded.get("norm_stats") or "image")
    if "_task_" in path.name:
        file = read_task(path)
        net = file.build_donor()
        net.load_state_dict(materialize(net, load_task(file, net)))
        return Applied(net, norm_stats).eval()
    state = read_generator(path, str(recorded.get("netG", "")))
    architecture = infer_architecture(state)
    if architecture is None:
        raise UserError(
            f"generator {name}: {path} is no ResNet or U-Net of a GAN; test.py builds others by their flags"
        )
    known = architecture.values() | {"no_dropout": True, "input_norm": recorded.get("input_norm") or "signed"}
    if architecture.no_dropout is not None:
        known["no_dropout"] = architecture.no_dropout
    wanted = Architecture(**{"ngf": None, **known})  # type: ignore[arg-type]
    net = from_architecture(wanted, state)
    load_donor(net, state, path, wanted)
    return Applied(net, norm_stats).eval()
