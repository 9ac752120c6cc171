"""Packages from npm, whose releases and hashes pix2mask pins. npm knows the registry that a machine can reach."""

import base64
import hashlib
import shutil
import subprocess
from pathlib import Path

from util.errors import UserError


def fetch_package(package: str, integrity: str, folder: Path, needed_by: str) -> Path:
    """Fetch `package` (name@version) into `folder` and return the path of its archive. Its scripts do not run.

    integrity: its hash, "sha512-" and base64, as npm writes it. needed_by: what needs it, for errors. UserError: npm is
    missing or fails, or the package has another hash.
    """
    npm = shutil.which("npm")
    if npm is None:
        raise UserError(f"npm not found: {needed_by} needs it once, for its browser scripts; install Node.js")
    command = [npm, "pack", package, "--loglevel=error", "--ignore-scripts"]
    result = subprocess.run(command, cwd=folder, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if result.returncode:
        reason = " ".join(result.stderr.replace("npm error", "").split())
        raise UserError(f"npm could not fetch {package}, which {needed_by} needs: {reason[:300]}")
    archive = folder / result.stdout.split()[-1]
    digest = base64.b64encode(hashlib.sha512(archive.read_bytes()).digest()).decode()
    if integrity != f"sha512-{digest}":
        raise UserError(f"npm's {package} is not the package that pix2mask names (its hash: sha512-{digest}): not used")
    return archive
