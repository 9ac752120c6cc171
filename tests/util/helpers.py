"""A visdom server that tests can start, query and kill."""

import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from http.client import HTTPConnection
from pathlib import Path

ROOT = Path(__file__).parents[2]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_until(condition: Callable[[], object], seconds: float = 300) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.05)


class Server:
    """A real visdom server with its log in `folder`. command: arguments for Python; the port is added at the end."""

    def __init__(self, folder: Path, *command: str) -> None:
        self.port, self.folder, self.command, self.process = free_port(), folder, command, None
        self.env = "main"

    def start(self) -> None:
        command = [sys.executable, *self.command, str(self.port)]
        with open(self.folder / "visdom.log", "w") as log:
            env = {**os.environ, "HOME": str(self.folder)}
            self.process = subprocess.Popen(command, cwd=ROOT, env=env, stdout=log, stderr=subprocess.STDOUT)
        wait_until(lambda: self.answers() or self.process.poll() is not None)
        assert self.process.poll() is None, (self.folder / "visdom.log").read_text()

    def answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0

    def kill(self) -> None:
        if self.process:
            self.process.kill()
            self.process.wait()

    def window(self, win: str) -> dict:
        """The server's content of a window, {} if there is no such window."""
        connection = HTTPConnection("127.0.0.1", self.port, timeout=30)
        connection.request("POST", "/win_data", json.dumps({"win": win, "eid": self.env}))
        text = connection.getresponse().read().decode()
        return json.loads(text) if text.startswith("{") else {}

    def lines(self, win: str) -> dict[str, tuple[list, list]]:
        """The curves of a window: {name: (x, y)}."""
        data = self.window(win).get("content", {}).get("data", [])
        return {line["name"]: (line["x"], line["y"]) for line in data}
