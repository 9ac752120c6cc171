"""Pages as a browser shows them: one that runs its own probe, and one that a test drives."""

import base64
import json
import os
import shutil
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path

import pytest

FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-sync --disable-background-networking "
    "--disable-component-update --remote-debugging-port=0"
)


class Tab:
    """A tab of Chromium, driven by the DevTools protocol. events: reports of the browser. Use it in a `with` block."""

    def __init__(self, folder: Path) -> None:
        browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not browser:
            pytest.skip("no Chromium on this machine")
        self.folder, self.events, self.number = folder, [], 0
        command = [browser, *FLAGS.split(), f"--user-data-dir={folder / 'profile'}", "about:blank"]
        quiet, env = subprocess.DEVNULL, os.environ | {"HOME": str(folder)}
        self.process = subprocess.Popen(command, env=env, stdout=quiet, stderr=quiet)

    def __enter__(self) -> "Tab":
        from websocket import create_connection

        port = int(
            self.wait(lambda: self.port_file().read_text().splitlines()[:1] if self.port_file().exists() else 0)[0]
        )
        connection = HTTPConnection("127.0.0.1", port, timeout=60)
        connection.request("GET", "/json/list")
        pages = [target for target in json.loads(connection.getresponse().read()) if target["type"] == "page"]
        self.socket = create_connection(pages[0]["webSocketDebuggerUrl"], suppress_origin=True, timeout=300)
        for domain in ("Page", "Network", "Runtime", "DOM", "Log"):
            self.send(f"{domain}.enable")
        return self

    def __exit__(self, *error: object) -> None:
        self.process.kill()
        self.process.wait()

    def port_file(self) -> Path:
        return self.folder / "profile" / "DevToolsActivePort"

    def wait(self, condition, seconds: float = 300):
        end = time.monotonic() + seconds
        while not (value := condition()):
            assert time.monotonic() < end, "waited in vain"
            time.sleep(0.1)
        return value

    def send(self, method: str, **params: object) -> dict:
        self.number += 1
        self.socket.send(json.dumps({"id": self.number, "method": method, "params": params}))
        while (answer := json.loads(self.socket.recv())).get("id") != self.number:
            self.events.append(answer)
        assert "error" not in answer, answer
        return answer["result"]

    def run(self, code: str):
        """The value of a JavaScript expression, which may be a promise."""
        result = self.send("Runtime.evaluate", expression=code, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def open(self, page: Path, width: int = 1400, height: int = 900, dark: bool = False) -> None:
        """Load a page in a window of this size, with the light or the dark look of the system."""
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **metrics)
        look = [{"name": "prefers-color-scheme", "value": "dark" if dark else "light"}]
        self.send("Emulation.setEmulatedMedia", features=look)
        self.send("Page.navigate", url=page.as_uri())
        self.wait(lambda: self.run("location.href !== 'about:blank' && document.readyState === 'complete'"))

    def press(self, key: str) -> None:
        """Press and release a key: a letter, or a name like ArrowLeft."""
        text = {"text": key} if len(key) == 1 else {"windowsVirtualKeyCode": 27} if key == "Escape" else {}
        self.send("Input.dispatchKeyEvent", type="keyDown", key=key, **text)
        self.send("Input.dispatchKeyEvent", type="keyUp", key=key)

    def set(self, name: str, value: object) -> list[str]:
        """Put a value into a field of the page's first gallery; return the names of the images that it then shows."""
        field = f"document.querySelector('form.controls').elements.{name}"
        self.run(f"{field}.value = {json.dumps(value)}; {field}.dispatchEvent(new Event('input', {{ bubbles: true }}))")
        return self.names()

    def names(self) -> list[str]:
        """The images that the page's galleries show."""
        return self.run("[...document.querySelectorAll('.cards > *')].map(card => card.dataset.name)")

    def too_wide(self) -> list[str]:
        """Elements that reach beyond the window's right edge, without those in a box that scrolls."""
        return self.run(
            "[...document.querySelectorAll('body *')].filter(e => !e.closest('.scroll *, figure *') && "
            "e.getBoundingClientRect().right > document.documentElement.clientWidth + 0.5).map(e => e.outerHTML)"
        )

    def picture(self, path: Path) -> None:
        """Save the whole page as a browser shows it."""
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def requests(self) -> list[str]:
        """Addresses that were asked for over a network."""
        self.run("1")
        asked = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]


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
