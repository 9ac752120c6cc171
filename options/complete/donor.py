"""The network flags of --pretrained: a generator that starts from a donor is built as the donor is."""

from collections.abc import Mapping
from pathlib import Path

from models.networks import GENERATORS
from util.fetch import catalogue
from util.files import read_options

SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints"
FITTED = {1, 3}
"""Channels of a GAN's generator that a donor is fitted to (`models.donors.build.load_donor`)."""


def flags_of_donor(name: str, checkpoints_dir: Path, defaults: Mapping[str, object]) -> dict[str, object]:
    """The flags that build the donor called `name`: those that must be the donor's, and no others; {} if nothing
    tells. defaults: their values without a donor.

    They are read from the options.json beside the donor, or from its weights, or from the catalogue. A donor that does
    not exist is found missing later, where it is loaded.
    """
    known = _recorded(name, checkpoints_dir)
    netG = str(known.get("netG", ""))
    wanted = ["netG", "input_norm"]
    if not netG.startswith("smp:"):
        wanted += ["ngf", "norm"]
    if not netG.startswith("unet_") or netG not in GENERATORS:  # dropout leaves no trace in a U-Net's weights
        wanted.append("no_dropout")
    fitted = netG in GENERATORS
    wanted += [c for c in ("input_nc", "output_nc") if not (fitted and {known.get(c), defaults.get(c)} <= FITTED)]
    return {flag: known[flag] for flag in wanted if known.get(flag) is not None}


def folder_of_donor(name: str, checkpoints_dir: Path) -> Path | None:
    """The folder that holds the donor called `name`; None if there is none."""
    folders = [Path(name), checkpoints_dir / name, SHIPPED / name, checkpoints_dir / f"{name}_pretrained"]
    return Path(name).parent if Path(name).is_file() else next((f for f in folders if f.is_dir()), None)


def _recorded(name: str, checkpoints_dir: Path) -> Mapping[str, object]:
    published, folder = catalogue.donor(name), folder_of_donor(name, checkpoints_dir)
    if folder and (folder / "options.json").is_file():
        return read_options(folder / "options.json")
    if published and not Path(name).is_file():
        return {key: getattr(published, key) for key in ("netG", "ngf", "norm", "no_dropout")}
    return _inferred(name, checkpoints_dir) if folder else {}


def _inferred(name: str, checkpoints_dir: Path) -> Mapping[str, object]:
    """What the names and shapes of the donor's weights tell."""
    from models.donors.architecture import infer_architecture  # with torch, which most command lines do not need
    from models.donors.find import find_donor
    from models.donors.wrappings import read_generator

    architecture = infer_architecture(read_generator(find_donor(name, checkpoints_dir)))
    return architecture.values() if architecture else {}
