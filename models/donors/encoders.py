"""Weights for the encoders of segmentation_models_pytorch (`--encoder_weights`), from ImageNet or from a file."""

import re
from pathlib import Path

import torch
from torch import nn

from models.networks.smp import SmpGenerator
from util.errors import UserError
from util.fetch.catalogue import torchvisions
from util.fetch.obtain import obtain_encoder
from util.run.checkpoint import other_kind, read_state_dict

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
    if prefix := _prefix(state, wanted):
        state = {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
    # torchvision's files of DenseNets are older than today's names: norm.1.weight is norm1.weight
    state = {re.sub(r"(denselayer\d+\.(?:norm|conv))\.(\d)\.", r"\1\2.", key): value for key, value in state.items()}
    prefix = "model." if all(key.startswith("model.") for key in wanted) else ""  # timm's inside smp's
    state = {key if key in wanted else prefix + key: value for key, value in state.items()}
    return state if state.keys() & wanted.keys() else _in_order(state, wanted)


def _prefix(state: State, wanted: State) -> str:
    """What stands before all the encoder's names: `net.encoder.` in a generator of ours, `encoder.` in smp's network,
    `model.` or the like in Lightning's files; "" where nothing does."""
    last = next((key for key in reversed(wanted) if wanted[key].ndim > 0), "")  # the first name may be that of a part
    prefixes = [key.removesuffix(last) for key in state if key.endswith(last)]
    whole = [
        p for p in prefixes if p.endswith(".") and all(p + key in state for key in wanted if "num_batch" not in key)
    ]
    if last in state or not whole:
        whole = [p for p in ("net.encoder.", "encoder.") if any(key.startswith(p) for key in state)]
    return whole[0] if whole else ""


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
    """Fit a first layer of one or three channels to the three or one that are wanted, in place. Returns a line."""
    key = next((key for key, value in state.items() if key in wanted and value.ndim == 4), None)
    channels = (state[key].shape[1], wanted[key].shape[1]) if key and wanted[key].ndim == 4 else ()
    if key is None or channels not in ((3, 1), (1, 3)):
        return []
    if channels == (3, 1):
        state[key] = state[key].sum(1, keepdim=True)
        return ["its first layer is summed to 1 input channel (nearly the same as repeating the grey image)"]
    state[key] = state[key].repeat_interleave(3, 1) / 3
    return ["its first layer takes the mean of 3 input channels"]


def _misfit(state: State, wanted: State) -> str:
    """The first tensor that does not fit, and how many there are; "" where the file holds this very encoder.

    The file may hold more than the encoder: tensors outside of all the encoder's stages belong to the classifier.
    """
    missing = [key for key in wanted if key not in state and not key.endswith("num_batches_tracked")]
    other = [key for key in state if key in wanted and state[key].shape != wanted[key].shape]
    whole = other_kind(state, wanted)
    stages = {_stage(key) for key in wanted}
    beyond = [key for key in state if key not in wanted and _stage(key) in stages and "num_batches" not in key]
    if missing:
        first = f"it has no {missing[0]}"
    elif other:
        shapes = f"{tuple(wanted[other[0]].shape)}, not {tuple(state[other[0]].shape)}"
        first = f"{shapes}, is wanted for {other[0]}"
    elif beyond:
        first = f"it has also a {beyond[0]}"
    elif whole:
        first = f"{whole} holds {state[whole].dtype}, not weights"
    else:
        return ""
    return f"{first} ({len(missing) + len(other) + len(beyond)} of {len(wanted)} tensors do not fit)"


def _stage(key: str) -> str:
    """The stage of an encoder that a tensor belongs to: the first part of its key."""
    return key.removeprefix("model.").partition(".")[0]
