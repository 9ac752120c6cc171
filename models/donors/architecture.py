"""A generator's architecture, read off the names and shapes of its weights."""

import argparse
from dataclasses import dataclass, fields, replace

import torch

from models.networks import widths_of

State = dict[str, torch.Tensor]

UNET_FIRST, UNET_LAST = "model.model.0.weight", "model.model.3.weight"
RESNET_FIRST = "model.1.weight"


@dataclass(frozen=True)
class Architecture:
    """A generator's make, by the flags that build it. `no_dropout` and `input_norm` are None where the weights cannot
    tell, `ngf` where the widths are read off the weights anyway."""

    netG: str
    input_nc: int
    output_nc: int
    ngf: int | None
    norm: str
    no_dropout: bool | None
    input_norm: str | None = None

    def flags(self) -> str:
        """The command-line flags that build this generator."""
        known = {f.name: getattr(self, f.name) for f in fields(self) if f.name != "no_dropout"}
        words = [f"--{name} {value}" for name, value in known.items() if value is not None]
        return " ".join(words + ["--no_dropout"] * bool(self.no_dropout))

    def differing(self, opt: argparse.Namespace) -> list[str]:
        """The flags that do not say the same."""
        found = {f.name: getattr(self, f.name) for f in fields(self)}
        return [name for name, value in found.items() if value is not None and value != getattr(opt, name)]


def infer_architecture(state: State) -> Architecture | None:
    """Read the architecture off the names and shapes of a generator's state dict; None for an unknown network.

    Norms without weights leave a trace in the convolutions' biases only: a bias before the norm means instance norm,
    none (and no norm weights) means `--norm none`. SyncBatchNorm stores what batch norm stores; a U-Net's dropout
    leaves no trace, a ResNet's shifts its keys.
    """
    ends = end_layers(state)
    if ends is None:
        return None
    first, last = ends
    norm = "batch" if any(key.endswith("running_mean") for key in state) else "none"
    if first.removesuffix("weight") + "bias" in state:
        norm = "instance"
    if first == UNET_FIRST:
        netG, no_dropout = f"unet_{2 ** (1 + sum(key.endswith('.model.1.weight') for key in state))}", None
    elif widths_of(state):
        netG, no_dropout = "mobile_resnet_9blocks", None
    else:
        blocks = {key.split(".")[1] for key in state if ".conv_block." in key}
        netG, no_dropout = f"resnet_{len(blocks)}blocks", any(".conv_block.5.weight" in key for key in state)
    ngf, input_nc = state[first].shape[:2]
    if widths_of(state):
        ngf = None
    output_nc = state[last].shape[1 if first == UNET_FIRST else 0]
    return Architecture(netG, input_nc, output_nc, ngf, norm, no_dropout)


def completed(made: Architecture | None, opt: argparse.Namespace) -> Architecture:
    """What was read off a generator's weights, and what only the flags that built it tell."""
    if made:
        return replace(made, input_norm=opt.input_norm)
    return Architecture(**{field.name: getattr(opt, field.name) for field in fields(Architecture)})


def end_layers(state: State) -> tuple[str, str] | None:
    """Keys of the first and the last convolution's weights."""
    if UNET_FIRST in state and UNET_LAST in state:
        return UNET_FIRST, UNET_LAST
    if RESNET_FIRST in state and state[RESNET_FIRST].ndim == 4 and state[RESNET_FIRST].shape[-1] == 7:
        top = [key for key in state if key.endswith(".weight") and key.count(".") == 2]
        return RESNET_FIRST, max(top, key=lambda key: int(key.split(".")[1]))
    return None


def explain_mismatch(state: State, opt: argparse.Namespace) -> str:
    """Advice for a state dict that does not fit the flags: which flags would make it fit."""
    made = infer_architecture(state)
    if made is None:
        make = f"--netG {opt.netG} --input_nc {opt.input_nc} --output_nc {opt.output_nc}"
        return f"it holds no generator known here (first key: {next(iter(state))}), nor one of {make}"
    wrong = made.differing(opt)
    if not wrong:
        return f"it has the make of {made.flags()} but not all of its tensors"
    return f"it was made with {made.flags()}: change --{', --'.join(wrong)}"


def explain_discriminator(state: State, opt: argparse.Namespace) -> str:
    """Advice for a discriminator that does not fit the flags."""
    flags = ("netD", "ndf", "n_layers_D", "norm", "input_nc", "output_nc")
    given = " ".join(f"--{flag} {getattr(opt, flag)}" for flag in flags)
    return f"it was trained with another of {given}"
