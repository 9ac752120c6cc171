"""`make visdom`: a visdom server that also works on a machine that reaches a package registry but no CDN.

When visdom 0.2.4 starts for the first time, it fetches its browser scripts from several CDNs, and fails if it cannot
reach them. The same scripts are npm packages. visdom_scripts.json lists each package with its version and SHA-512, and
where its files belong in visdom's `static` folder.
"""

import argparse
import errno
import hashlib
import json
import logging
import os
import secrets
import socket
import sys
import tarfile
import tempfile
from importlib.metadata import version
from pathlib import Path

from util.errors import UserError, run_script
from util.fetch.npm import fetch_package
from util.show.panels import EXTRA

TABLE = Path(__file__).with_name("visdom_scripts.json")


def install_scripts(static: Path) -> None:
    """Copy the page's scripts, styles and fonts from npm into `static`, unless they are already there.

    Raises:
        UserError: npm is missing or fails, or a package is not the one that the table names.
    """
    table = TABLE.read_bytes()
    done = static / "pix2mask.built"
    digest = hashlib.sha512(table).hexdigest()
    if done.exists() and done.read_text().strip() == digest:
        return
    packages = json.loads(table)
    print("Fetching visdom's browser scripts from npm (25 MB, once) ...", flush=True)
    with tempfile.TemporaryDirectory(dir=static) as folder:  # on the same disk, so that a file is moved whole
        for package in packages:
            archive = fetch_package(package["package"], package["integrity"], Path(folder), "visdom's page")
            with tarfile.open(archive) as tar:
                for source, target in package["files"].items():
                    tar.extract(f"package/{source}", folder, filter="data")
                    (static / target).parent.mkdir(parents=True, exist_ok=True)
                    (Path(folder) / "package" / source).replace(static / target)
    # A visdom started by hand reads this file, and downloads nothing if the version is its own.
    (static / "version.built").write_text(version("visdom"))
    done.write_text(digest)


def check_port(port: int) -> None:
    """Raise UserError if the server cannot listen on `port` of this machine."""
    if not 0 < port < 65536:
        raise UserError(f"--port {port}: a port is a number from 1 to 65535")
    with socket.socket() as probe:
        if os.name == "posix":  # as the server itself does: a port that it has just left counts as free
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise UserError(
                    f"port {port} is in use, perhaps by another visdom: "
                    f"stop it or take another port: make visdom PORT={port + 1}"
                ) from error
            raise UserError(f"--port {port}: {error.strerror}") from error


def credential() -> dict[str, str]:
    """What visdom needs for --enable_login, from the variables VISDOM_USERNAME and VISDOM_PASSWORD.

    visdom signs its cookies with a secret in its own folder, which is drawn here at the first login. UserError: a
    variable is missing.
    """
    from visdom.server.defaults import DEFAULT_ENV_PATH
    from visdom.utils.server_utils import hash_password, set_cookie

    name, password = (os.environ.get(f"VISDOM_{what}", "") for what in ("USERNAME", "PASSWORD"))
    if not name or not password:
        raise UserError("--enable_login: set VISDOM_USERNAME and VISDOM_PASSWORD, for the server and for train.py")
    secret = Path(DEFAULT_ENV_PATH + "COOKIE_SECRET")
    if not secret.is_file():
        secret.parent.mkdir(parents=True, exist_ok=True)
        secret.touch(0o600)
        set_cookie(secrets.token_hex(32))
    return {"username": name, "password": hash_password(hash_password(password))}


def main() -> None:
    parser = argparse.ArgumentParser(description="Start a visdom server that only this machine can reach.")
    parser.add_argument("--port", type=int, default=8097, help="port of the server (default: %(default)s)")
    parser.add_argument(
        "--enable_login", action="store_true", help="ask for the name and password in VISDOM_USERNAME, VISDOM_PASSWORD"
    )
    opt = parser.parse_args()
    try:
        import visdom
        from visdom.server import app, run_server

        from util.show.visdom_guard import Guarded, StaticFiles
    except ModuleNotFoundError as error:
        raise UserError(f"{error}: {EXTRA}") from error
    check_port(opt.port)
    user = credential() if opt.enable_login else None
    install_scripts(Path(visdom.__file__).parent / "static")
    # With autoreload, tornado would restart and lose all panels whenever a source file of ours changes.
    app.tornado_settings |= {"autoreload": False, "static_handler_class": StaticFiles}
    logging.getLogger("tornado.access").setLevel(logging.CRITICAL)
    run_server.__dict__["Application"] = Guarded  # start_server takes no application
    try:
        run_server.start_server(
            port=opt.port,
            base_url="",
            bind_local=True,
            user_credential=user,
            print_func=lambda port: print(f"visdom is at http://localhost:{port} (Ctrl-C stops it)", flush=True),
        )
    except KeyboardInterrupt:
        sys.exit(130)


if __name__ == "__main__":
    run_script(main)
