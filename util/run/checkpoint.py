"""Checkpoints: networks as upstream writes them, and other .pth files, written whole or not at all."""

import hashlib
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from torch import nn

from util.errors import UserError
from util.faults import is_fault, named
from util.run.divergence import not_finite, refuse_diverged
from util.run.inert import load_with_inert
from util.run.safe import SUFFIX, read_header
from util.run.tensors import check_archive, check_plain, unwrapped
from util.run.together import save_together


def load_tensors(path: Path, inert: bool = False) -> object:
    """Read a .pth file to the CPU. It may hold tensors and plain values only, never code.

    inert: Python objects are no error, and something that does nothing takes their place (`util.run.inert`).
    UserError: the file is missing, truncated or unsafe, or holds tensors that are not plain ones (`check_plain`).
    """
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint file")
    try:
        with path.open("rb") as file:
            start = file.read(2)
        if start not in (b"PK", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05"):
            raise UserError(f"{path}: not a checkpoint that torch.save wrote")
        check_archive(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            inert = inert and start == b"PK"
            contents = load_with_inert(path) if inert else torch.load(path, map_location="cpu", weights_only=True)
        check_plain(path, contents)
        return contents
    except UserError:
        raise
    except Exception as error:  # damaged files make the unpickler raise nearly anything
        if is_fault(error):
            raise named(error, path) from error
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
    """The file of what an adapted generator adds to its donor (models/piggyback), e.g.
    `latest_task_G.safetensors`."""
    return folder / f"{epoch}_task_{name}{SUFFIX}"


def save_networks(
    folder: Path,
    epoch: str | int,
    networks: Mapping[str, nn.Module],
    tasks: Mapping | None = None,
    beside: Mapping[Path, Mapping] | None = None,
) -> None:
    """Write each network as a bare state dict on the CPU under upstream's name and keys.

    tasks: tasks of adapted generators, by name (`models.piggyback.task.Task`). Such a generator gets a task file
    instead of a state dict, and a file of the other kind from an earlier save is deleted.
    beside: contents of further files that belong to these networks (`save_together`).
    UserError, before any file is replaced: a tensor is not finite.
    """
    tasks = tasks or {}
    files: dict[Path, object] = {task_path(folder, epoch, name): task.contents(folder) for name, task in tasks.items()}
    for name in [name for name in networks if name not in tasks]:
        state = networks[name].state_dict()
        files[network_path(folder, epoch, name)] = {key: value.detach().cpu() for key, value in state.items()}
    together = {f"weights of {name}": net.state_dict() for name, net in networks.items()}
    together |= {path.name: contents for path, contents in (beside or {}).items()}
    refuse_diverged(not_finite(together), folder)
    save_together(files, beside)
    for name in networks:
        (network_path if name in tasks else task_path)(folder, epoch, name).unlink(missing_ok=True)


def fingerprint(state: Mapping[str, torch.Tensor]) -> str:
    """SHA-256 over the names, types, shapes and bytes of tensors, sorted by name."""
    digest = hashlib.sha256()
    for name in sorted(state):
        tensor = state[name].detach().cpu().contiguous()
        digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
        digest.update(tensor.reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def load_state(net: nn.Module, state: dict, path: Path, explain: Callable[[dict], str]) -> None:
    """Load a bare state dict, which was read from `path`, into `net`, strictly.

    UserError: the architectures differ. explain: turns the state dict into the advice at the end of that error.
    """
    if wrong := other_kind(state, net.state_dict()):
        raise UserError(f"{path}: {wrong} holds {state[wrong].dtype}, not weights; save the network in float32")
    try:
        net.load_state_dict(without_old_norm_buffers(net, state), strict=True)
    except RuntimeError as error:
        raise UserError(f"{path}: does not fit the network of this run; {explain(state)}") from error


def other_kind(state: Mapping[str, torch.Tensor], wanted: Mapping[str, torch.Tensor]) -> str:
    """The name of a tensor that holds whole numbers where fractions are wanted, or the reverse; "" if there is none.

    torch would round such a tensor without a word.
    """
    both = [key for key in state if key in wanted]
    return next((key for key in both if state[key].is_floating_point() != wanted[key].is_floating_point()), "")


def read_state_dict(path: Path) -> dict[str, torch.Tensor]:
    """A network's state dict from a file, as float32 on the CPU, whatever a trainer wrapped it in (`unwrapped`).

    A file is one that torch.save wrote, or a .safetensors file.
    """
    state = unwrapped(load_safetensors(path) if path.suffix == SUFFIX else load_tensors(path, inert=True))
    if state is None:
        raise UserError(
            f"{path}: not a network's state dict (named tensors), as torch.save(net.state_dict(), path) writes it"
        )
    try:
        return {key: value.float() if value.is_floating_point() else value for key, value in state.items()}
    except (RuntimeError, NotImplementedError) as error:  # torch has types that it cannot convert yet
        raise UserError(
            f"{path}: its tensors cannot be turned into float32: {error}; save the network in that"
        ) from None


def load_safetensors(path: Path) -> dict[str, torch.Tensor]:
    """The tensors of a .safetensors file. UserError: it is missing or damaged."""
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint file")
    from safetensors.torch import load

    try:
        contents = load(path.read_bytes())
    except Exception as error:  # safetensors' own, KeyError for an unknown type, and more
        if is_fault(error):
            raise named(error, path) from error
        raise UserError(f"{path}: damaged or no safetensors file ({error}); copy or download it again") from error
    check_plain(path, contents)
    return contents


def read_safe(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    """The header and the tensors of a file that `util.run.safe` wrote. UserError: it is missing or damaged."""
    return read_header(path), load_safetensors(path)


def without_old_norm_buffers(net: nn.Module, state: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    """`state` without the statistics of instance norm, which PyTorch before 0.4 stored and today's layers refuse."""
    norms = [name for name, module in net.named_modules() if isinstance(module, nn.InstanceNorm2d)]
    old = {f"{name}.{b}" for name in norms for b in ("running_mean", "running_var", "num_batches_tracked")}
    return {key: value for key, value in state.items() if key not in old}
