"""Weights for the encoders of segmentation_models_pytorch (`--encoder_weights`): of ImageNet, or from a file."""

import re
from pathlib import Path

import torch

from models.networks import SmpGenerator
from util.errors import UserError
from util.fetch.catalogue import torchvisions
from util.fetch.obtain import obtain_encoder
from util.run.checkpoint import read_state_dict

State = dict[str, torch.Tensor]


def load_encoder(net: torch.nn.Module, weights: str, netG: str, checkpoints_dir: Path) -> str:
    """Start a generator's encoder from `--encoder_weights`. Returns a line on where it starts from.

    weights: `imagenet` for those that torchvision publishes (downloaded if need be), or a file: torchvision's or timm's
    state dict of the whole classifier, or a run's latest_net_G.pth, of which the encoder is taken. A first layer of
    three channels is summed for one (a grey image repeated). UserError: another network's file; no encoder in `netG`.
    """
    if not isinstance(net, SmpGenerator):
        raise UserError(
            f"--encoder_weights {weights}: --netG {netG} has no encoder of its own; take smp:ARCH:ENCODER, "
            "or start the whole generator from --pretrained"
        )
    name = netG.split(":")[2]
    path = obtain_encoder(name, checkpoints_dir) if weights == "imagenet" else Path(weights)
    if not path.is_file():
        raise UserError(f"--encoder_weights {weights}: no such file; give none, imagenet, or a .pth file")
    wanted = net.encoder.state_dict()
    state = read_state_dict(path)
    if (twin := torchvisions(name)) and "features.0.0.weight" in state:
        raise UserError(
            f"--encoder_weights {path}: torchvision's EfficientNet, which pads otherwise than encoder "
            f"{name}; take --netG {netG.replace(name, twin)}"
        )
    state = as_smp(state, wanted)
    found = {key: value for key, value in state.items() if key in wanted}
    fitted = _fit_first_layer(found, wanted)
    missing = [key for key in wanted if key not in found and not key.endswith("num_batches_tracked")]
    other = [key for key in found if found[key].shape != wanted[key].shape]
    parts = {_part(key) for key in wanted}
    beyond = [key for key in state if key not in wanted and _part(key) in parts and "num_batches" not in key]
    if missing or other or beyond:
        key = (missing or other or beyond)[0]
        what = (
            "it has no"
            if missing
            else "it has also a"
            if not other
            else (f"{tuple(wanted[key].shape)}, not {tuple(found[key].shape)}, is wanted for")
        )
        raise UserError(
            f"--encoder_weights {path}: not the weights of encoder {name}: {what} {key} "
            f"({len(missing) + len(other) + len(beyond)} of {len(wanted)} tensors do not fit)"
        )
    net.encoder.load_state_dict(wanted | found)
    net.keep_folded_norms()
    return "; ".join([f"encoder {name} starts from {path}", *fitted])


def as_smp(state: State, wanted: State) -> State:
    """A state dict of torchvision's, timm's or ours under the keys that smp's encoder has (`wanted`)."""
    for prefix in ("net.encoder.", "encoder."):  # a generator of ours, a network of smp's
        if any(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    # torchvision's files of DenseNets are older than today's names: norm.1.weight is norm1.weight
    state = {re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)\.", r"\1\2.", key): value for key, value in state.items()}
    prefix = "model." if all(key.startswith("model.") for key in wanted) else ""  # timm's inside smp's
    state = {key if key in wanted else prefix + key: value for key, value in state.items()}
    return state if state.keys() & wanted.keys() else _in_order(state, wanted)


def _in_order(state: State, wanted: State) -> State:
    """A file of none of the wanted names, such as torchvision's of an EfficientNet: the same tensors in the same order,
    if that is what their shapes say."""
    theirs, ours = ([key for key in keys if not key.endswith("num_batches_tracked")] for keys in (state, wanted))
    pairs = list(zip(ours, theirs, strict=False))  # theirs goes on with the classifier
    same = len(ours) <= len(theirs) and all(
        wanted[key].shape == state[other].shape or key == ours[0] for key, other in pairs
    )
    return {key: state[other] for key, other in pairs} if same else state


def _part(key: str) -> str:
    """The stage of an encoder that a tensor belongs to. What is beyond all stages is the classifier's."""
    return key.removeprefix("model.").partition(".")[0]


def _fit_first_layer(found: State, wanted: State) -> list[str]:
    """Sum a first layer of three channels to the one that is wanted, in place; says what was done."""
    for key, value in found.items():
        if value.ndim == 4:
            if (value.shape[1], wanted[key].shape[1]) == (3, 1):
                found[key] = value.sum(1, keepdim=True)
                return ["its first layer is summed to 1 input channel (the same as repeating the grey image)"]
            break
    return []
