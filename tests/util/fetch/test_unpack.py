"""Malicious and damaged archives end in one line; all others are unpacked."""

import io
import stat
import tarfile
import zipfile

import pytest

from util.errors import UserError
from util.fetch.unpack import unpack

FILES = {"set/train/2010-10-05 13:45:11.jpg": b"one", "set/test/2.jpg": b"two"}


def zip_of(path, files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tar_of(path, files, *members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
        for member in members:
            archive.addfile(member)
    return path


PACK = {"a.zip": zip_of, "a.tar.gz": tar_of}
both = pytest.mark.parametrize("kind", PACK)


@both
def test_files_are_unpacked_without_what_macos_adds(tmp_path, kind):
    archive = PACK[kind](tmp_path / kind, FILES | {"__MACOSX/set/1.jpg": b"x", "set/.DS_Store": b"x", "./._set": b"x"})
    assert unpack(archive, tmp_path / "out") == 2
    out = {str(p.relative_to(tmp_path / "out")): p.read_bytes() for p in (tmp_path / "out").rglob("*") if p.is_file()}
    assert out == FILES


@both
@pytest.mark.parametrize(
    "name", ["../evil", "set/../../evil", "/evil", "C:/evil", "..\\evil", "a\\..\\..\\evil", "\\evil", "C:\\evil"]
)
def test_a_name_that_leads_out_of_the_folder_is_refused(tmp_path, kind, name):
    archive = PACK[kind](tmp_path / kind, FILES | {name: b"evil"})
    with pytest.raises(UserError, match=f"{kind}: .* leads out of the folder"):
        unpack(archive, tmp_path / "out")
    assert not list(tmp_path.parent.glob("evil"))
    assert not (tmp_path / "evil").exists()


def test_folders_may_be_separated_by_backslashes_in_a_zip(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"set\\": b"", "set\\train\\": b"", "set\\train\\1.jpg": b"one"})
    assert unpack(archive, tmp_path / "out") == 1
    assert [p for p in (tmp_path / "out").rglob("*") if p.is_file()] == [tmp_path / "out" / "set" / "train" / "1.jpg"]
    assert (tmp_path / "out" / "set" / "train" / "1.jpg").read_bytes() == b"one"


def test_a_link_in_a_zip_is_refused(tmp_path):
    link = zipfile.ZipInfo("set/link")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(link, "/etc/passwd")
    with pytest.raises(UserError, match="'set/link' is a link or a device"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE])
def test_a_link_or_device_in_a_tar_is_refused(tmp_path, kind):
    member = tarfile.TarInfo("set/link")
    member.type, member.linkname = kind, "/etc/passwd"
    with pytest.raises(UserError, match="'set/link' is a link or a device"):
        unpack(tar_of(tmp_path / "a.tar.gz", FILES, member), tmp_path / "out")
    assert not (tmp_path / "out" / "set" / "link").exists()


@both
def test_a_decompression_bomb_is_refused(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("util.fetch.unpack.ALWAYS", 1 << 20)
    archive = PACK[kind](tmp_path / kind, {"zeros": bytes(20 << 20)})
    assert archive.stat().st_size < 50_000
    with pytest.raises(UserError, match="far more than pictures would"):
        unpack(archive, tmp_path / "out")
    assert sum(p.stat().st_size for p in (tmp_path / "out").rglob("*")) < 10 << 20


@both
def test_too_many_files_are_refused(tmp_path, kind, monkeypatch):
    monkeypatch.setattr("util.fetch.unpack.MAX_FILES", 10)
    with pytest.raises(UserError, match="10 files"):
        unpack(PACK[kind](tmp_path / kind, {str(i): b"" for i in range(11)}), tmp_path / "out")


@both
def test_a_damaged_archive_is_refused(tmp_path, kind):
    archive = PACK[kind](tmp_path / kind, {"noise": bytes(range(256)) * 100, "more": b"x" * 9999})
    content = archive.read_bytes()
    archive.write_bytes(content[: len(content) // 2])
    with pytest.raises(UserError, match="damaged or unknown archive.*delete it and fetch it again"):
        unpack(archive, tmp_path / "out")


def test_a_file_that_is_no_archive_is_refused(tmp_path):
    (tmp_path / "a.zip").write_bytes(b"<html>no")
    with pytest.raises(UserError, match="damaged or unknown archive"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


def test_an_encrypted_zip_is_refused(tmp_path):
    archive = zip_of(tmp_path / "a.zip", {"a": b"abc"})
    content = bytearray(archive.read_bytes())
    content[6] |= 1  # the flag in the member's header and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    archive.write_bytes(bytes(content))
    with pytest.raises(UserError, match="cannot be unpacked: .*password"):
        unpack(archive, tmp_path / "out")


@both
def test_an_archive_without_files_is_refused(tmp_path, kind):
    with pytest.raises(UserError, match="without files"):
        unpack(PACK[kind](tmp_path / kind, {}), tmp_path / "out")


@both
def test_a_file_in_the_place_of_a_folder_ends_in_one_line(tmp_path, kind):
    with pytest.raises(UserError, match="not unpacked into"):
        unpack(PACK[kind](tmp_path / kind, {"a": b"", "a/b": b""}), tmp_path / "out")
