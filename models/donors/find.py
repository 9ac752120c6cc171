"""Donors: generators that were trained on something else, found by the name that a user gives them."""

from pathlib import Path

from models.donors.architecture import infer_architecture
from util.errors import UserError
from util.fetch import catalogue
from util.fetch.obtain import donor_path, obtain_donor
from util.run.checkpoint import fingerprint, network_path, read_state_dict, task_path

SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints"  # donors that come with the project


def find_donor(name: str, checkpoints_dir: Path, flag: str = "--pretrained") -> Path:
    """The file that `--pretrained NAME` (flag: or another) means: a .pth file, a folder that holds one, an
    experiment's, a shipped donor's or a published generator's name, which is downloaded if need be. Of a CycleGAN's
    two generators it is G_A; of a generator adapted to a task it is the task's file.
    """
    if found := _on_disk(name, checkpoints_dir):
        return found
    published = catalogue.donor(name)
    for folder in _folders(name, checkpoints_dir):
        if folder.is_dir() and not published:
            raise UserError(f"{flag} {name}: {folder} holds no latest_net_G.pth")
    if published:
        return obtain_donor(published, checkpoints_dir)
    raise UserError(
        f"{flag} {name}: neither a .pth file, nor a folder, nor an experiment under {checkpoints_dir}, nor a "
        "published generator (python -m data.download --list)"
    )


def _folders(name: str, checkpoints_dir: Path) -> tuple[Path, ...]:
    return Path(name), checkpoints_dir / name, SHIPPED / name


def _on_disk(name: str, checkpoints_dir: Path) -> Path | None:
    if Path(name).is_file():
        return Path(name)
    files = (
        path(folder, "latest", net)
        for folder in _folders(name, checkpoints_dir)
        for net in ("G", "G_A")
        for path in (task_path, network_path)
    )
    return next((file for file in files if file.is_file()), None)


def started_from(pretrained: str, donor: Path, checkpoints_dir: Path) -> bool:
    """Whether a run's `--pretrained` names this generator's file or one of the same weights; True where nobody can tell
    any more because what it names is gone. Nothing is downloaded."""
    published = catalogue.donor(pretrained)
    found = _on_disk(pretrained, checkpoints_dir) or (published and donor_path(published, checkpoints_dir))
    if not pretrained or not found or not found.is_file() or found.samefile(donor):
        return bool(pretrained)
    return "_task_" not in found.name and fingerprint(read_state_dict(found)) == fingerprint(read_state_dict(donor))


def upstream_flags(folder: Path, epoch: str | int) -> list[str]:
    """The flags with which test.py applies a folder that upstream wrote: without options.json they are read off the
    generator's file. [] where they are recorded, or no generator is known there."""
    for side in ("", "_A"):
        path = network_path(folder, epoch, f"G{side}")
        if path.is_file() and not (folder / "options.json").is_file():
            if made := infer_architecture(read_state_dict(path)):
                return [*made.flags().split(), "--model=test", f"--model_suffix={side}"]
    return []


def find_twin(name: str, checkpoints_dir: Path) -> Path | None:
    """The generator of the opposite direction that was trained together with donor `name`: a run's G_B, or for a
    published donor (not a run of the same name) what was published beside it; None where there is none."""
    donor = find_donor(name, checkpoints_dir)
    beside = donor.with_name(donor.name.replace("_G_A.", "_G_B."))
    if beside != donor and beside.is_file():
        return beside
    made, twin = catalogue.donor(name), catalogue.twin(name)
    if not twin or donor != donor_path(made, checkpoints_dir):
        return None
    try:
        return obtain_donor(catalogue.DONORS[twin], checkpoints_dir)
    except UserError as error:
        raise UserError(f"{error}; or start G_B as G_A (--pretrained_B same)") from error
