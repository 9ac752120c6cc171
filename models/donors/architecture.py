"""A generator's architecture: what the flags ask for, and what the names and shapes of weights reveal."""

from __future__ import annotations

import argparse
import re
from dataclasses import dataclass, fields, replace

import torch

from models.networks import GENERATORS
from models.networks.mobile_resnet import widths_of

State = dict[str, torch.Tensor]

UNET_FIRST, UNET_LAST = "model.model.0.weight", "model.model.3.weight"
RESNET_FIRST = "model.1.weight"


@dataclass(frozen=True)
class Architecture:
    """What it takes to build a generator. Each field is named after its flag.

    Read from weights, some fields are None: `no_dropout` and `input_norm` where they leave no trace in weights, `ngf`
    where every layer has a width of its own (mobile ResNets).
    """

    netG: str
    input_nc: int
    output_nc: int
    ngf: int | None
    norm: str
    no_dropout: bool | None
    input_norm: str | None = None

    @classmethod
    def of(cls, opt: argparse.Namespace, backwards: bool = False) -> Architecture:
        """The architecture that the flags ask for; backwards: of the generator that maps B to A."""
        wanted = cls(**{field.name: getattr(opt, field.name) for field in fields(cls)})
        return wanted.swapped() if backwards else wanted

    def swapped(self) -> Architecture:
        """The same with the channels of input and output swapped."""
        return replace(self, input_nc=self.output_nc, output_nc=self.input_nc)

    def values(self) -> dict[str, object]:
        """The fields that are not None, by name."""
        return {f.name: getattr(self, f.name) for f in fields(self) if getattr(self, f.name) is not None}

    def flags(self) -> str:
        """The command-line flags that build this generator."""
        flags = [f"--{name} {value}" for name, value in self.values().items() if name != "no_dropout"]
        return " ".join(flags + ["--no_dropout"] * bool(self.no_dropout))

    def differing(self, wanted: Architecture) -> list[str]:
        """The flags in which `wanted` differs. A field that is None here differs from nothing."""
        return [name for name, value in self.values().items() if value != getattr(wanted, name)]


def infer_architecture(state: State) -> Architecture | None:
    """Read the architecture from the names and shapes of a generator's state dict; None for an unknown network.

    Norms without weights leave their only trace in the convolutions' biases (`conv_bias`): a bias before the norm means
    instance norm; neither bias nor norm weights means `--norm none`. SyncBatchNorm stores what batch norm stores.
    Dropout leaves no trace in a U-Net and shifts the keys of a ResNet.
    """
    ends = end_layers(state)
    if ends is None:
        return None
    first, last, output_axis = ends
    norm = "batch" if any(key.endswith("running_mean") for key in state) else "none"
    if first.removesuffix("weight") + "bias" in state:
        norm = "instance"
    ngf, input_nc = state[first].shape[:2]
    output_nc = state[last].shape[output_axis]
    if first == UNET_FIRST:
        halvings = 1 + sum(key.endswith(".model.1.weight") for key in state)
        return _if_known(Architecture(f"unet_{2 ** min(halvings, 12)}", input_nc, output_nc, ngf, norm, None))
    if widths_of(state):
        return Architecture("mobile_resnet_9blocks", input_nc, output_nc, None, norm, None)
    blocks = {key.split(".")[1] for key in state if ".conv_block." in key}
    no_dropout = any(".conv_block.5.weight" in key for key in state)
    return _if_known(Architecture(f"resnet_{len(blocks)}blocks", input_nc, output_nc, ngf, norm, no_dropout))


def _if_known(inferred: Architecture) -> Architecture | None:
    return inferred if inferred.netG in GENERATORS else None


def completed(inferred: Architecture | None, wanted: Architecture) -> Architecture:
    """A generator's architecture as its weights show it, completed by what only the flags (`wanted`) can say."""
    return replace(inferred, input_norm=wanted.input_norm) if inferred else wanted


def end_layers(state: State) -> tuple[str, str, int] | None:
    """Keys of the first and the last convolution's weights, and the axis of the last one that counts output channels.

    None for an unknown network.
    """
    if _convolutions(state, UNET_FIRST, UNET_LAST):
        return UNET_FIRST, UNET_LAST, 1  # a transposed convolution
    if _convolutions(state, RESNET_FIRST) and state[RESNET_FIRST].shape[-1] == 7:
        top = [key for key in state if re.fullmatch(r"model\.\d{1,4}\.weight", key)]
        last = max(top, key=lambda key: int(key.split(".")[1]))
        return (RESNET_FIRST, last, 0) if last != RESNET_FIRST and _convolutions(state, last) else None
    return None


def _convolutions(state: State, *names: str) -> bool:
    """Whether these tensors are there and are a convolution's weights: fractions, of four axes, none of them empty."""
    tensors = [state[name] for name in names if name in state and state[name].is_floating_point()]
    return len(tensors) == len(names) and all(tensor.ndim == 4 and tensor.numel() > 0 for tensor in tensors)


def explain_mismatch(state: State, wanted: Architecture, backwards: bool = False) -> str:
    """Advice for a state dict that does not fit the flags: which flags to change. backwards: it is that of the
    generator that maps B to A."""
    inferred = infer_architecture(state)
    inferred = inferred.swapped() if inferred and backwards else inferred
    if inferred is None:
        flags = f"--netG {wanted.netG} --input_nc {wanted.input_nc} --output_nc {wanted.output_nc}"
        return f"it holds no generator known here (first key: {next(iter(state))}), nor one of {flags}"
    if wrong := inferred.differing(wanted):
        return f"it was made with {inferred.flags()}: change --{', --'.join(wrong)}"
    return f"it has the architecture of {inferred.flags()} but not all of its tensors"
