"""The folder that --dataroot names, and the images in it."""

from pathlib import Path

from data.read.images import find_images, safe_ids
from util.errors import UserError


class NoSuchPhase(UserError):
    """The data set has no images in this phase."""


class NoForeground(UserError):
    """Every mask of this phase is empty."""


def existing_folder(dataroot: str) -> Path:
    """--dataroot as a path. UserError: it is empty, does not exist, or is no folder."""
    if not dataroot:
        raise UserError("--dataroot is missing: give the folder of the images")
    root = Path(dataroot)
    if not root.is_dir():
        raise UserError(f"--dataroot {root}: {'a file, not a folder' if root.exists() else 'no such folder'}")
    return root


def images_of(root: Path, name: str, wanted: str) -> list[tuple[str, Path]]:
    """Ids and paths of the images in or below <root>/<name>. NoSuchPhase: there are none; its message ends with the
    layout that the dataset mode expects (`wanted`)."""
    folder = root / name
    if not folder.is_dir():
        folders = sorted(p.name for p in root.iterdir() if p.is_dir() and not p.name.startswith("."))
        raise NoSuchPhase(
            f"--dataroot {root}: no folder {name!r}; --dataset_mode {wanted}; "
            f"there is {', '.join(folders) or 'no folder at all'}"
        )
    paths = find_images(folder)
    if not paths:
        raise NoSuchPhase(f"{folder}: no images in this folder or below it; --dataset_mode {wanted}")
    return list(zip(safe_ids(paths, folder), paths, strict=True))
