"""`make visdom` before it serves: the port, and the page's scripts from npm, which is faked here."""

import base64
import hashlib
import io
import json
import socket
import sys
import tarfile

import pytest

from util.errors import UserError
from util.show import visdom_server
from util.show.visdom_server import check_port, install_scripts

NPM = """
import shutil, sys
assert sys.argv[1] == "pack"
if {fails}:
    sys.exit("npm error code E404\\nnpm error 404 Not Found")
shutil.copy({archive!r}, "thing-1.0.0.tgz")
print("thing-1.0.0.tgz")
"""


@pytest.fixture
def registry(tmp_path, monkeypatch):
    """A table of one package and an npm that delivers it: (static folder, function that writes npm, which can fail)."""
    archive = tmp_path / "published.tgz"
    with tarfile.open(archive, "w:gz") as tar:
        info = tarfile.TarInfo("package/dist/thing.js")
        info.size = 5
        tar.addfile(info, io.BytesIO(b"alert"))
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    table = tmp_path / "table.json"
    files = {"dist/thing.js": "js/renamed.js"}
    table.write_text(json.dumps([{"package": "thing@1.0.0", "integrity": f"sha512-{digest}", "files": files}]))
    monkeypatch.setattr(visdom_server, "TABLE", table)
    (tmp_path / "bin").mkdir()
    npm = tmp_path / "bin" / "npm"

    script = tmp_path / "npm.py"

    def write_npm(fails=False):
        script.write_text(NPM.format(fails=fails, archive=str(archive)))
        npm.write_text(f'#!/bin/sh\nexec "{sys.executable}" "{script}" "$@"\n')
        npm.chmod(0o755)

    write_npm()
    monkeypatch.setenv("PATH", str(npm.parent))
    static = tmp_path / "static"
    static.mkdir()
    return static, write_npm


def installed(static):
    return sorted(str(path.relative_to(static)) for path in static.rglob("*") if path.is_file())


def test_files_are_fetched_once_to_where_visdom_looks(registry):
    static, write_npm = registry
    install_scripts(static)
    assert (static / "js" / "renamed.js").read_text() == "alert"
    assert installed(static) == ["js/renamed.js", "pix2mask.built", "version.built"]
    assert (static / "version.built").read_text() == "0.2.4"  # a visdom started by hand downloads nothing either
    write_npm(fails=True)
    install_scripts(static)


def test_a_package_with_another_hash_than_in_the_table_is_refused(registry):
    static, _ = registry
    visdom_server.TABLE.write_text(visdom_server.TABLE.read_text().replace("sha512-", "sha512-AAAA"))
    with pytest.raises(UserError, match="npm's thing@1.0.0 is not the package that pix2mask names"):
        install_scripts(static)
    assert installed(static) == []


def test_the_reason_of_a_failing_npm_is_shown(registry):
    static, write_npm = registry
    write_npm(fails=True)
    with pytest.raises(UserError, match="could not fetch thing@1.0.0, .*: code E404 404 Not Found"):
        install_scripts(static)
    assert installed(static) == []


def test_a_missing_npm_is_named(registry, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "empty"))
    with pytest.raises(UserError, match="npm not found"):
        install_scripts(registry[0])


def test_a_port_in_use_is_reported_with_the_next_one():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(UserError, match=f"port {port} is in use.*make visdom PORT={port + 1}"):
            check_port(port)
    check_port(port)


@pytest.mark.parametrize("port", [0, -1, 65536])
def test_a_number_that_is_no_port_is_refused(port):
    with pytest.raises(UserError, match="from 1 to 65535"):
        check_port(port)


def test_the_table_has_a_hash_and_a_place_for_every_package():
    for package in json.loads(visdom_server.TABLE.read_text()):
        name, version = package["package"].split("@")
        assert name
        assert version.replace(".", "").isdigit()
        assert len(base64.b64decode(package["integrity"].removeprefix("sha512-"))) == 64
        assert package["files"]
