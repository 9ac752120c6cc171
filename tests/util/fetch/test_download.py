"""Downloads from a server on this machine that cuts, stalls, redirects and lies."""

import errno
import hashlib
import shutil
from collections import namedtuple

import pytest
from filelock import FileLock, Timeout

from tests.util.web import serving
from util.errors import UserError
from util.fetch.download import fetch, one_at_a_time
from util.files import LOCK

BODY = bytes(range(256)) * 4000
QUICK = {"timeout": 0.5, "pauses": (0.0, 0.0)}


@pytest.fixture
def web():
    with serving() as web:
        yield web


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_downloaded_file_leaves_nothing_else_behind(web, tmp_path):
    url = web.put("/a.zip", BODY)
    fetch(url, tmp_path / "new" / "a.zip", len(BODY), f"sha256:{hashlib.sha256(BODY).hexdigest()}")
    assert (tmp_path / "new" / "a.zip").read_bytes() == BODY
    assert names(tmp_path / "new") == ["a.zip"]


def test_a_cut_download_continues_where_it_was_cut(web, tmp_path):
    url = web.put("/a", BODY, cut=[300_000, 200_000])
    fetch(url, tmp_path / "a", **QUICK)
    assert (tmp_path / "a").read_bytes() == BODY
    assert [asked for _, asked in web.asked] == [None, "bytes=300000-", "bytes=500000-"]


def test_a_later_call_continues_the_part_of_an_earlier_one(web, tmp_path):
    url = web.put("/a", BODY, cut=[300_000])
    with pytest.raises(UserError, match=r"cut after 300,000 of 1,024,000 bytes.*kept in .*a\.part.*by hand"):
        fetch(url, tmp_path / "a", pauses=())
    assert (tmp_path / "a.part").stat().st_size == 300_000
    fetch(url, tmp_path / "a", pauses=())
    assert (tmp_path / "a").read_bytes() == BODY
    assert web.asked[-1][1] == "bytes=300000-"
    assert names(tmp_path) == ["a"]


def test_a_part_of_an_older_file_is_not_continued(web, tmp_path):
    url = web.put("/a", BODY, cut=[300_000])
    with pytest.raises(UserError):
        fetch(url, tmp_path / "a", pauses=())
    web.put("/a", BODY[::-1], etag='"2"')
    fetch(url, tmp_path / "a", pauses=())
    assert (tmp_path / "a").read_bytes() == BODY[::-1]


@pytest.mark.parametrize("page", [{"ranges": False}, {"etag": ""}, {"etag": 'W/"1"'}], ids=str)
def test_without_ranges_or_a_strong_etag_the_whole_file_is_sent_again(web, tmp_path, page):
    url = web.put("/a", BODY, cut=[300_000], **page)
    fetch(url, tmp_path / "a", **QUICK)
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_complete_part_is_only_renamed(web, tmp_path):
    url = web.put("/a", BODY, cut=[300_000])
    with pytest.raises(UserError):
        fetch(url, tmp_path / "a", pauses=())
    (tmp_path / "a.part").write_bytes(BODY)
    fetch(url, tmp_path / "a", pauses=())
    assert (tmp_path / "a").read_bytes() == BODY


def test_a_part_longer_than_the_file_is_downloaded_again(web, tmp_path):
    url = web.put("/a", BODY, cut=[300_000])
    with pytest.raises(UserError):
        fetch(url, tmp_path / "a", pauses=())
    (tmp_path / "a.part").write_bytes(BODY + b"more")
    fetch(url, tmp_path / "a", **QUICK)
    assert (tmp_path / "a").read_bytes() == BODY


@pytest.mark.parametrize("page", [{"stall": 1000}, {"stall": 1000, "drip": True}, {"stall": 0}], ids=str)
def test_a_stalled_server_ends_in_one_line(web, tmp_path, page):
    url = web.put("/a", BODY, **page)
    with pytest.raises(UserError, match="stopped sending|bytes a second"):
        fetch(url, tmp_path / "a", timeout=0.3, pauses=(0.0,))
    assert not (tmp_path / "a").exists()


def test_a_redirect_is_followed(web, tmp_path):
    web.put("/a", BODY)
    fetch(web.put("/old", status=302, location="/a"), tmp_path / "a", **QUICK)
    assert (tmp_path / "a").read_bytes() == BODY


def test_redirects_in_a_circle_end(web, tmp_path):
    with pytest.raises(UserError, match="302"):
        fetch(web.put("/a", status=302, location="/a"), tmp_path / "a", **QUICK)


