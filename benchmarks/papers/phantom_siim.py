"""Drawn chest X-rays in SIIM-ACR's layout, DICOM files and a table of run lengths. Half show a drawn pneumothorax.

They replace the real images, which need a login. A network's score on them shows that everything from the DICOM files
to the table of scores works, and nothing about pneumothorax.

    python -m benchmarks.papers.phantom_siim OUT      writes OUT_dicom and from it OUT, for --dataset_mode masks
"""

import argparse
import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
from pydicom import uid
from pydicom.dataset import Dataset, FileMetaDataset

from benchmarks.runs import ROOT
from data.phantom.chests import pneumothorax
from util.errors import run_script

COUNT, SIZE = 300, 256


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, metavar="OUT")
    make_phantom_siim(parser.parse_args().out)


def make_phantom_siim(out: Path) -> None:
    """Write images/, masks/ and splits.csv to a folder with data.prepare, from DICOM files, unless it has them."""
    if (out / "splits.csv").exists():
        return
    source = out.with_name(f"{out.name}_dicom")
    write_siim(source, COUNT, SIZE)
    command = [sys.executable, "-m", "data.prepare", "siim", str(source.resolve()), str(out.resolve())]
    subprocess.run(command, cwd=ROOT, stdout=sys.stderr, check=True)


def write_siim(folder: Path, count: int, size: int) -> None:
    """Write `count` X-rays of `size` x `size` pixels to dicom-images-train/ in a folder, and train-rle.csv."""
    rows = [("ImageId", " EncodedPixels")]
    for index in range(count):
        image, mask = pneumothorax(index, size=size)
        number = f"1.2.276.0.7230010.3.1.4.8323329.{index}.1"
        rows.append((number, runs(mask)))
        place = folder / "dicom-images-train" / f"{number}.1" / f"{number}.2"
        write_dicom(place / f"{number}.dcm", image, number, index)
    with (folder / "train-rle.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)


def runs(mask: np.ndarray) -> str:
    """A mask, bool [H, W], as the challenge writes it; an empty one is -1.

    Pairs of the gap since the last run and a run's length, down one column after the other.
    """
    edges = np.flatnonzero(np.diff(np.concatenate([[0], mask.T.ravel().astype(int), [0]])))
    starts, ends = edges[::2], edges[1::2]
    gaps = starts - np.concatenate([[0], ends[:-1]])
    return " ".join(f"{gap} {length}" for gap, length in zip(gaps, ends - starts, strict=True)) or "-1"


def write_dicom(path: Path, image: np.ndarray, number: str, patient: int) -> None:
    """Write a grey picture, uint8 [H, W], as a DICOM file without compression."""
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
