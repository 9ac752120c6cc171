"""web/index.html of a training run: the generator's pictures of each epoch, and the curves so far."""

import re
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from dominate import tags

from util.contracts import ClassMap
from util.run.log import read_losses, read_metrics
from util.run.outlook import best_in_words
from util.show.pages import colour_key, page, picture_row, write_page
from util.show.pictures import BOTH, PREDICTION, TRUTH, save_png, to_picture
from util.show.training.cases import Case, CaseFiles

REFRESH = 60  # seconds after which an open page reloads during training
MOST_EPOCHS = 60
"""The page shows this many epochs, so that a long training does not make it slower with each one."""
CURVES_EVERY = 30  # seconds between drawings of the curves: on a fast GPU a page is due every other second
RECORDS = {"train_opt.txt": "options", "metrics.csv": "scores of each epoch (CSV)", "loss_log.txt": "losses"}
MARK = "border-left:6px solid #e69f00"  # of the best epoch
ABOUT_CURVES = (
    "train: measured during the training steps, on cropped and augmented images, while the weights change and dropout "
    "is active, so it is not the score of any one network. If an epoch was interrupted, its losses and train scores "
    "cover only the part after --continue_train. val: measured after the epoch, on whole images at their original "
    "size, averaged over images. Training without pairs has no ground truth, and so no train scores."
)


