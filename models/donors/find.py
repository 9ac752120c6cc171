"""Find a donor, a generator that was trained on something else, by the name that a user gives it."""

import difflib
import hashlib
import itertools
from collections.abc import Mapping, Sequence
from pathlib import Path

from models.donors.architecture import infer_architecture
from models.donors.wrappings import read_generator
from models.rivals import RIVALS
from util.errors import UserError
from util.fetch import catalogue
from util.fetch.obtain import donor_path, obtain_donor
from util.folds.record import refuse_folds
from util.run.checkpoint import fingerprint, network_path, task_path

SHIPPED = Path(__file__).resolve().parents[2] / "checkpoints"  # donors that come with the project


def find_donor(name: str, checkpoints_dir: Path, flag: str = "--pretrained") -> Path:
    """The file that `--pretrained NAME` means.

    NAME is a .pth file, a folder that holds one, or the name of an experiment, of a shipped donor or of a published
    generator, which is downloaded if need be. Of a CycleGAN's two generators, G_A is taken. For a generator adapted to
    a task the result is the task file. flag: named in errors. UserError where there is no such donor.
    """
    if path := _on_disk(name, checkpoints_dir):
        return path
    published = catalogue.donor(name)
    for folder in _folders(name, checkpoints_dir):
        refuse_folds(folder.parent, folder.name, f"{flag} {name}")
        if folder.is_dir() and not published:
            raise UserError(f"{flag} {name}: {folder} holds no latest_net_G.pth")
    if published:
        return obtain_donor(published, checkpoints_dir)
    runs = {path.parent.name for folder in (checkpoints_dir, SHIPPED) for path in folder.glob("*/*_G*.*")}
    nearest = difflib.get_close_matches(name, sorted(runs | catalogue.DONORS.keys()), n=1)
    raise UserError(
        f"{flag} {name}: neither a .pth file, nor a folder, nor an experiment under {checkpoints_dir}, nor a "
        + ("published generator" if nearest else "published generator (python -m data.download --list)")
        + (f"; did you mean {nearest[0]}?" if nearest else "")
    )


def find_twin(name: str, checkpoints_dir: Path) -> Path | None:
    """The generator of the opposite direction that was trained together with donor `name`; None if there is none.

    For a CycleGAN's run this is its G_B, for a published donor the one published beside it. A run that merely has the
    name of a published donor has no published twin.
    """
    donor = find_donor(name, checkpoints_dir)
    beside = donor.with_name(donor.name.replace("_G_A.", "_G_B."))
    if beside != donor and beside.is_file():
        return beside
    published, twin = catalogue.donor(name), catalogue.twin(name)
    if not published or not twin or donor != donor_path(published, checkpoints_dir):
        return None
    try:
        return obtain_donor(catalogue.DONORS[twin], checkpoints_dir)
    except UserError as error:
        raise UserError(f"{error}; or start G_B as G_A (--pretrained_B same)") from error


def start_in_words(name: str, checkpoints_dir: Path) -> str:
    """What `--pretrained name` named, without its folder, and the digest of its file. Nothing is downloaded."""
    published = catalogue.donor(name)
    path = _on_disk(name, checkpoints_dir) or (published and donor_path(published, checkpoints_dir))
    if not path or not path.is_file():
        return Path(name).name
    with path.open("rb") as file:
        return f"{Path(name).name}, {path.name} (sha256 {hashlib.file_digest(file, 'sha256').hexdigest()})"


def started_from(pretrained: str, donor: Path, checkpoints_dir: Path) -> bool:
    """Whether a run's `--pretrained` names the file `donor` or one with the same weights. Nothing is downloaded.

    Also true if the named file no longer exists, since it cannot be compared.
    """
    published = catalogue.donor(pretrained)
    path = _on_disk(pretrained, checkpoints_dir) or (published and donor_path(published, checkpoints_dir))
    if not pretrained or not path or not path.is_file() or path.samefile(donor):
        return bool(pretrained)
    return "_task_" not in path.name and fingerprint(read_generator(path)) == fingerprint(read_generator(donor))


def wrong_starts(
    stages: Sequence[Path], recorded: Sequence[Mapping[str, object]], donor: Path, checkpoints_dir: Path
) -> list[str]:
    """A phrase for each fine-tuned run of a sequence that did not start from the network before it.

    stages: folders, the donor's and then the runs'; recorded: their options, which may say nothing about the start;
    donor: the file.
    """
    phrases = []
    for (before, _), (stage, options) in itertools.pairwise(zip(stages, recorded, strict=True)):
        if options.get("adapt") not in ("finetune", *RIVALS) or "pretrained" not in options:
            continue
        expected = donor if before == stages[0] else find_donor(str(before), checkpoints_dir)
        if not started_from(str(options["pretrained"]), expected, checkpoints_dir):
            start = options["pretrained"] or "random weights"
            phrases.append(f"{stage.name} started from {start}, not {before.name}")
    return phrases


def upstream_options(folder: Path, epoch: str | int) -> dict[str, object]:
    """The options with which test.py applies a folder that upstream wrote.

    Such a folder has no options.json, so the architecture is read from the generator's file. {} where the options are
    recorded, and where the folder holds no known generator.
    """
    if (folder / "options.json").is_file():
        return {}
    for side in ("", "_A"):
        path = network_path(folder, epoch, f"G{side}")
        if path.is_file() and (architecture := infer_architecture(read_generator(path))):
            return architecture.values() | {"model": "test", "model_suffix": side}
    return {}


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
