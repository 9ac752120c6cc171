"""A page as a browser shows it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest


def shown_by_browser(page: Path, probe: str, folder: Path, milliseconds: int) -> str:
    """Return a page's HTML after Chromium has run it for so long; skip the test on a machine without Chromium.

    probe: a script to add at the end of the page. folder: for the browser's profile.
    """
    browser = shutil.which("chromium") or shutil.which("google-chrome")
    if not browser:
        pytest.skip("no Chromium on this machine")
    page.write_text(page.read_text(encoding="utf-8") + probe, encoding="utf-8")
    flags = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--disable-background-networking",
        "--disable-sync",
        "--disable-component-update",
        f"--user-data-dir={folder / 'profile'}",
    ]
    return subprocess.run(
        [browser, *flags, f"--virtual-time-budget={milliseconds}", "--dump-dom", page.as_uri()],
        capture_output=True,
        text=True,
        timeout=120,
        env=os.environ | {"HOME": str(folder)},
    ).stdout