class TrainingPage:
    """Writes <run_dir>/web: images/epoch%03d_<label>.png, cases/, curves_*.png and index.html.

        page = TrainingPage(run_dir, "lungs")
        page.begin(1, "Running: epoch 1 of 200.")
        page.add(epoch, model.pictures(), "Running: epoch 2 of 200.", best=(1, 0.9), cases=cases.take())
        page.close("Finished: 200 epochs.")

    A resumed run keeps the pictures of its earlier epochs. Files are replaced whole, so the page can be opened at any
    moment. winsize: width of a picture on the page in pixels. images: a line that says what the run learns from.
    classes: of the validation's images; None where nothing is validated.
    """

    def __init__(self, run_dir: Path, name: str, winsize: int = 256, images: str = "", classes: ClassMap | None = None):
        self.run_dir, self.name, self.winsize, self.images = Path(run_dir), name, winsize, images
        self._classes = classes
        self.labels: list[str] = []
        self.epoch = 0
        self._status, self._best = "", (0, 0.0)
        self._cases = CaseFiles(self.run_dir / "web" / "cases")
        self._figures: list[tuple[str, str]] = []
        self._drawn_at = float("-inf")

    def begin(self, epoch: int, status: str, best: tuple[int, float] | None = None) -> None:
        """Write the page before the first step of a run that begins or goes on in this epoch."""
        self.epoch, self._status, self._best = epoch, status, best or self._best
        self._write(REFRESH, curves=True)

    def add(
        self,
        epoch: int,
        pictures: Mapping[str, torch.Tensor],
        status: str = "",
        best: tuple[int, float] | None = None,
        cases: list[Case] | None = None,
    ) -> None:
        """Show the first image of each batch, float [N, C, H, W] in [-1, 1] by label, as the epoch's pictures.

        status: a sentence on how far the run is. best: the best epoch so far, and its score. cases: of the validation
        after this epoch.
        """
        self.epoch, self._status, self._best = epoch, status, best or self._best
        self.labels = list(pictures)
        for label, images in pictures.items():
            save_png(self.run_dir / "web" / "images" / f"epoch{epoch:03d}_{label}.png", to_picture(images[0]))
        if cases:
            self._cases.add(epoch, self._best[0], cases)
        self._write(REFRESH, curves=time.monotonic() - self._drawn_at > CURVES_EVERY)

    def close(self, status: str = "") -> None:
        """Write the page for the last time: with the complete curves, and without reloading."""
        self._status = status
        if self.epoch:
            self._write(refresh=0, curves=True)

    def _write(self, refresh: int, curves: bool) -> None:
        web = self.run_dir / "web"
        if curves:
            self._draw_curves(web)
        links = {words: f"../{file}" for file, words in RECORDS.items() if (self.run_dir / file).exists()}
        doc = page(f"Experiment name = {self.name}", refresh, links)
        with doc.main:
            self._add_status()
            if self._figures:
                self._add_curves(web)
            self._add_cases()
            self._add_pictures()
        write_page(web / "index.html", doc, keep_links=True)

    def _draw_curves(self, web: Path) -> None:
        losses, scores = read_losses(self.run_dir / "loss_log.txt"), read_metrics(self.run_dir / "metrics.csv")
        if losses or scores:
            from util.show import plots

            self._figures = plots.curves(losses, scores, web, self._best[0])
        self._drawn_at = time.monotonic()

    def _add_status(self) -> None:
        """Add how far the run is, and its best epoch."""
        best = f" Best epoch: {best_in_words(self._best, self._classes)}." if self._best[0] else ""
        tags.p(self._status + best, cls="upshot")
        tags.p(f"As of {time.strftime('%Y-%m-%d %H:%M:%S')}. ", self.images, cls="note")

    def _add_curves(self, web: Path) -> None:
        tags.h2("Curves")
        columns = "display:grid;grid-template-columns:repeat(auto-fill,minmax(min(400px,100%),1fr))"
        with tags.div(cls="figures", style=columns):
            for title, name in self._figures:
                # With the time in its address, a reload fetches the new drawing instead of the browser's copy.
                stamp = int((web / name).stat().st_mtime)
                with tags.figure(cls="plot", style="max-width:none"):
                    tags.img(src=f"{name}?{stamp}", alt=f"{title} by epoch")
        tags.p(ABOUT_CURVES, cls="note")

    def _add_cases(self) -> None:
        """Add the cases of the kept epochs."""
        ids, rows = self._cases.rows(self.epoch)
        if self._classes is None:
            tags.p("Nothing is validated: there is no best epoch.", cls="note")
        if self._classes is None or not rows:
            return
        tags.h2("The same images after each validation")
        tags.p("Masks are made of outputs as in testing. Click to enlarge; j and k then lead through the epochs.")
        with tags.p(cls="note"):
            if self._classes.binary:
                keys = {"foreground": BOTH, "too much": PREDICTION, "missed": TRUTH}
            else:
                names = self._classes.names
                colours = self._classes.encode(np.arange(len(names), dtype=np.uint8)[None])[0].tolist()
                keys = dict(zip(names, colours, strict=True))
            for meaning, (red, green, blue) in keys.items():
                colour_key((red, green, blue), meaning)
        with tags.div(cls="gallery"), tags.div(cls="cards"):
            for row in rows:
                best = row.epoch == self._best[0]
                title = f"after epoch {row.epoch}" + best * ": the best ★" if row.epoch else "ground truth"
                labels = [
                    f"{i} {score:.3f}" if score is not None else i for i, score in zip(ids, row.scores, strict=True)
                ]
                files = [Path("cases") / file for file in row.files]
                with tags.section(cls="image", data_name=title, style=MARK if best else ""):
                    tags.h3(title)
                    picture_row(list(zip(labels, files, files, strict=True)), 400, title)

    def _add_pictures(self) -> None:
        """Add the pictures of the training steps, as upstream shows them."""
        on_disk = self._labels_on_disk()
        if on_disk:
            tags.h2("Pictures of training steps")
        if len(on_disk) > MOST_EPOCHS:
            tags.p(f"{MOST_EPOCHS} of {len(on_disk)} epochs; the pictures of all are in images/.")
        with tags.div(cls="gallery"), tags.div(cls="cards"):
            for epoch in thinned(sorted(on_disk, reverse=True)):
                labels = on_disk[epoch]
                ordered = [label for label in self.labels if label in labels]
                ordered += sorted(labels - set(ordered))
                paths = [Path("images") / f"epoch{epoch:03d}_{label}.png" for label in ordered]
                cells = [(label, path, path) for label, path in zip(ordered, paths, strict=True)]
                with tags.section(cls="image", data_name=f"epoch [{epoch}]"):
                    tags.h3(f"epoch [{epoch}]")
                    picture_row(cells, self.winsize, f"epoch {epoch}")

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
