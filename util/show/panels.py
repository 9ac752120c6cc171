"""Live panels in the browser by visdom: loss curves, validation scores and the latest pictures.

Windows are numbered as in pytorch-CycleGAN-and-pix2pix: `display_id` for the losses, `display_id + 1` for the pictures,
`display_id + 2` for their labels; losses of the game, accuracies and scores have windows beside them. A visdom that is
missing, slow or killed neither stops nor slows the training: a thread of its own talks to the server, and sends
everything again when the server is back.
"""

from __future__ import annotations

import html
import logging
import math
import os
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlparse

import numpy as np
from tqdm import tqdm

from util.run.log import (
    GAME,
    TRAIN,
    VAL,
    WEIGHTED,
    in_groups,
    read_losses,
    read_metrics,
    split_accuracies,
    train_and_val,
    validation_scores,
)
from util.show.pictures import to_picture

if TYPE_CHECKING:
    import torch
    import visdom

SHORT = {TRAIN: "train (running)", VAL: "val"}  # visdom shrinks the curves to make room for a longer legend
EXTRA = 'live panels need the extra visdom: pip install --build-constraint constraints.txt ".[visdom]"'
TIMEOUT = 10  # seconds after which a server that has not answered counts as unreachable


class Panels:
    """Panels of one training run. No method raises or waits for the server.

    Args:
        server, port: visdom's address, e.g. "http://localhost", 8097.
        env: visdom's environment. Each environment is a page.
        display_id: number of the first window; 0 or less shows nothing.
        ncols: pictures in a row of the grid; 0 or less gives each picture a window.
        name: the experiment's name, for the titles.
        retry: seconds between two attempts to reach a missing server.
    """

    def __init__(self, server: str, port: int, env: str, display_id: int, ncols: int, name: str, retry: float = 10.0):
        self._address, self._env, self._retry = (server, port), env, retry
        self._display_id, self._ncols, self._name = display_id, ncols, shown(name)
        name = self._name
        self._curves = {
            WEIGHTED: Curve(str(display_id), f"{name} loss over time", "loss", log=True),
            GAME: Curve(f"{display_id}_game", f"{name} {GAME}", "loss"),
            "accuracies": Curve(f"{display_id}_accuracies", f"{name} discriminator", "accuracy"),
            "scores": Curve(f"{display_id}_scores", f"{name} validation scores", "score"),
        }
        self._pictures: dict[str, torch.Tensor] = {}
        self._pictures_sent = True
        self._changed = threading.Condition()
        self._closing = False
        self._client: visdom.Visdom | None = None
        self._away = False
        self._thread = threading.Thread(target=self._work, name="panels", daemon=True)
        if display_id > 0:
            self._thread.start()

    def losses(self, epochs: float, losses: Mapping[str, float]) -> None:
        """Add a point to each loss curve. epochs: how far the training is, e.g. 2.25 in the third epoch.

        Losses of the game have a window beside the others, which a lambda such as 1000 multiplies and which have a
        logarithmic axis. A point replaces all points that are not earlier: a resumed run has trained on their images
        again.
        """
        losses = split_accuracies(losses)[0]
        for group, names in in_groups(losses).items():
            if names:
                self._add(group, epochs, {name: losses[name] for name in names})

    def scores(self, epoch: float, scores: Mapping[str, float]) -> None:
        """Add a point to each curve of validation scores."""
        self._add("scores", epoch, scores)

    def epoch(self, epoch: float, row: Mapping[str, float]) -> None:
        """Add an epoch's row of metrics.csv.

        The validation scores share a window, and so do the accuracies of discriminators. Each quantity that both
        training and validation measured has its own.
        """
        if accuracies := split_accuracies(row)[1]:
            self._add("accuracies", epoch, accuracies)
        if scores := validation_scores(row):
            self.scores(epoch, scores)
        for title, lines in train_and_val(row).items():
            curve = Curve(f"{self._display_id}_{title}", f"{self._name} {title}", title)
            with self._changed:
                self._curves.setdefault(title, curve)
            self._add(title, epoch, {SHORT[line]: row[column] for line, column in lines.items()})

    def recall(self, run_dir: Path, images: int) -> None:
        """Read the curves of a resumed run from its log. images: number of images in an epoch."""
        for row in read_losses(run_dir / "loss_log.txt"):
            losses = {name: value for name, value in row.items() if name not in ("epoch", "iters", "time", "data")}
            self.losses(row["epoch"] - 1 + row["iters"] / images, losses)
        for row in read_metrics(run_dir / "metrics.csv"):
            self.epoch(row["epoch"], row)

    def pictures(self, pictures: Mapping[str, torch.Tensor]) -> None:
        """Show the first image of each batch, float [N, C, H, W] in [-1, 1], C 1 or 3. Only the latest are kept."""
        if self._display_id <= 0:
            return
        # A copy, because the network may reuse the memory. It stays on its device until the thread fetches it.
        first = {label: batch[0].detach().clone() for label, batch in pictures.items()}
        with self._changed:
            self._pictures, self._pictures_sent = first, False
            self._changed.notify()

    def close(self, deadline: float = 3.0) -> None:
        """Send the rest, for at most `deadline` seconds."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        if self._thread.is_alive():
            self._thread.join(deadline)

    def _add(self, curve: str, x: float, values: Mapping[str, float]) -> None:
        if self._display_id <= 0:
            return
        with self._changed:
            self._curves[curve].add(x, values)
            self._changed.notify()

    # The methods below run in the thread.

    def _work(self) -> None:
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._closing or self._news())
                if not self._news():
                    return
            try:
                self._send()
            except Unreachable as error:
                if not self._lost(error):
                    return
            except Exception as error:  # no fault of the panels may end the training
                self._say(f"live panels are off: {' '.join(str(error).split()) or type(error).__name__}")
                return
            else:
                if self._away:
                    self._say("visdom is back, and the panels are complete again")
                self._away = False

    def _news(self) -> bool:
        return not self._pictures_sent or any(curve.unsent() for curve in self._curves.values())

    def _send(self) -> None:
        if self._client is None:
            self._client = connect(*self._address, self._env)
        for curve in list(self._curves.values()):
            curve.send(self._client, self._changed)
        with self._changed:
            pictures, fresh, self._pictures_sent = self._pictures, not self._pictures_sent, True
        if fresh:
            self._show(self._client, {label: to_picture(image) for label, image in pictures.items()})

    def _lost(self, error: Unreachable) -> bool:
        """Report it once and wait until the next attempt is due; False when the run closes."""
        if not self._away and not self._closing:
            server, port = self._address
            self._say(f"no visdom at {server}:{port} ({error}): training goes on without live panels; see make visdom")
        self._client, self._away = None, True
        with self._changed:  # the next server may be a new one, which has nothing yet
            self._pictures_sent = not self._pictures
            for curve in self._curves.values():
                curve.sent = 0
            return not self._changed.wait_for(lambda: self._closing, self._retry)

    def _show(self, client: visdom.Visdom, pictures: dict[str, np.ndarray]) -> None:
        if self._ncols <= 0:
            for i, (label, image) in enumerate(pictures.items()):
                client.image(image.transpose(2, 0, 1), win=str(self._display_id + 1 + i), opts={"title": shown(label)})
            return
        grid, opts = make_grid(list(pictures.values()), self._ncols), {"title": f"{self._name} images"}
        client.image(grid.transpose(2, 0, 1), win=str(self._display_id + 1), opts=opts)
        labels = [f'<td style="padding: 4px 12px">{html.escape(label)}</td>' for label in pictures]
        rows = [labels[i : i + self._ncols] for i in range(0, len(labels), self._ncols)]
        table = "<table border=1>" + "".join(f"<tr>{''.join(row)}</tr>" for row in rows) + "</table>"
        opts = {"title": f"{self._name} labels", "width": 360, "height": 60 + 40 * len(rows)}
        client.text(table, win=str(self._display_id + 2), opts=opts)

    @staticmethod
    def _say(line: str) -> None:
        tqdm.write(line, sys.stderr)


class Curve:
    """The points of a window of curves, and how many of them the server has."""

    def __init__(self, win: str, title: str, ylabel: str, log: bool = False):
        self.win, self.title, self.ylabel, self.log = win, title, ylabel, log
        self.points: list[tuple[float, dict[str, float]]] = []
        self.names: list[str] = []
        self.sent = 0

    def add(self, x: float, values: Mapping[str, float]) -> None:
        while self.points and self.points[-1][0] >= x:
            self.points.pop()
            self.sent = 0
        self.points.append((x, dict(values)))
        new = [name for name in values if name not in self.names]
        if new:  # visdom adds no line to a window: the whole window is sent again
            self.names += new
            self.sent = 0

    def unsent(self) -> bool:
        return self.sent < len(self.points)

    def send(self, client: visdom.Visdom, lock: threading.Condition) -> None:
        """Append the new points. Send all if the window is missing: restarted server, window closed in the browser."""
        if not self.unsent():
            return
        exists = self.sent > 0 and client.win_exists(self.win)
        with lock:
            append = exists and self.sent > 0  # 0 by now if another thread has just added a name or replaced a point
            start = self.sent if append else 0
            points, names, self.sent = self.points[start:], list(self.names), len(self.points)
        y = [[finite(values.get(name)) for name in names] for _, values in points]
        opts = {
            "title": self.title,
            "legend": [shown(name) for name in names],
            "xlabel": "epoch",
            "ylabel": self.ylabel,
            "ytype": "log" if self.log else "linear",
            "layoutopts": {"plotly": {"title": {"text": ""}}},  # the window's bar has it; here the buttons cover it
        }
        client.line(
            np.array(y),
            np.array([[x] * len(names) for x, _ in points]),
            win=self.win,
            opts=opts,
            update="append" if append else None,
        )


def connect(server: str, port: int, env: str) -> visdom.Visdom:
    """Return a visdom client that raises an error at once, where visdom's own would print, retry or ignore it."""
    try:
        import visdom  # with tornado and more, which only live panels need
    except ModuleNotFoundError as error:
        raise RuntimeError(f"{error}; {EXTRA}, or turn them off by --display_id 0") from error

    logging.getLogger("visdom").setLevel(logging.CRITICAL)

    class Client(visdom.Visdom):
        session: Any  # these two are missing in visdom's type stubs
        server: str

        def _handle_post(self, url: str, data: Any = None) -> str:
            try:
                answer = self.session.post(url, data=data or {}, timeout=TIMEOUT)
            except OSError as error:  # every error of requests is one; visdom would print it with its traceback
                raise Unreachable(reason(error)) from error
            if not answer.ok:
                raise Unreachable(f"it answers {answer.status_code}")
            return answer.text

    user, password = (os.environ.get(f"VISDOM_{what}") for what in ("USERNAME", "PASSWORD"))
    login: dict[str, Any] = {"username": user, "password": password} if user and password else {}
    client = Client(server, port=port, env=env, use_incoming_socket=False, raise_exceptions=True, **login)
    if urlparse(client.server).hostname in ("localhost", "127.0.0.1", "::1"):
        client.session.trust_env = False  # no proxy: it would not lead back to this machine
    return client


