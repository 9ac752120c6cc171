"""Build a generator by its architecture, and start it from a donor's weights where there is one."""

import argparse
from pathlib import Path

from models.donors.architecture import Architecture, State, end_layers, explain_mismatch, infer_architecture
from models.donors.encoders import load_encoder
from models.donors.wrappings import read_generator
from models.networks.define import define_G
from models.networks.generator import Generator
from models.networks.mobile_resnet import widths_of
from util.errors import UserError
from util.files import read_options
from util.run.checkpoint import load_state, network_path


def build_generator(
    opt: argparse.Namespace, name: str, wanted: Architecture, donor: Path | None = None, saved: bool = False
) -> tuple[Generator, str]:
    """Build generator `name` of a run. Returns it and a line on where it starts from ("" for random weights).

    wanted: the architecture that the flags ask for. donor: the file to start from; with `--adapt scratch` only its
    widths are used. saved: the caller will load the run's own weights afterwards. No flag holds the widths of a mobile
    ResNet, so they are read from the donor or from the run's own weights.
    """
    source = donor or network_path(Path(opt.checkpoints_dir) / opt.name, opt.epoch, name)
    mobile = wanted.netG.startswith("mobile")
    state = read_generator(source, wanted.netG) if donor or (mobile and saved and source.is_file()) else {}
    if donor and not saved:
        if opt.encoder_weights != "none":
            raise UserError(f"--encoder_weights {opt.encoder_weights}: --pretrained gives all weights; leave one out")
        _check_recorded(donor, state, wanted)
    net = from_architecture(wanted, state, opt.init_type, opt.init_gain)
    if not saved and opt.encoder_weights != "none":
        return net, f"{name}: {load_encoder(net, opt.encoder_weights, wanted.netG, Path(opt.checkpoints_dir))}"
    if not donor:
        return net, ""
    if not saved and opt.adapt == "scratch":
        return net, f"{name} has random weights (--adapt scratch)"
    return net, f"{name} starts from {'; '.join([str(donor), *load_donor(net, state, donor, wanted)])}"


def from_architecture(
    wanted: Architecture, state: State, init_type: str = "normal", init_gain: float = 0.02
) -> Generator:
    """A generator with random weights. state: weights that the widths of a mobile ResNet are read from."""
    widths = widths_of(state) if wanted.netG.startswith("mobile") else None
    layers = (wanted.input_nc, wanted.output_nc, wanted.ngf or 0, wanted.netG, wanted.norm, not wanted.no_dropout)
    return define_G(*layers, init_type, init_gain, widths, wanted.input_norm or "signed")


def load_donor(net: Generator, state: State, path: Path, wanted: Architecture) -> list[str]:
    """Start a generator from a donor's weights, read from `path`. Returns a line for each layer that was fitted.

    A colour donor is fitted to one channel where `wanted` has one. For a grey image, the first layer is summed over its
    channels, which equals repeating the grey image three times. For a one-channel mask, the last layer becomes the mean
    of its filters. A grey donor is fitted to three channels: it sees the mean of an image's channels, and its output is
    repeated. UserError where anything else differs, with the flags to change.
    """
    notes = _fit_channels(state, wanted)
    load_state(net, state, path, lambda state: explain_mismatch(state, wanted))
    return notes


def _check_recorded(donor: Path, state: State, wanted: Architecture) -> None:
    """UserError where the donor's options.json differs from the flags in something that its weights do not show."""
    path = donor.with_name("options.json")
    recorded = read_options(path) if path.is_file() else {}
    for flag in ("input_norm",) if infer_architecture(state) else ("netG", "input_norm"):
        if recorded.get(flag, given := getattr(wanted, flag)) != given:
            raise UserError(
                f"--{flag} {given}: {donor.parent}, which --pretrained names, was trained with --{flag} "
                f"{recorded[flag]}; give that"
            )


def _fit_channels(state: State, wanted: Architecture) -> list[str]:
    """Fit the first and last layer of a donor of one or three channels to three or one, in place, as `wanted` has it.

    Returns a line for each layer that was fitted.
    """
    inferred, ends = infer_architecture(state), end_layers(state)
    if inferred is None or ends is None:
        return []
    first, last, output_axis = ends
    notes = []
    if (inferred.input_nc, wanted.input_nc) == (3, 1):
        state[first] = state[first].sum(1, keepdim=True)
        notes.append("its first layer is summed to 1 input channel (the same as repeating the grey image)")
    if (inferred.input_nc, wanted.input_nc) == (1, 3):
        state[first] = state[first].repeat_interleave(3, 1) / 3
        notes.append("its first layer takes the mean of 3 input channels")
    bias = last.removesuffix("weight") + "bias"
    if bias not in state or state[bias].ndim != 1 or not state[bias].is_floating_point():
        return notes
    if (inferred.output_nc, wanted.output_nc) == (3, 1):
        state[last] = state[last].mean(output_axis, keepdim=True)
        state[bias] = state[bias].mean(0, keepdim=True)
        notes.append("its last layer is averaged to 1 output channel")
    if (inferred.output_nc, wanted.output_nc) == (1, 3):
        state[last] = state[last].repeat_interleave(3, output_axis)
        state[bias] = state[bias].repeat_interleave(3, 0)
        notes.append("its last layer is repeated for 3 output channels")
    return notes
