"""A generator's tensors from a file of another program, which may name them otherwise or hold more than them."""

from pathlib import Path

from models.donors.architecture import RESNET_FIRST, UNET_FIRST, State, end_layers
from util.errors import UserError
from util.run.checkpoint import read_state_dict


def read_generator(path: Path, netG: str = "") -> State:
    """The state dict of a generator, from a file that may hold it under a prefix beside other networks.

    Lightning's files name tensors after the attribute that holds the network (`generator.`, `net.`, `model.`).
    segmentation_models_pytorch's own lack the `net.` of ours; they are looked for only where `netG` is smp:...
    UserError: the file holds several generators.
    """
    state = read_state_dict(path)
    if end_layers(state) is not None:
        return state
    if netG.startswith("smp:"):
        prefixes, ours = _before(state, "encoder.", anywhere=True), "net."
    else:
        prefixes, ours = [p for p in _before(state, UNET_FIRST, RESNET_FIRST) if end_layers(_under(state, p))], ""
    if len(prefixes) > 1:
        raise UserError(
            f"{path}: holds several generators ({', '.join(prefixes)}); save the one to start from in a file of its own"
        )
    return {ours + key: value for key, value in _under(state, prefixes[0]).items()} if prefixes else state


def _before(state: State, *names: str, anywhere: bool = False) -> list[str]:
    """The different prefixes of keys that end with one of `names` (anywhere: that hold it), sorted."""
    heads = {
        key.partition(name)[0] for key in state for name in names if (name in key if anywhere else key.endswith(name))
    }
    return sorted(head for head in heads if not head or head.endswith("."))


def _under(state: State, prefix: str) -> State:
    return {key.removeprefix(prefix): value for key, value in state.items() if key.startswith(prefix)}
