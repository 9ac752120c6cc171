"""The folder that --dataroot names, and the images in it."""

import re
from pathlib import Path

from data.read.images import find_images, safe_ids, without_extension
from util.errors import UserError

IMAGE_FOLDERS = ("images", "image", "imgs", "img", "cxr_png", "cxr", "xrays", "xray", "x-rays", "x-ray")
MASK_FOLDERS = (
    *("masks", "mask", "labels", "label", "gt", "ground_truth", "groundtruth", "segmentations", "segmentation", "seg"),
    *("lung_masks", "lung_mask", "manualmask", "annotations"),
)
"""What others call the folders `images` and `masks`, in lower case."""

WITHOUT_MASKS = re.compile("(?<![a-z])(no|without)[ _-]?masks?$")

PHASES = ("train", "val", "test")

PREPARED = ".prepare.json"
"""The first file that data.prepare writes into a folder; splits.csv is nearly the last. It records what the pictures
show and how they were made."""


class NoSuchPhase(UserError):
    """The data set has no images in this phase."""


class NoForeground(UserError):
    """Every mask of this phase is empty."""


def existing_folder(dataroot: str) -> Path:
    """--dataroot as a path. UserError: it is empty, does not exist, or is no folder."""
    if not dataroot:
        raise UserError("--dataroot is missing: give the folder of the images")
    root = Path(dataroot)
    if str(root).encode(errors="replace").decode() != str(root):
        raise UserError(f"--dataroot {root}: the name of this folder is not UTF-8: rename it")
    if root.is_file():
        raise UserError(f"--dataroot {root}: a file, not a folder")
    if not root.is_dir():
        raise UserError(f"--dataroot {root}: no such folder{_fetching(root)}")
    return root


def _fetching(root: Path) -> str:
    """Advice where a folder that does not exist is one that `data.download` makes; else ""."""
    from util.fetch.catalogue import DATA_SETS

    known = root.parent.name == "datasets" and root.name in DATA_SETS
    return f"; `python -m data.download {root.name}` fetches it, or says how to get it" if known else ""


def likely_folders(root: Path) -> tuple[str, str]:
    """The sub-folders of `root` that hold images and masks by their names, `images` and `masks` before any other; ""
    where there is none."""
    names = {path.name.lower(): path.name for path in root.iterdir() if path.is_dir()} if root.is_dir() else {}
    images, masks = (next((names[n] for n in usual if n in names), "") for usual in (IMAGE_FOLDERS, MASK_FOLDERS))
    return images, masks


def renaming(root: Path) -> str:
    """Advice where folders of images and masks have other names than --dataset_mode masks wants, or lie in a folder for
    each phase; else ""."""
    if phase := next((name for name in PHASES if all(likely_folders(root / name))), ""):
        images, masks = likely_folders(root / phase)
        return (
            f"move {phase}/{images} to images/{phase}, {phase}/{masks} to masks/{phase}, and those of other phases too"
        )
    wanted = ("images", "masks")
    others = [(have, want) for have, want in zip(likely_folders(root), wanted, strict=True) if have not in ("", want)]
    return "; ".join(f"rename its folder {have} to {want}" for have, want in others)


def named_for_masks(folder: str) -> bool:
    """Whether a folder is one of masks by its name: masks, leftMask, ManualMask, labels."""
    name = folder.lower()
    return name in MASK_FOLDERS or (name.endswith(("mask", "masks")) and not WITHOUT_MASKS.search(name))


def split_masks(paths: list[Path], root: Path) -> tuple[list[Path], list[Path]]:
    """The paths without masks, and those that are masks by their names: x_mask.png beside x.png, and what lies below
    `root` in a folder that is one of masks."""
    stems = {_stem(path) for path in paths}
    masks = {
        path
        for path in paths
        if (stem := _stem(path)).endswith("_mask")
        and stem.removesuffix("_mask") in stems
        or any(map(named_for_masks, path.relative_to(root).parent.parts))
    }
    return [path for path in paths if path not in masks], [path for path in paths if path in masks]


def _stem(path: Path) -> str:
    return str(without_extension(path)).casefold()


def left_out_in_words(masks: list[Path], what: str) -> list[str]:
    """A note about masks that are not taken for images; none without masks. what: the flag and folder they were in."""
    return [f"{what}: {len(masks)} files left out as masks, by their names, such as {masks[0]}"] if masks else []


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
