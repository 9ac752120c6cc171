"""Files of a run: networks as upstream writes them, the train state beside them, nothing half-written."""

import contextlib
import hashlib
import io
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch import nn

from util import distributed
from util.errors import UserError
from util.files import replacing


def save_together(files: dict[Path, object]) -> None:
    """`torch.save` of files that belong together: none is replaced before all are written.

    Of several processes that train together only the first writes.
    """
    if distributed.rank():
        return
    with contextlib.ExitStack() as stack:
        for path, value in files.items():
            file = stack.enter_context(replacing(path, "wb"))
            # Through memory: writing to a full disk, torch.save raises errors that do not say so.
            buffer = io.BytesIO()
            torch.save(value, buffer)
            file.write(buffer.getbuffer())
            file.flush()


def load_tensors(path: Path) -> object:
    """Read a .pth file to the CPU. Tensors and plain values only: a file that wants to run code is refused.

    Raises UserError for a missing, truncated or unsafe file.
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint file")
    try:
        with path.open("rb") as file:
            start = file.read(2)
        if start not in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
            raise UserError(f"{path}: not a checkpoint that torch.save wrote")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return torch.load(path, map_location="cpu", weights_only=True)
    except UserError:
        raise
    except Exception as error:  # damaged files make the unpickler raise nearly anything
        if "weights_only" in str(error) or "WeightsUnpickler" in str(error):
            raise UserError(
                f"{path}: holds Python objects, not only tensors, and was not loaded because such a file can run code; "
                "save a plain state dict: torch.save(net.state_dict(), path)"
            ) from error
        raise UserError(f"{path}: damaged or truncated; copy or download it again") from error


def network_path(folder: Path, epoch: str | int, name: str) -> Path:
    """Upstream's file name, e.g. `latest_net_G.pth` or `5_net_D.pth`."""
    return folder / f"{epoch}_net_{name}.pth"


def task_path(folder: Path, epoch: str | int, name: str) -> Path:
    """What an adapted generator adds to its donor (models/piggyback), e.g. `latest_task_G.pth`."""
    return folder / f"{epoch}_task_{name}.pth"


def save_networks(
    folder: Path,
    epoch: str | int,
    networks: dict[str, nn.Module],
    tasks: Mapping | None = None,
    beside: dict[Path, object] | None = None,
) -> None:
    """Write each network as a bare state dict on the CPU under upstream's name and keys.

    tasks: of adapted generators, by name, what has `contents(folder)`; it is written as a task file instead.
    beside: further files that belong to them. Of a generator only the kind of file written last stays.
    """
    if distributed.rank():
        return
    tasks = tasks or {}
    files: dict[Path, object] = {task_path(folder, epoch, name): task.contents(folder) for name, task in tasks.items()}
    for name in [name for name in networks if name not in tasks]:
        state = networks[name].state_dict()
        files[network_path(folder, epoch, name)] = {key: value.detach().cpu() for key, value in state.items()}
    save_together(files | (beside or {}))
    for name in networks:
        (network_path if name in tasks else task_path)(folder, epoch, name).unlink(missing_ok=True)


def fingerprint(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over the names, types, shapes and bytes of tensors, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy())
    return digest.hexdigest()


def load_state(net: nn.Module, state: dict, path: Path, explain: Callable[[dict], str]) -> None:
    """Load a bare state dict that was read from `path` into `net`, strictly.

    explain: turns the state dict into the advice that ends the error when the architectures differ.
    """
    try:
        net.load_state_dict(without_old_norm_buffers(net, state), strict=True)
    except RuntimeError as error:
        raise UserError(f"{path}: does not fit the network of this run; {explain(state)}") from error


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """A network's state dict from a file, as float32 on the CPU and without the `module.` of DataParallel."""
    state = load_tensors(path)
    named = isinstance(state, dict) and all(isinstance(k, str) and torch.is_tensor(v) for k, v in state.items())
    if not named or not state:
        raise UserError(f"{path}: not a network's state dict (a dict of named tensors)")
    prefix = "module." if all(key.startswith("module.") for key in state) else ""
    return {
        key.removeprefix(prefix): value.float() if value.is_floating_point() else value for key, value in state.items()
    }


def without_old_norm_buffers(net: nn.Module, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`state` without the statistics that instance norm stored before PyTorch 0.4 and that today's layers refuse."""
    norms = [name for name, module in net.named_modules() if isinstance(module, nn.InstanceNorm2d)]
    old = {f"{name}.{b}" for name in norms for b in ("running_mean", "running_var", "num_batches_tracked")}
    return {key: value for key, value in state.items() if key not in old}