class Unreachable(Exception):
    """The server does not answer, or is no visdom."""


def reason(error: BaseException) -> str:
    """Name the innermost cause of an error, e.g. "Connection refused"."""
    while error.__context__ is not None:
        error = error.__context__
    return getattr(error, "strerror", None) or type(error).__name__


def shown(name: str) -> str:
    """A name that a page can show in a title or a legend, which take tags and other text for HTML."""
    return name.translate({ord("<"): "‹", ord(">"): "›", ord("&"): "+"})


def finite(value: float | None) -> float:
    """Return `value` as a float; NaN, a gap in the curve, for None and infinity, which a browser cannot read."""
    value = math.nan if value is None else float(value)
    return value if math.isfinite(value) else math.nan


def make_grid(images: list[np.ndarray], ncols: int) -> np.ndarray:
    """Arrange images, uint8 [H, W, 3] of any sizes, row by row on white."""
    height, width = max(image.shape[0] for image in images), max(image.shape[1] for image in images)
    gap = 4
    cols = min(ncols, len(images))
    rows = math.ceil(len(images) / cols)
    grid = np.full((rows * (height + gap) + gap, cols * (width + gap) + gap, 3), 255, np.uint8)
    for i, image in enumerate(images):
        top, left = gap + i // cols * (height + gap), gap + i % cols * (width + gap)
        grid[top : top + image.shape[0], left : left + image.shape[1]] = image
    return grid
