"""The name of a run for which none is typed: train.py names it after data and model, and the scripts find it again."""

import argparse
import difflib
import re
from collections.abc import Mapping
from pathlib import Path

from options.flags.of_models import OF_MODELS
from util.commands import CHECKPOINTS_DIR
from util.errors import UserError
from util.run.aside import FOLDS, NETWORKS

UPSTREAMS = "experiment_name"
"""What upstream calls a run without a --name."""


def own_name(values: Mapping[str, object], model: str) -> str:
    """The name of a run: that of its data's folder, or of what is drawn, and its model: my_lungs_pix2pix."""
    root = str(values.get("dataroot") or "")
    drawn = values.get("phantom") if values.get("dataset_mode") == "phantom" else ""
    data = drawn or (Path(root).resolve().name if root else "") or values.get("dataset_mode") or "run"
    return re.sub(r"[^\w.+-]+", "-", f"{data}_{model}")


def with_name(typed: Mapping[str, object]) -> dict[str, object]:
    """The typed flags, with the --name of the run that train.py has named itself if none is typed.

    UserError: no such run, or several; the message lists the runs there are.
    """
    if typed.get("name"):
        return dict(typed)
    checkpoints_dir = Path(str(typed.get("checkpoints_dir", CHECKPOINTS_DIR)))
    models = [typed["model"]] if typed.get("model") else OF_MODELS
    named = [own_name(typed, str(model)) for model in models] if typed.get("dataroot") or typed.get("phantom") else []
    existing = set(runs_in(checkpoints_dir))
    fitting = [name for name in named if name in existing] or [UPSTREAMS] * (UPSTREAMS in existing)
    if len(fitting) == 1:
        print(f"no --name: taking the run {fitting[0]}")
        return {**typed, "name": fitting[0]}
    raise UserError(f"--name is missing: which run? {_listed(checkpoints_dir)}")


def existing_run(checkpoints_dir: Path, name: str, flag: str) -> Path:
    """The folder of a run. UserError, naming the flag: there is none; the message suggests the nearest name."""
    folder = checkpoints_dir / name
    if folder.is_dir():
        return folder
    nearest = difflib.get_close_matches(name, runs_in(checkpoints_dir), n=1)
    hint = f"did you mean {nearest[0]}?" if nearest else f"check the name; {_listed(checkpoints_dir)}"
    raise UserError(f"{flag}: there is no run {folder}; {hint}")


def runs_in(checkpoints_dir: Path) -> list[str]:
    """The folders that hold networks, or a cross-validation's, by name; the newest first."""
    kinds = (f"*/{kind}" for kind in (*NETWORKS, FOLDS))
    files = [path for kind in kinds for path in checkpoints_dir.glob(kind)] if checkpoints_dir.is_dir() else []
    folders = {path.parent for path in files}
    return [folder.name for folder in sorted(folders, key=lambda f: f.stat().st_mtime, reverse=True)]


def _listed(checkpoints_dir: Path) -> str:
    runs = runs_in(checkpoints_dir)
    if not runs:
        return f"{checkpoints_dir} holds none"
    more = f" and {len(runs) - 10} more" if len(runs) > 10 else ""
    return f"{checkpoints_dir} holds, the newest first: {', '.join(runs[:10])}{more}"


def default_name(opt: argparse.Namespace) -> str:
    """`own_name` of resolved options."""
    return own_name(vars(opt), opt.model)
