"""Weights for the encoders of segmentation_models_pytorch (`--encoder_weights`), from ImageNet or from a file."""

import re
from pathlib import Path

import torch
from torch import nn

from models.networks.smp import SmpGenerator
from util.errors import UserError
from util.fetch.catalogue import torchvisions
from util.fetch.obtain import obtain_encoder
from util.run.checkpoint import read_state_dict

State = dict[str, torch.Tensor]


def load_encoder(net: nn.Module, weights: str, netG: str, checkpoints_dir: Path) -> str:
    """Start a generator's encoder from `--encoder_weights`. Returns a line on where it starts from.

    weights: `imagenet` for the weights that torchvision publishes (downloaded if need be), or a file. A file holds a
    whole classifier's state dict from torchvision or timm, or is a run's latest_net_G.pth, whose encoder is taken. A
    first layer of three channels is summed for one channel (a grey image repeated). UserError: the file belongs to
    another network, or `netG` has no encoder.
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
    state = read_state_dict(path)
    if (twin := torchvisions(name)) and "features.0.0.weight" in state:
        raise UserError(
            f"--encoder_weights {path}: torchvision's EfficientNet, which pads otherwise than encoder "
            f"{name}; take --netG {netG.replace(name, twin)}"
        )
    wanted = net.encoder.state_dict()
    state = as_smp(state, wanted)
    notes = _fit_first_layer(state, wanted)
    if misfit := _misfit(state, wanted):
        raise UserError(f"--encoder_weights {path}: not the weights of encoder {name}: {misfit}")
    net.encoder.load_state_dict(wanted | {key: value for key, value in state.items() if key in wanted})
    net.keep_folded_norms()
    return "; ".join([f"encoder {name} starts from {path}", *notes])


def as_smp(state: State, wanted: State) -> State:
    """A state dict from torchvision, from timm or from a run of ours, under the keys of smp's encoder (`wanted`)."""
    for prefix in ("net.encoder.", "encoder."):  # a generator of ours, a network of smp's
        if any(key.startswith(prefix) for key in state):
            state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    # torchvision's files of DenseNets are older than today's names: norm.1.weight is norm1.weight
    state = {re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)\.", r"\1\2.", key): value for key, value in state.items()}
    prefix = "model." if all(key.startswith("model.") for key in wanted) else ""  # timm's inside smp's
    state = {key if key in wanted else prefix + key: value for key, value in state.items()}
    return state if state.keys() & wanted.keys() else _in_order(state, wanted)


def _in_order(state: State, wanted: State) -> State:
    """Rename the tensors of a file that has none of the wanted keys, such as torchvision's of an EfficientNet.

    Tensors are matched by their order. The state dict is returned unchanged where the shapes contradict that.
    """
    theirs, ours = ([key for key in keys if not key.endswith("num_batches_tracked")] for keys in (state, wanted))
    pairs = list(zip(ours, theirs, strict=False))  # theirs goes on with the classifier
    # The first layer's shape may differ in its input channels; `_fit_first_layer` sees to that.
    same = len(ours) <= len(theirs) and all(
        wanted[key].shape == state[other].shape or key == ours[0] for key, other in pairs
    )
    return {key: state[other] for key, other in pairs} if same else state


def _fit_first_layer(state: State, wanted: State) -> list[str]:
    """Sum a first layer of three channels to the one that is wanted, in place. Returns a line if that was done."""
    key = next((key for key, value in state.items() if key in wanted and value.ndim == 4), None)
    if key is None or (state[key].shape[1], wanted[key].shape[1]) != (3, 1):
        return []
    state[key] = state[key].sum(1, keepdim=True)
    return ["its first layer is summed to 1 input channel (the same as repeating the grey image)"]


def _misfit(state: State, wanted: State) -> str:
    """The first tensor that does not fit, and how many there are; "" where the file holds this very encoder.

    The file may hold more than the encoder: tensors outside of all the encoder's stages belong to the classifier.
    """
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    other = [key for key in state if key in wanted and state[key].shape != wanted[key].shape]
    stages = {_stage(key) for key in wanted}
    beyond = [key for key in state if key not in wanted and _stage(key) in stages and "num_batches" not in key]
    if missing:
        first = f"it has no {missing[0]}"
    elif other:
        shapes = f"{tuple(wanted[other[0]].shape)}, not {tuple(state[other[0]].shape)}"
        first = f"{shapes}, is wanted for {other[0]}"
    elif beyond:
        first = f"it has also a {beyond[0]}"
    else:
        return ""
    return f"{first} ({len(missing) + len(other) + len(beyond)} of {len(wanted)} tensors do not fit)"


def _stage(key: str) -> str:
    """The stage of an encoder that a tensor belongs to: the first part of its key."""
    return key.removeprefix("model.").partition(".")[0]
