"""Drawn chest X-rays, half of them with a drawn pneumothorax (data.phantom), as SIIM-ACR hands its images out: DICOM
files and a table of runs. They stand in for the real ones, which need a login; what a network scores on them says that
the way from DICOM to the table works, and nothing about pneumothorax.

    python -m benchmarks.phantom_siim OUT      writes OUT_dicom and, from it, OUT as --dataset_mode masks reads it
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
from data.phantom import pneumothorax
from util.errors import run_script

COUNT, SIZE = 300, 256


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
        image, mask = pneumothorax(index, size=size)
        number = f"1.2.276.0.7230010.3.1.4.8323329.{index}.1"
        rows.append((number, runs(mask)))
        place = folder / "dicom-images-train" / f"{number}.1" / f"{number}.2"
        write_dicom(place / f"{number}.dcm", image, number, index)
    with (folder / "train-rle.csv").open("w", newline="") as file:
        csv.writer(file).writerows(rows)


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
