"""Find a data set or generator of the catalogue on disk, or download it completely before it gets its name."""

import contextlib
import os
import shutil
from pathlib import Path

from util.commands import quoted
from util.errors import UserError
from util.fetch.catalogue import DataSet, Donor, File, imagenet_weights, torchvisions
from util.fetch.download import digest, fetch, one_at_a_time, verify
from util.fetch.unpack import check_archive, unpack
from util.files import write_text

SOURCE = "SOURCE.txt"
"""Name of the file beside a download that says where it is from and on what terms."""


def donor_path(donor: Donor, checkpoints_dir: Path) -> Path:
    """Where upstream's scripts put a generator: <checkpoints_dir>/<name>_pretrained/latest_net_G.pth"""
    return checkpoints_dir / f"{donor.name}_pretrained" / donor.file.name


def obtain_donor(donor: Donor, checkpoints_dir: Path) -> Path:
    """Return the generator's file, which is downloaded if it is missing.

    Before it takes its place, the download is read as a state dict: nothing in it runs. Raises UserError as `fetch`.
    """
    path = donor_path(donor, checkpoints_dir)
    if path.is_file():  # needs no lock, so that the folder may be read-only
        return path
    from util.run.checkpoint import read_state_dict  # with torch, which listing the catalogue does not need

    with one_at_a_time(checkpoints_dir):
        if path.is_file():  # another process has just downloaded it
            return path
        print(
            f"{donor.name}: downloading {donor.file.url} to {path} ({donor.licence}; cite {donor.citation})", flush=True
        )
        try:
            fetch(donor.file.url, path, donor.file.size, donor.file.checksum, check=read_state_dict)
        except UserError:
            with contextlib.suppress(OSError):  # not empty if a part of the file can be continued
                path.parent.rmdir()
            raise
        _write_origin(path.parent, donor, {donor.file: digest(path)}, f"make: {flags(donor)}")
    return path


def obtain_encoder(encoder: str, checkpoints_dir: Path) -> Path:
    """Return an encoder's ImageNet weights, <checkpoints_dir>/imagenet/<torchvision's file name>.

    They are downloaded if they are missing. Raises UserError as `fetch`, and if torchvision has none.
    """
    file = imagenet_weights(encoder)
    if file is None:
        other = torchvisions(encoder)
        instead = f"take {other}, or give" if other and imagenet_weights(other) else "give"
        raise UserError(
            "--encoder_weights imagenet: torchvision publishes no weights that fit encoder "
            f"{encoder}; {instead} a .pth file of them"
        )
    path = checkpoints_dir / "imagenet" / file.name
    if path.is_file():
        return path
    from util.run.checkpoint import read_state_dict

    digits = file.name.removesuffix(".pth").rpartition("-")[2]

    def check(part: Path) -> None:
        if not digest(part).startswith(digits):
            raise UserError(f"its SHA-256 does not begin with {digits}, as the file's name says")
        read_state_dict(part)

    with one_at_a_time(checkpoints_dir):
        if not path.is_file():
            print(
                f"{encoder}: downloading {file.url} to {path} (torchvision's, BSD licence; trained on ImageNet: "
                "non-commercial research)",
                flush=True,
            )
            fetch(file.url, path, check=check)
    return path


def flags(donor: Donor) -> str:
    """The flags of train.py and test.py that build the generator."""
    named = f"--netG {donor.netG} --ngf {donor.ngf} --norm {donor.norm}"
    return f"{named} --no_dropout" if donor.no_dropout else named


def obtain_data_set(data_set: DataSet, datasets_dir: Path) -> Path:
    """Return the set's folder, <datasets_dir>/<name>, which is downloaded and unpacked if it is missing.

    An archive that is already in `datasets_dir`, put there by hand or left by an interrupted call, is used and kept.
    A folder of that name that this function did not write is refused. Raises UserError as `fetch` and `unpack`.
    """
    folder = datasets_dir / data_set.name
    if not data_set.files:
        raise UserError(f"{data_set.name}: cannot be downloaded without a login: {next_steps(data_set, folder)}")
    if (folder / SOURCE).is_file():
        return folder
    with one_at_a_time(datasets_dir):
        if (folder / SOURCE).is_file():  # another process has just downloaded it
            return folder
        if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
            raise UserError(
                f"{folder}: exists, but this command did not write it, and is left as it is; move it away, or name "
                "another folder with --datasets_dir"
            )
        terms = f"licence: {data_set.licence}\ncite: {data_set.citation}"
        print(f"{data_set.name}: {data_set.about}\n{terms}", flush=True)
        fetched = [archive for file in data_set.files if _downloaded(archive := datasets_dir / file.name, file)]
        _unpack_together(data_set, datasets_dir, folder)
        for archive in fetched:
            archive.unlink()
    return folder


def next_steps(data_set: DataSet, folder: Path) -> str:
    """What the user must still do by hand, if anything, and the next command."""
    steps = [data_set.by_hand, data_set.then]
    return "; then: ".join(step.format(folder=quoted(folder)) for step in steps if step)


def _downloaded(archive: Path, file: File) -> bool:
    """Make sure that the archive is on disk and the expected one; return whether it had to be downloaded."""
    if not archive.is_file():
        print(f"downloading {file.url}", flush=True)
        fetch(file.url, archive, file.size, file.checksum, check=check_archive)
        return True
    print(f"using {archive}, which was already there; you may delete it afterwards", flush=True)
    try:
        verify(archive, file.size, file.checksum)
    except UserError as error:
        raise UserError(f"{error}; delete it, then run this again") from error
    return False


def _unpack_together(data_set: DataSet, datasets_dir: Path, folder: Path) -> None:
    """Unpack the set's archives beside `folder`, then rename the result to `folder`.

    If everything is in a single folder, as in most archives, that one is renamed.
    """
    beside = datasets_dir / f".{data_set.name}.unpacking"
    archives = [datasets_dir / file.name for file in data_set.files]
    shutil.rmtree(beside, ignore_errors=True)  # left by a call that was killed
    try:
        for archive in archives:
            unpack(archive, beside)
        entries = list(beside.iterdir())
        top = entries[0] if len(entries) == 1 and entries[0].is_dir() else beside
        sums = {file: digest(archive) for file, archive in zip(data_set.files, archives, strict=True)}
        _write_origin(top, data_set, sums, f"next: {next_steps(data_set, folder)}")
        if folder.exists():
            folder.rmdir()
        os.replace(top, folder)
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _write_origin(folder: Path, item: DataSet | Donor, sums: dict[File, str], more: str) -> None:
    files = "".join(f"from: {file.url}\nsha256: {checksum}\n" for file, checksum in sums.items())
    text = f"{item.name}: {item.about}\n{files}licence: {item.licence}\ncite: {item.citation}\n{more}\n"
    write_text(folder / SOURCE, text)