@pytest.mark.parametrize("status", [404, 403, 401])
def test_a_refusal_is_not_tried_again(web, tmp_path, status):
    with pytest.raises(UserError, match=rf"/a: the server says {status} .*save it as .*a and run this again$"):
        fetch(web.put("/a", status=status), tmp_path / "a", **QUICK)
    assert len(web.asked) == 1
    assert names(tmp_path) == []


def test_an_overloaded_server_is_tried_again(web, tmp_path):
    with pytest.raises(UserError, match="503"):
        fetch(web.put("/a", status=503), tmp_path / "a", **QUICK)
    assert len(web.asked) == 3


def test_a_web_page_in_place_of_the_file_is_refused(web, tmp_path):
    url = web.put("/a.zip", b"<html>Please log in", kind="text/html; charset=utf-8")
    with pytest.raises(UserError, match=r"web page came instead.*as .*a\.zip and"):
        fetch(url, tmp_path / "a.zip", **QUICK)
    assert names(tmp_path) == []


def test_a_file_of_another_size_is_refused_before_it_is_downloaded(web, tmp_path):
    with pytest.raises(UserError, match="1024000 bytes instead of the 5"):
        fetch(web.put("/a", BODY), tmp_path / "a", size=5, **QUICK)
    assert names(tmp_path) == []


def test_the_size_is_checked_even_if_the_server_does_not_send_it(web, tmp_path):
    url = web.put("/a", BODY, length=False)
    fetch(url, tmp_path / "a", size=len(BODY), **QUICK)
    with pytest.raises(UserError, match="1024000 bytes instead of 5"):
        fetch(url, tmp_path / "b", size=5, **QUICK)
    assert names(tmp_path) == ["a"]


@pytest.mark.parametrize("checksum", ["sha256:" + "0" * 64, "md5:" + "0" * 32])
def test_a_wrong_checksum_keeps_nothing(web, tmp_path, checksum):
    with pytest.raises(UserError, match="wrong (sha256|md5) checksum"):
        fetch(web.put("/a", BODY), tmp_path / "a", checksum=checksum, **QUICK)
    assert names(tmp_path) == []


def test_a_file_that_the_check_refuses_is_not_kept(web, tmp_path):
    def refuse(path):
        assert path.read_bytes() == BODY
        raise UserError("no state dict")

    with pytest.raises(UserError, match="no state dict; nothing was kept"):
        fetch(web.put("/a", BODY), tmp_path / "a", check=refuse, **QUICK)
    assert names(tmp_path) == []


def test_a_refused_connection_ends_in_advice(tmp_path):
    with serving() as web:
        url = web.put("/a", BODY)
    with pytest.raises(UserError, match="refused.*save it as"):
        fetch(url, tmp_path / "a", **QUICK)


def test_an_unknown_host_ends_in_advice(tmp_path):
    with pytest.raises(UserError, match="cannot be reached from here.*fetch it by hand and save it as .*a and"):
        fetch("http://nowhere.invalid/a", tmp_path / "a", timeout=5)


def test_too_little_room_is_reported_before_the_download(web, tmp_path, monkeypatch):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(2000, 1000, 1000))
    with pytest.raises(UserError, match="needs 1,024,000 bytes more, but the disk has 1,000 free"):
        fetch(web.put("/a", BODY), tmp_path / "a", **QUICK)


def test_a_full_disk_keeps_the_part(web, tmp_path, monkeypatch):
    def full(bar, count):
        raise OSError(errno.ENOSPC, "No space left on device")

    url = web.put("/a", BODY)
    with monkeypatch.context() as patch:
        patch.setattr("util.fetch.download.tqdm.update", full)
        with pytest.raises(UserError, match=r"a\.part: not written: No space left on device"):
            fetch(url, tmp_path / "a", **QUICK)
    assert len(web.asked) == 1
    assert not (tmp_path / "a").exists()
    fetch(url, tmp_path / "a", **QUICK)
    assert (tmp_path / "a").read_bytes() == BODY


def test_only_one_process_at_a_time_downloads_into_a_folder(tmp_path):
    lock = FileLock(tmp_path / LOCK, blocking=False)
    with one_at_a_time(tmp_path), pytest.raises(Timeout):
        lock.acquire()
    assert names(tmp_path) == []  # no lock file stays behind
    lock.acquire()
    lock.release()
