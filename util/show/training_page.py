"""web/index.html of a training run: the generator's pictures of each epoch, and the curves so far."""

import re
import time
from collections.abc import Mapping
from pathlib import Path

import torch
from dominate import tags

from util.run.log import read_losses, read_metrics
from util.show.pages import page, picture_row, write_page
from util.show.pictures import save_png, to_picture

REFRESH = 60  # seconds after which an open page reloads during training
MOST_EPOCHS = 60
"""The page shows this many epochs, so that a long training does not make it slower with each one."""
CURVES_EVERY = 30  # seconds between drawings of the curves: on a fast GPU a page is due every other second
ABOUT_CURVES = (
    "train: measured during the training steps, on cropped and augmented images, while the weights change and dropout "
    "is active, so it is not the score of any one network. If an epoch was interrupted, its losses and train scores "
    "cover only the part after --continue_train. val: measured after the epoch, on whole images at their original "
    "size, averaged over images. Training without pairs has no ground truth, and so no train scores."
)


class TrainingPage:
    """Writes <run_dir>/web: images/epoch%03d_<label>.png, curves.png and index.html.

        page = TrainingPage(run_dir, "lungs")
        page.add(epoch, model.pictures())
        page.close()

    A resumed run keeps the pictures of its earlier epochs. Files are replaced whole, so the page can be opened at any
    moment. winsize: width of a picture on the page in pixels. images: a line that says what the run learns from.
    """

    def __init__(self, run_dir: Path, name: str, winsize: int = 256, images: str = ""):
        self.run_dir, self.name, self.winsize, self.images = Path(run_dir), name, winsize, images
        self.labels: list[str] = []
        self.epoch = 0
        self._drawn_at = float("-inf")

    def add(self, epoch: int, pictures: Mapping[str, torch.Tensor]) -> None:
        """Show the first image of each batch, float [N, C, H, W] in [-1, 1] by label, as the epoch's pictures."""
        self.epoch = epoch
        self.labels = list(pictures)
        for label, images in pictures.items():
            save_png(self.run_dir / "web" / "images" / f"epoch{epoch:03d}_{label}.png", to_picture(images[0]))
        self._write(REFRESH, curves=time.monotonic() - self._drawn_at > CURVES_EVERY)

    def close(self) -> None:
        """Write the page for the last time: with the complete curves, and without reloading."""
        if self.epoch:
            self._write(refresh=0, curves=True)

    def _write(self, refresh: int, curves: bool) -> None:
        web = self.run_dir / "web"
        if curves:
            losses, scores = read_losses(self.run_dir / "loss_log.txt"), read_metrics(self.run_dir / "metrics.csv")
            if losses or scores:
                from util.show import plots

                plots.curves(losses, scores, web / "curves.png")
            self._drawn_at = time.monotonic()
        doc = page(f"Experiment name = {self.name}", refresh)
        if self.images:
            doc.body.add(tags.p(self.images))
        if (web / "curves.png").exists():
            # With the time in its address, a reload fetches the new drawing instead of the browser's copy.
            stamp = int((web / "curves.png").stat().st_mtime)
            look = {"alt": "loss, Dice and IoU by epoch", "style": "width:100%;max-width:1000px"}
            doc.body.add(tags.img(src=f"curves.png?{stamp}", **look), tags.p(ABOUT_CURVES, cls="note"))
        on_disk = self._labels_on_disk()
        if len(on_disk) > MOST_EPOCHS:
            doc.body.add(tags.p(f"{MOST_EPOCHS} of {len(on_disk)} epochs; the pictures of all are in images/."))
        for epoch in thinned(sorted(on_disk, reverse=True)):
            labels = on_disk[epoch]
            ordered = [label for label in self.labels if label in labels]
            ordered += sorted(labels - set(ordered))
            paths = [Path("images") / f"epoch{epoch:03d}_{label}.png" for label in ordered]
            cells = [(label, path, path) for label, path in zip(ordered, paths, strict=True)]
            doc.body.add(tags.section(tags.h3(f"epoch [{epoch}]"), picture_row(cells, self.winsize), cls="image"))
        write_page(web / "index.html", doc)

    def _labels_on_disk(self) -> dict[int, set[str]]:
        """The labels of the pictures of each epoch, without later epochs, which an older, longer run has left."""
        labels: dict[int, set[str]] = {}
        for path in (self.run_dir / "web" / "images").glob("epoch*.png"):
            match = re.fullmatch(r"epoch(\d{3,})_(.+)", path.stem)
            if match and int(match[1]) <= self.epoch:
                labels.setdefault(int(match[1]), set()).add(match[2])
        return labels


def thinned(epochs: list[int]) -> list[int]:
    """At most `MOST_EPOCHS` of these, which run from the newest to the first: the newest half of them, and as many of
    the others at equal distances. The first is among them."""
    half = MOST_EPOCHS // 2
    newest, earlier = epochs[:half], epochs[half:]
    if len(earlier) <= half:
        return epochs
    return newest + [earlier[round(i * (len(earlier) - 1) / (half - 1))] for i in range(half)]
