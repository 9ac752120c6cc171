"""A tab of Chromium with the page of models.export, which segments X-rays."""

import base64
import json
from pathlib import Path

import numpy as np

from tests.util.browser import Tab


class ExportTab(Tab):
    """Gives files to the page, and reads what it shows."""

    def open(self, page: Path, width: int = 1400, height: int = 900, dark: bool = False) -> None:
        super().open(page, width, height, dark)
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
