"""Generators built by the flags, started from a donor's weights where there is one."""

import argparse
from pathlib import Path

from torch import nn

from models.donors.architecture import UNET_FIRST, State, end_layers, explain_mismatch, infer_architecture
from models.donors.encoders import load_encoder
from models.networks import define_G, widths_of
from util.errors import UserError
from util.files import read_options
from util.run.checkpoint import load_state, network_path, read_state_dict


def build_generator(
    opt: argparse.Namespace, name: str, donor: Path | None = None, saved: bool = False
) -> tuple[nn.Module, str]:
    """Generator `name` of a run by the flags, and a line on where it starts from ("": random weights).

    donor: the file it starts from (`--adapt scratch`: only its widths count). saved: the run's own weights will be
    loaded. Where the flags do not tell the widths (mobile ResNets), they are read off donor or saved weights.
    """
    source = donor or network_path(Path(opt.checkpoints_dir) / opt.name, opt.epoch, name)
    mobile = opt.netG.startswith("mobile")
    state = read_state_dict(source) if donor or (mobile and saved and source.is_file()) else {}
    if donor and not saved:
        if opt.encoder_weights != "none":
            raise UserError(f"--encoder_weights {opt.encoder_weights}: --pretrained gives all weights; leave one out")
        _check_recorded(donor, state, opt)
    init = (opt.init_type, opt.init_gain, widths_of(state) if mobile else None, opt.input_norm)
    net = define_G(opt.input_nc, opt.output_nc, opt.ngf, opt.netG, opt.norm, not opt.no_dropout, *init)
    if not saved and opt.encoder_weights != "none":
        return net, f"{name}: {load_encoder(net, opt.encoder_weights, opt.netG, Path(opt.checkpoints_dir))}"
    if not donor:
        return net, ""
    if not saved and opt.adapt == "scratch":
        return net, f"{name} has random weights (--adapt scratch)"
    return net, f"{name} starts from {'; '.join([str(donor), *load_donor(net, state, donor, opt)])}"


def _check_recorded(donor: Path, state: State, opt: argparse.Namespace) -> None:
    """UserError where the run that a donor is from was made with flags that its weights do not tell of."""
    path = donor.with_name("options.json")
    recorded = read_options(path) if path.is_file() else {}
    for flag in ("input_norm",) if infer_architecture(state) else ("netG", "input_norm"):
        if recorded.get(flag, given := getattr(opt, flag)) != given:
            raise UserError(
                f"--{flag} {given}: {donor.parent}, which --pretrained names, was trained with --{flag} "
                f"{recorded[flag]}; give that"
            )


def load_donor(net: nn.Module, state: State, path: Path, opt: argparse.Namespace) -> list[str]:
    """Start a generator from a donor's weights, read from `path`. Returns a line for each thing that was fitted.

    Another number of input or output channels is fitted: a grey image through a colour donor (--input_nc 1) sums
    the first layer over its channels, which equals repeating the grey three times; a one-channel mask (--output_nc 1)
    takes the mean of the last layer's filters. Everything else must agree, or a UserError names the flags.
    """
    fitted = _fit_channels(state, opt)
    load_state(net, state, path, lambda state: explain_mismatch(state, opt))
    return fitted


def _fit_channels(state: State, opt: argparse.Namespace) -> list[str]:
    """Fit a three-channel donor's ends to one channel, in place, where the flags ask for it; says what was done."""
    made = infer_architecture(state)
    if made is None:
        return []
    first, last = end_layers(state)
    fitted = []
    if (made.input_nc, opt.input_nc) == (3, 1):
        state[first] = state[first].sum(1, keepdim=True)
        fitted.append("its first layer is summed to 1 input channel (the same as repeating the grey image)")
    if (made.output_nc, opt.output_nc) == (3, 1):
        state[last] = state[last].mean(1 if first == UNET_FIRST else 0, keepdim=True)
        bias = last.removesuffix("weight") + "bias"
        state[bias] = state[bias].mean(0, keepdim=True)
        fitted.append("its last layer is averaged to 1 output channel")
    return fitted
