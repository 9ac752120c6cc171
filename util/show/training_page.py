"""web/index.html of a training run: what the generator drew, epoch by epoch, and the curves so far."""

import re
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from dominate import tags

from util.run.log import read_losses, read_metrics
from util.show import plots
from util.show.pages import page, picture_row, write_page
from util.show.pictures import save_png, to_picture

REFRESH = 60  # seconds between reloads of an open page while training goes on
ABOUT_CURVES = (
    "train: counted in the training steps themselves, on cropped and augmented images, while the weights change and "
    "dropout is alive; not a score of one network. Of an epoch in which training was interrupted, losses and train are "
    "those of the rest, after --continue_train. val: whole images after the epoch, scores at their original size, mean "
    "over images. Training without pairs has no truth to count against."
)
CURVES_EVERY = 30  # seconds between drawings of the curves: a fast GPU asks for a page every other second


class TrainingPage:
    """Writes <run_dir>/web: images/epoch%03d_<label>.png, curves.png and index.html.

    page = TrainingPage(run_dir, "lungs"); page.add(epoch, model.pictures()); page.close(). What earlier starts of
    the run left stays on the page. Files are replaced whole, so the page can be read at any moment.

    winsize: width of a picture on the page, in pixels.
    """

    def __init__(self, run_dir: Path, name: str, winsize: int = 256):
        self.run_dir, self.name, self.winsize = Path(run_dir), name, winsize
        self.labels: list[str] = []
        self.epoch = 0
        self.drawn = float("-inf")

    def add(self, epoch: int, pictures: Mapping[str, torch.Tensor]) -> None:
        """Show the first image of each batch float [N, C, H, W] in [-1, 1], by label, as the epoch's pictures."""
        self.epoch = epoch
        self.labels = list(pictures)
        for label, images in pictures.items():
            save_png(self.run_dir / "web" / "images" / f"epoch{epoch:03d}_{label}.png", to_picture(images[0]))
        self._write(REFRESH, curves=time.monotonic() - self.drawn > CURVES_EVERY)

    def close(self) -> None:
        """Bring the page to its last state: all curves, no more reloading."""
        if self.epoch:
            self._write(refresh=0, curves=True)

    def _write(self, refresh: int, curves: bool) -> None:
        web = self.run_dir / "web"
        if curves:
            losses, scores = read_losses(self.run_dir / "loss_log.txt"), read_metrics(self.run_dir / "metrics.csv")
            if losses or scores:
                plots.curves(losses, scores, web / "curves.png")
            self.drawn = time.monotonic()
        doc = page(f"Experiment name = {self.name}", refresh)
        if (web / "curves.png").exists():
            # The time makes a reload fetch the new drawing instead of the browser's copy.
            stamp = int((web / "curves.png").stat().st_mtime)
            look = {"alt": "loss, Dice and IoU by epoch", "style": "width:100%;max-width:1000px"}
            doc.body.add(tags.img(src=f"curves.png?{stamp}", **look), tags.p(ABOUT_CURVES, cls="note"))
        for epoch, labels in sorted(self._found().items(), reverse=True):
            known = [label for label in self.labels if label in labels]
            known += sorted(labels - set(known))
            paths = [Path("images") / f"epoch{epoch:03d}_{label}.png" for label in known]
            cells = [(label, path, path) for label, path in zip(known, paths, strict=True)]
            doc.body.add(tags.section(tags.h3(f"epoch [{epoch}]"), picture_row(cells, self.winsize), cls="image"))
        write_page(web / "index.html", doc)

    def _found(self) -> dict[int, set[str]]:
        """Labels of the pictures on disk by epoch; epochs to come, left by a longer run of this name, are not shown."""
        found: dict[int, set[str]] = {}
        for path in (self.run_dir / "web" / "images").glob("epoch*.png"):
            match = re.fullmatch(r"epoch(\d{3,})_(.+)", path.stem)
            if match and int(match[1]) <= self.epoch:
                found.setdefault(int(match[1]), set()).add(match[2])
        return found
