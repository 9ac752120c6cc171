"""Convert an image and a mask of a set to the two PNG files that training reads."""

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from PIL import Image
from tqdm import tqdm

from data.enhance import clahe
from data.prepare.source import Item, Source
from data.transforms import resize_labels, resize_picture, to_grey
from util.errors import UserError
from util.show.pictures import save_png


@dataclass(frozen=True)
class Pixels:
    """How pixels are converted. size: new width and height; None for the size of the mask. keep_bits: write 16-bit PNG
    if the source has more than 8 bits. clahe: equalise the contrast of small regions."""

    size: int | None = None
    keep_bits: bool = False
    clahe: bool = False


@dataclass(frozen=True)
class Written:
    """One image in DST. size: height and width. spacing: mm per pixel (rows, columns); None if unknown."""

    item: Item
    size: tuple[int, int]
    spacing: tuple[float, float] | None


def convert_all(source: Source, items: Sequence[Item], dst: Path, pixels: Pixels) -> Iterator[Written | UserError]:
    """Write images/<id>.png and masks/<id>.png for each item that lacks one of them. Yields a result for each item, in
    order. A file that cannot be read yields its error, and the rest goes on."""
    threads = min(os.cpu_count() or 1, 4)  # CLAHE of one full Montgomery X-ray takes a gigabyte
    torch_threads = torch.get_num_threads()
    # Each of our threads gets one thread of torch: more would compete for the same cores.
    pool = ThreadPoolExecutor(threads, initializer=torch.set_num_threads, initargs=(1,))
    try:
        results = pool.map(lambda item: _convert(source, item, dst, pixels), items)
        yield from tqdm(results, total=len(items), desc=source.name, unit="img", disable=None)
    finally:
        pool.shutdown(cancel_futures=True)  # after Ctrl-C, finish the files in progress, not the thousands in the queue
        torch.set_num_threads(torch_threads)


def _convert(source: Source, item: Item, dst: Path, pixels: Pixels) -> Written | UserError:
    image_path, mask_path = (dst / folder / f"{item.id}.png" for folder in ("images", "masks"))
    if not (image_path.is_file() and mask_path.is_file()):
        try:
            image, labels = source.read(item)
        except UserError as error:
            return error
        image, mask = prepare(source, image, labels, pixels)
        save_png(image_path, image)
        save_png(mask_path, mask)
    with Image.open(image_path) as picture:
        size = picture.height, picture.width
    extent = source.extent(item)
    spacing = extent and (round(extent[0] / size[0], 6), round(extent[1] / size[1], 6))
    return Written(item, size, spacing)


def prepare(source: Source, image: np.ndarray, labels: np.ndarray, pixels: Pixels) -> tuple[np.ndarray, np.ndarray]:
    """Convert an image, uint8 or uint16 [H, W] or [H, W, 3], and class indices, uint8 [H, W], to the two pictures to
    store, which have the same size. The image becomes grey unless the set keeps its colour. The mask is {0, 255} for
    two classes and in the classes' colours for more."""
    size = (pixels.size, pixels.size) if pixels.size else labels.shape
    image = resize_picture(image if source.colour else to_grey(image), size)
    if pixels.clahe:
        image = clahe(image)
    if image.dtype == np.uint16 and not pixels.keep_bits:
        image = np.round(image / 257.0).astype(np.uint8)
    labels = resize_labels(labels, size)
    return image, labels * np.uint8(255) if source.classes.binary else source.classes.encode(labels)
