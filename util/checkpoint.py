"""Files of a run: networks as upstream writes them, the train state beside them, nothing half-written."""

import contextlib
import json
import os
import pickle
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import torch
from torch import nn

from util import distributed
from util.errors import UserError

TRAIN_STATE = "latest_train_state.pth"


@contextlib.contextmanager
def replacing(path: Path, mode: str = "w") -> Iterator:
    """Open a file that takes `path`'s place only once it is written whole."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, mode, **({} if "b" in mode else {"encoding": "utf-8"})) as file:
            yield file
        os.chmod(beside, 0o666 & ~_umask())
        os.replace(beside, path)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(beside)
        raise


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask


def write_text(path: Path, text: str) -> None:
    """Write a text file whole or not at all. Of several processes that train together only the first writes."""
    if distributed.rank():
        return
    with replacing(path) as file:
        file.write(text)


def write_json(path: Path, value: object) -> None:
    """Write `value` as indented JSON, whole or not at all."""
    write_text(path, json.dumps(value, indent=2, sort_keys=True) + "\n")


def save_tensors(path: Path, value: object) -> None:
    """`torch.save`, whole or not at all. Of several processes that train together only the first writes."""
    if distributed.rank():
        return
    with replacing(path, "wb") as file:
        torch.save(value, file)


def load_tensors(path: Path) -> object:
    """Read a .pth file to the CPU. Tensors and plain values only: a file that wants to run code is refused.

    Raises UserError for a missing, truncated or unsafe file.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint file")
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        if "nsupported" in str(error) or "WeightsUnpickler" in str(error) or "weights_only" in str(error):
            raise UserError(
                f"{path}: holds Python objects, not only tensors, and was not loaded because such a file can run code; "
                "save a plain state dict: torch.save(net.state_dict(), path)"
            ) from error
        raise UserError(f"{path}: not a checkpoint that torch.save wrote") from error
    except (RuntimeError, OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise UserError(f"{path}: damaged or truncated; copy or download it again") from error


def network_path(folder: Path, epoch: str | int, name: str) -> Path:
    """Upstream's file name, e.g. `latest_net_G.pth` or `5_net_D.pth`."""
    return folder / f"{epoch}_net_{name}.pth"


def save_networks(folder: Path, epoch: str | int, networks: dict[str, nn.Module]) -> None:
    """Write each network as a bare state dict on the CPU under upstream's name and keys."""
    for name, net in networks.items():
        state = {key: value.detach().cpu() for key, value in net.state_dict().items()}
        save_tensors(network_path(folder, epoch, name), state)


def load_state(net: nn.Module, state: dict, path: Path, explain: Callable[[dict], str]) -> None:
    """Load a bare state dict that was read from `path` into `net`, strictly.

    explain: turns the state dict into the advice that ends the error when the architectures differ.
    """
    drop_old_norm_buffers(net, state)
    try:
        net.load_state_dict(state, strict=True)
    except RuntimeError as error:
        raise UserError(f"{path}: does not fit the network of this run; {explain(state)}") from error


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """A network's state dict from a file, as float32 on the CPU and without the `module.` of DataParallel."""
    state = load_tensors(path)
    if not isinstance(state, dict) or not state or not all(torch.is_tensor(value) for value in state.values()):
        raise UserError(f"{path}: not a network's state dict (a dict of named tensors)")
    prefix = "module." if all(key.startswith("module.") for key in state) else ""
    return {
        key.removeprefix(prefix): value.float() if value.is_floating_point() else value for key, value in state.items()
    }


def drop_old_norm_buffers(net: nn.Module, state: dict[str, torch.Tensor]) -> None:
    """Remove the statistics that instance norm stored before PyTorch 0.4 and that today's layers refuse."""
    for name, module in net.named_modules():
        if isinstance(module, nn.InstanceNorm2d) and not module.track_running_stats:
            for buffer in ("running_mean", "running_var", "num_batches_tracked"):
                state.pop(f"{name}.{buffer}", None)
