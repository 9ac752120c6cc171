"""Files of a test: one set of pictures an image, in a folder that replaces the last one only when it is complete."""

import contextlib
import glob
import os
import shutil
from collections.abc import Collection, Iterator
from pathlib import Path

import numpy as np
from PIL import Image

from util.errors import UserError
from util.locks import locked
from util.pictures import blend, differences, outlines, save_jpeg, save_png, small, to_picture
from util.scoring import Scored, resize

OURS = {
    "images", "masks", "overlays", "differences", "thumbs", "metrics.csv", "metrics.json", "index.html",
    "thresholds.png", "histogram.png", "dicomseg",
}  # fmt: skip
THUMB = 512  # pictures with a longer side get a smaller copy for the page: browsers choke on hundreds of big X-rays


@contextlib.contextmanager
def replacing_folder(folder: Path, ours: Collection[str] = OURS, mark: str = "metrics.csv") -> Iterator[Path]:
    """A folder to fill that takes `folder`'s place at the end; after an error the old one is as it was.

    Files in the old folder that are not `ours` (a user's notes) move over. Of several processes with one folder the
    last to finish wins; what a killed one left is removed where the system has locks. mark: the file by which a folder
    shows that it is ours to replace. UserError: it is not.
    """
    partial, old = folder.with_name(f"{folder.name}.{os.getpid()}.partial"), folder.with_name(folder.name + ".old")
    new = [parent for parent in folder.parents if not parent.exists()]
    folder.parent.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as alive:
        with locked(folder.parent):
            for there in (folder, old):
                if there.exists() and not (there / mark).is_file() and any(there.iterdir()):
                    raise UserError(f"{there}: not the result of a test (no {mark} in it), so it is not replaced; "
                                    "move it, or name another --results_dir")
            for left in folder.parent.glob(f"{glob.escape(folder.name)}.[0-9]*.partial"):
                with locked(left, wait=False) as dead:
                    if dead:
                        shutil.rmtree(left, ignore_errors=True)
            _settle(folder, old, partial, ours)
            partial.mkdir()
            alive.enter_context(locked(partial))
        try:
            yield partial
        except BaseException:
            shutil.rmtree(partial, ignore_errors=True)
            with contextlib.suppress(OSError):  # another test may have begun to use them
                for parent in new:
                    parent.rmdir()
            raise
        with locked(folder.parent):
            _settle(folder, old, partial, ours)
            if folder.exists():
                folder.rename(old)
            partial.rename(folder)
            _settle(folder, old, partial, ours)


def _settle(folder: Path, old: Path, partial: Path, ours: Collection[str]) -> None:
    """Bring an exchange to its end, also that of a process that was killed in it: what is not `ours` moves from `old`
    into `folder`, and the rest goes. UserError: a name is in both."""
    if not old.exists():
        return
    if not folder.exists():
        old.rename(folder)
        return
    for entry in list(old.iterdir()):
        if entry.name not in ours:
            if os.path.lexists(folder / entry.name):
                raise UserError(f"{entry}: left by a test that was killed, and {folder} has one too; move either away")
            entry.rename(folder / entry.name)
    gone = old.rename(partial.with_suffix(".old.partial"))  # the next start throws away what a kill leaves of it
    shutil.rmtree(gone, ignore_errors=True)


class PictureWriter:
    """Writes the pictures of one scored image after another into `folder`; safe to call from several threads.

    images/<id>_{real_A,fake_B,real_B}.png as upstream names them, at the original size, their width stretched by
    `aspect_ratio` (labels: the names of input and output; a model's companion pictures lie beside); masks/<id>.png
    (two classes: 0 and 255; else class colours); overlays/<id>.png and differences/<id>.png. thumbs/ holds smaller
    copies under the same names where originals are large.
    """

    def __init__(
        self, folder: Path, dataset, aspect_ratio: float = 1.0, labels: tuple[str, str] = ("real_A", "fake_B")
    ):
        self.folder, self.dataset, self.aspect_ratio, self.labels = folder, dataset, aspect_ratio, labels
        for name in ("images", "masks", "overlays", "differences"):
            (folder / name).mkdir()

    def __call__(self, image: Scored) -> None:
        name, classes = self.dataset.ids[image.index], self.dataset.classes
        real = self.dataset.image(image.index)
        size = real.shape[:2]
        pictures = dict(zip(self.labels, (real, to_picture(resize(image.fake[None], size)[0])), strict=True))
        for label, picture in image.companions.items():
            pictures[label] = to_picture(resize(picture[None], size)[0])
        if image.truth is not None:
            pictures["real_B"] = classes.encode(image.truth)
        elif image.target is not None:
            pictures["real_B"] = to_picture(resize(image.target[None], size)[0])
        for label, picture in pictures.items():
            self._save(Path("images") / f"{name}_{label}.png", self._stretched(picture))
        if image.labels is None:
            return
        if classes.binary:
            mask = image.labels * np.uint8(255)
            overlay = outlines(real, image.labels == 1, None if image.truth is None else image.truth == 1)
        else:
            mask = classes.encode(image.labels)
            overlay = blend(real, mask)
        self._save(Path("masks") / f"{name}.png", mask)
        self._save(Path("overlays") / f"{name}.png", overlay)
        if image.truth is not None:
            picture = differences(real, image.labels, image.truth, classes.binary)
            self._save(Path("differences") / f"{name}.png", picture)

    def _stretched(self, picture: np.ndarray) -> np.ndarray:
        if self.aspect_ratio == 1.0:
            return picture
        height, width = picture.shape[:2]
        return np.asarray(Image.fromarray(picture).resize((max(1, round(width * self.aspect_ratio)), height)))

    def _save(self, path: Path, picture: np.ndarray) -> None:
        save_png(self.folder / path, picture)
        if max(picture.shape[:2]) > THUMB:
            save_jpeg((self.folder / "thumbs" / path).with_suffix(".jpg"), small(picture, THUMB))
