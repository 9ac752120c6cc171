"""The pictures that a test writes for each image: input, output, mask, overlay, difference."""

from pathlib import Path

import numpy as np
from PIL import Image

from util.contracts import ScoredData
from util.score.image import Scored, resize
from util.show.pictures import blend, differences, outlines, save_jpeg, save_png, small, to_picture

# The entries of a results folder that a test writes. The next test replaces them, and keeps all others.
OURS = {"images", "masks", "overlays", "differences", "thumbs", "dicomseg"}
OURS |= {"metrics.csv", "metrics.json", "index.html", "thresholds.png", "histogram.png"}
OURS |= {"audit"}  # of the masks that are replaced (data.audit)
THUMB = 512  # pixels; a larger picture gets a smaller copy for the page: browsers choke on hundreds of big X-rays


class PictureWriter:
    """Writes the pictures of one scored image after another into `folder`. Safe to call from several threads.

    images/<id>_{real_A,fake_B,real_B}.png, named as upstream does, and the model's companion pictures. masks/<id>.png:
    0 and 255 for two classes, else class colours. overlays/<id>.png and differences/<id>.png. thumbs/: smaller copies
    of large pictures, under the same names. All but these have the original size of the image.

    Args:
        aspect_ratio: factor by which the width of the pictures in images/ is stretched.
        labels: upstream's names of the input and the output.
    """

    def __init__(
        self,
        folder: Path,
        dataset: ScoredData,
        aspect_ratio: float = 1.0,
        labels: tuple[str, str] = ("real_A", "fake_B"),
    ):
        self.folder, self.dataset, self.aspect_ratio, self.labels = folder, dataset, aspect_ratio, labels
        for name in ("images", "masks", "overlays", "differences"):
            (folder / name).mkdir(exist_ok=True)  # test.py --phase out_of_fold has a writer for each fold

    def __call__(self, image: Scored) -> None:
        name, classes = self.dataset.ids[image.index], self.dataset.classes
        real = self.dataset.image(image.index)
        size = real.shape[:2]
        pictures = dict(zip(self.labels, (real, to_picture(resize(image.fake[None], size)[0])), strict=True))
        for label, picture in image.companions.items():
            pictures[label] = to_picture(resize(picture[None], size)[0])
        if classes is not None and image.truth is not None:
            pictures["real_B"] = classes.encode(image.truth)
        elif image.target is not None:
            pictures["real_B"] = to_picture(resize(image.target[None], size)[0])
        for label, picture in pictures.items():
            self._save(Path("images") / f"{name}_{label}.png", self._stretched(picture))
        if classes is None or image.labels is None:
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
