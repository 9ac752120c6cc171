"""A tab of Chromium that a test drives by the DevTools protocol, with a count of what it asks of a network."""

import base64
import json
import os
import shutil
import subprocess
import time
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pytest

FLAGS = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-sync --disable-background-networking "
    "--disable-component-update --remote-debugging-port=0"
)


class Tab:
    """events: what the browser reported. Use it in a `with` block."""

    def __init__(self, folder: Path) -> None:
        browser = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
        if not browser:
            pytest.skip("no Chromium on this machine")
        self.folder, self.events, self.number = folder, [], 0
        command = [browser, *FLAGS.split(), f"--user-data-dir={folder / 'profile'}", "about:blank"]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        self.process = subprocess.Popen(command, env=os.environ | {"HOME": str(folder)}, **quiet)

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

    def open(self, page: Path, width: int = 1400, height: int = 900) -> None:
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.send("Emulation.setDeviceMetricsOverride", **metrics)
        self.send("Page.navigate", url=page.as_uri())
        self.wait(lambda: self.run("document.body && document.body.dataset.state") == "waiting")

    def choose(self, file: Path) -> str:
        """Give a file to the page's file input, and wait until it is shown or refused; returns the line about it."""
        self.run("document.body.dataset.state = 'busy'; document.getElementById('file').value = ''")
        node = self.send("DOM.getDocument")["root"]["nodeId"]
        field = self.send("DOM.querySelector", nodeId=node, selector="#file")["nodeId"]
        self.send("DOM.setFileInputFiles", nodeId=field, files=[str(file)])
        self.wait(lambda: self.run("document.body.dataset.state") in ("ready", "failed"))
        return self.run("document.getElementById('status').textContent")

    def mask(self) -> bytes:
        """The shown mask, a byte of 0 or 1 for each pixel."""
        return base64.b64decode(
            self.run(
                "(() => { let words = ''; for (const one of pix2mask.state.mask) words += one ? '\\x01' : '\\x00';"
                " return btoa(words); })()"
            )
        )

    def pixels(self) -> tuple[np.ndarray, float]:
        """The decoded grey image, [H, W], and the value of white."""
        code = "JSON.stringify({ ...pix2mask.state.image, pixels: [...pix2mask.state.image.pixels] })"
        image = json.loads(self.run(code))
        return np.reshape(image["pixels"], (image["height"], image["width"])), image["white"]

    def picture(self, path: Path) -> None:
        """Save the whole page as a browser shows it."""
        shot = self.send("Page.captureScreenshot", format="png", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def requests(self) -> list[str]:
        """Addresses that were asked for over a network."""
        self.run("1")
        asked = [e["params"]["request"]["url"] for e in self.events if e.get("method") == "Network.requestWillBeSent"]
        return [url for url in asked if not url.startswith(("file:", "data:", "blob:", "about:"))]
