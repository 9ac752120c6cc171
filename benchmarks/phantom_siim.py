"""Drawn chest X-rays, a share of them with a drawn pneumothorax, as SIIM-ACR hands its images out: DICOM files and a
table of runs. They stand in for the real ones, which need a login; what a network scores on them says that the way from
DICOM to the table works, and nothing about pneumothorax.

    python -m benchmarks.phantom_siim OUT      writes OUT/source and, from it, OUT as --dataset_mode masks reads it
"""

import argparse
import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset
from scipy.ndimage import affine_transform, binary_erosion, gaussian_filter, label

from benchmarks.runs import ROOT
from data.phantom import chest
from util.errors import run_script

COUNT, SIZE, SHARE = 300, 256, 0.3


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    make_phantom_siim(parser.parse_args().out)


def make_phantom_siim(out: Path) -> None:
    """Fill `out` unless it is there: images/, masks/ and splits.csv, by data.prepare from DICOM files."""
    if (out / "splits.csv").exists():
        return
    source = out.with_name(f"{out.name}_dicom")
    write_siim(source, COUNT, SIZE)
    command = [sys.executable, "-m", "data.prepare", "siim", str(source.resolve()), str(out.resolve())]
    subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=True)


def write_siim(folder: Path, count: int, size: int) -> None:
    """`count` X-rays of `size` x `size` pixels in `folder`/dicom-images-train, and train-rle.csv."""
    rows = [("ImageId", " EncodedPixels")]
    for index in range(count):
        random = np.random.default_rng([index, 4])
        image, lungs = chest(index, size=size)
        mask = np.zeros_like(lungs, bool)
        if random.uniform() < SHARE:
            image, mask = collapse(image, lungs > 0, random)
        number = f"1.2.276.0.7230010.3.1.4.8323329.{index}.1"
        rows.append((number, runs(mask)))
        place = folder / "dicom-images-train" / f"{number}.1" / f"{number}.2"
        write_dicom(place / f"{number}.dcm", image, number, index)
    with (folder / "train-rle.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def collapse(image: np.ndarray, lungs: np.ndarray, random: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
    """A pneumothorax in one of the two lungs: the lung shrinks towards its hilum, and between its edge, a fine bright
    line, and the chest wall there is air: darker, without vessels.

    image: uint8 [H, W]; lungs: bool [H, W]. Returns the new image and where the air is, bool [H, W].
    """
    parts, _ = label(lungs)
    largest = np.argsort(np.bincount(parts.ravel())[1:])[-2:] + 1
    lung = parts == random.choice(largest)
    y, x = np.nonzero(lung)
    middle = image.shape[1] / 2
    hilum = np.array([np.quantile(y, 0.65), min(x, key=lambda at: abs(at - middle))])
    kept = random.uniform(0.82, 0.97)
    shrunk = affine_transform(lung.astype(np.float32), np.eye(2) / kept, hilum - hilum / kept, order=1) > 0.5
    air = lung & ~shrunk & (np.arange(len(image))[:, None] < np.quantile(y, 0.85))
    line = shrunk & lung & ~binary_erosion(shrunk) & gaussian_filter(air.astype(np.float32), 1).astype(bool)
    inside, near = lung.astype(np.float32), image.shape[0] / 60
    smooth = gaussian_filter(image * inside, near) / np.maximum(gaussian_filter(inside, near), 1e-3)
    picture = np.where(air, smooth * random.uniform(0.75, 0.9), image) + 18 * line
    picture += air * random.normal(0, 3, image.shape)
    return np.clip(picture, 0, 255).astype(np.uint8), air


def runs(mask: np.ndarray) -> str:
    """A mask as the challenge writes it: down the columns, pairs of a gap since the last run and a length; -1: none."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.T.ravel().astype(int), [0]])))
    starts, ends = edges[::2], edges[1::2]
    gaps = starts - np.concatenate([[0], ends[:-1]])
    return " ".join(f"{gap} {length}" for gap, length in zip(gaps, ends - starts, strict=True)) or "-1"


def write_dicom(path: Path, image: np.ndarray, number: str, patient: int) -> None:
    """A grey picture, uint8 [H, W], as a DICOM file without compression."""
    file = Dataset()
    file.file_meta = FileMetaDataset()
    file.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    file.SOPClassUID, file.SOPInstanceUID = uid.SecondaryCaptureImageStorage, number
    file.PatientID = f"phantom {patient}"
    file.Modality, file.PhotometricInterpretation, file.SamplesPerPixel = "CR", "MONOCHROME2", 1
    (file.Rows, file.Columns), file.PixelSpacing = image.shape, [360 / image.shape[0]] * 2
    file.BitsAllocated = file.BitsStored = 8
    file.HighBit, file.PixelRepresentation, file.PixelData = 7, 0, image.tobytes()
    file["PixelData"].VR = "OB"
    path.parent.mkdir(parents=True, exist_ok=True)
    file.save_as(path, enforce_file_format=True)


if __name__ == "__main__":
    run_script(main)
