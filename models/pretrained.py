"""Donors: generators that were trained on something else. Found, read, checked against the flags, fitted."""

import argparse
from dataclasses import dataclass, fields, replace
from pathlib import Path

import torch
from torch import nn

from models.encoders import load_encoder
from models.networks import define_G, widths_of
from util import catalogue
from util.checkpoint import fingerprint, load_state, network_path, read_options, read_state_dict, task_path
from util.errors import UserError
from util.obtain import donor_path, obtain_donor

State = dict[str, torch.Tensor]

UNET_FIRST, UNET_LAST = "model.model.0.weight", "model.model.3.weight"
RESNET_FIRST = "model.1.weight"
SHIPPED = Path(__file__).resolve().parent.parent / "checkpoints"  # donors that come with the project


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
    ends = _end_layers(state)
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


def _end_layers(state: State) -> tuple[str, str] | None:
    """Keys of the first and the last convolution's weights."""
    if UNET_FIRST in state and UNET_LAST in state:
        return UNET_FIRST, UNET_LAST
    if RESNET_FIRST in state and state[RESNET_FIRST].ndim == 4 and state[RESNET_FIRST].shape[-1] == 7:
        top = [key for key in state if key.endswith(".weight") and key.count(".") == 2]
        return RESNET_FIRST, max(top, key=lambda key: int(key.split(".")[1]))
    return None


def find_donor(name: str, checkpoints_dir: Path, flag: str = "--pretrained") -> Path:
    """The file that `--pretrained NAME` (flag: or another) means: a .pth file, a folder that holds one, an
    experiment's, a shipped donor's or a published generator's name, which is downloaded if need be. Of a CycleGAN's
    two generators it is G_A; of a generator adapted to a task it is the task's file.
    """
    if found := _on_disk(name, checkpoints_dir):
        return found
    published = catalogue.donor(name)
    for folder in _folders(name, checkpoints_dir):
        if folder.is_dir() and not published:
            raise UserError(f"{flag} {name}: {folder} holds no latest_net_G.pth")
    if published:
        return obtain_donor(published, checkpoints_dir)
    raise UserError(
        f"{flag} {name}: neither a .pth file, nor a folder, nor an experiment under {checkpoints_dir}, nor a "
        "published generator (python -m data.download --list)"
    )


def _folders(name: str, checkpoints_dir: Path) -> tuple[Path, ...]:
    return Path(name), checkpoints_dir / name, SHIPPED / name


def _on_disk(name: str, checkpoints_dir: Path) -> Path | None:
    if Path(name).is_file():
        return Path(name)
    files = (path(folder, "latest", net) for folder in _folders(name, checkpoints_dir) for net in ("G", "G_A")
             for path in (task_path, network_path))  # fmt: skip
    return next((file for file in files if file.is_file()), None)


def started_from(pretrained: str, donor: Path, checkpoints_dir: Path) -> bool:
    """Whether a run's `--pretrained` names this generator's file or one of the same weights; True where nobody can tell
    any more because what it names is gone. Nothing is downloaded."""
    published = catalogue.donor(pretrained)
    found = _on_disk(pretrained, checkpoints_dir) or (published and donor_path(published, checkpoints_dir))
    if not pretrained or not found or not found.is_file() or found.samefile(donor):
        return bool(pretrained)
    return "_task_" not in found.name and fingerprint(read_state_dict(found)) == fingerprint(read_state_dict(donor))


def upstream_flags(folder: Path, epoch: str | int) -> list[str]:
    """The flags with which test.py applies a folder that upstream wrote: without options.json they are read off the
    generator's file. [] where they are recorded, or no generator is known there."""
    for side in ("", "_A"):
        path = network_path(folder, epoch, f"G{side}")
        if path.is_file() and not (folder / "options.json").is_file():
            if made := infer_architecture(read_state_dict(path)):
                return [*made.flags().split(), "--model=test", f"--model_suffix={side}"]
    return []


def find_twin(name: str, checkpoints_dir: Path) -> Path | None:
    """The generator of the opposite direction that was trained together with donor `name`: a run's G_B, or for a
    published donor (not a run of the same name) what was published beside it; None where there is none."""
    donor = find_donor(name, checkpoints_dir)
    beside = donor.with_name(donor.name.replace("_G_A.", "_G_B."))
    if beside != donor and beside.is_file():
        return beside
    made, twin = catalogue.donor(name), catalogue.twin(name)
    if not twin or donor != donor_path(made, checkpoints_dir):
        return None
    try:
        return obtain_donor(catalogue.DONORS[twin], checkpoints_dir)
    except UserError as error:
        raise UserError(f"{error}; or start G_B as G_A (--pretrained_B same)") from error


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
            raise UserError(f"--{flag} {given}: {donor.parent}, which --pretrained names, was trained with --{flag} "
                            f"{recorded[flag]}; give that")  # fmt: skip


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
    first, last = _end_layers(state)
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
