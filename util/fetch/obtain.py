"""Have a data set or a generator of the catalogue on disk: found, or downloaded and put in its place whole."""

import contextlib
import os
import shutil
from pathlib import Path

from util.errors import UserError
from util.fetch.catalogue import DataSet, Donor, File, imagenet_weights, torchvisions
from util.fetch.download import digest, fetch, one_at_a_time, verify
from util.fetch.unpack import check_archive, unpack
from util.files import write_text
from util.run.checkpoint import network_path, read_state_dict

SOURCE = "SOURCE.txt"
"""Beside what was downloaded: where it is from and on what terms."""


def donor_path(made: Donor, checkpoints_dir: Path) -> Path:
    """Where upstream's scripts put a generator: <checkpoints_dir>/<name>_pretrained/latest_net_G.pth"""
    return network_path(checkpoints_dir / f"{made.name}_pretrained", "latest", "G")


def obtain_donor(made: Donor, checkpoints_dir: Path) -> Path:
    """The generator's file, downloaded if it is not there. What comes is read as a state dict before it takes its
    place; nothing in it runs. UserError as `fetch`."""
    path = donor_path(made, checkpoints_dir)
    with one_at_a_time(checkpoints_dir):
        if path.is_file():
            return path
        print(f"{made.name}: downloading {made.file.url} to {path} ({made.licence}; cite {made.citation})", flush=True)
        try:
            fetch(made.file.url, path, made.file.size, made.file.checksum, check=read_state_dict)
        except UserError:
            with contextlib.suppress(OSError):  # it stays if a part of the file lies in it
                path.parent.rmdir()
            raise
        _write_origin(path.parent, made, {made.file: digest(path)}, f"make: {flags(made)}")
    return path


def obtain_encoder(encoder: str, checkpoints_dir: Path) -> Path:
    """ImageNet's weights of an encoder, <checkpoints_dir>/imagenet/<torchvision's file>, downloaded if not there.
    UserError as `fetch`, or where torchvision has none."""
    file = imagenet_weights(encoder)
    if file is None:
        other = torchvisions(encoder)
        instead = f"take {other}, or give" if other and imagenet_weights(other) else "give"
        raise UserError(
            "--encoder_weights imagenet: torchvision publishes no weights that fit encoder "
            f"{encoder}; {instead} a .pth file of them"
        )
    path = checkpoints_dir / "imagenet" / file.name
    begins = file.name.removesuffix(".pth").rpartition("-")[2]

    def check(part: Path) -> None:
        if not digest(part).startswith(begins):
            raise UserError(f"its SHA-256 does not begin with {begins}, as the file's name says")
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


def flags(made: Donor) -> str:
    """The flags of train.py and test.py that build the generator."""
    words = f"--netG {made.netG} --ngf {made.ngf} --norm {made.norm}"
    return f"{words} --no_dropout" if made.no_dropout else words


def obtain_data_set(data_set: DataSet, datasets_dir: Path) -> Path:
    """The set's folder, <datasets_dir>/<name>, downloaded and unpacked if it is not there.

    An archive that lies in `datasets_dir` already, put there by hand or left by a call that did not end, is used and
    kept. A folder of that name that is not from here is left alone. UserError as `fetch` and `unpack`.
    """
    folder = datasets_dir / data_set.name
    if not data_set.files:
        raise UserError(f"{data_set.name}: cannot be downloaded without a login: {next_steps(data_set, folder)}")
    with one_at_a_time(datasets_dir):
        if (folder / SOURCE).is_file():
            return folder
        if os.path.lexists(folder) and not (folder.is_dir() and not any(folder.iterdir())):
            raise UserError(
                f"{folder}: exists, but not from this command, and is left as it is; move it away, or name "
                "another folder with --datasets_dir"
            )
        terms = f"licence: {data_set.licence}\ncite: {data_set.citation}"
        print(f"{data_set.name}: {data_set.about}\n{terms}", flush=True)
        fetched = [archive for file in data_set.files if not _is_there(archive := datasets_dir / file.name, file)]
        _unpack_together(data_set, datasets_dir, folder)
        for archive in fetched:
            archive.unlink()
    return folder


def next_steps(data_set: DataSet, folder: Path) -> str:
    """What the user has to do by hand, if anything, and the command to go on with."""
    steps = [data_set.by_hand, data_set.then]
    return "; then: ".join(step.format(folder=folder) for step in steps if step)


def _is_there(archive: Path, file: File) -> bool:
    """Whether the archive was there; if not, it is now."""
    if not archive.is_file():
        print(f"downloading {file.url}", flush=True)
        fetch(file.url, archive, file.size, file.checksum, check=check_archive)
        return False
    print(f"using {archive}, which was there; delete it when you like", flush=True)
    try:
        verify(archive, file.size, file.checksum)
    except UserError as error:
        raise UserError(f"{error}; delete it, then run this again") from error
    return True


def _unpack_together(data_set: DataSet, datasets_dir: Path, folder: Path) -> None:
    """Unpack the set's archives beside `folder` and put the result in its place. Where all lies in a single folder,
    as in most archives, that folder becomes `folder`."""
    beside = datasets_dir / f".{data_set.name}.unpacking"
    archives = [datasets_dir / file.name for file in data_set.files]
    shutil.rmtree(beside, ignore_errors=True)  # left by a call that was killed
    try:
        for archive in archives:
            unpack(archive, beside)
        found = list(beside.iterdir())
        top = found[0] if len(found) == 1 and found[0].is_dir() else beside
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
