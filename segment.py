"""Write the masks of images by a trained run: of one image, a folder, or millions.

    python segment.py my_lungs scan.dcm                     (scan_mask.png beside it; area and confidence printed)
    python segment.py my_lungs datasets/scans --out masks   (a folder; @list.txt: a file of paths; -: paths on stdin)
    torchrun --nproc_per_node 8 segment.py my_lungs @list.txt --out masks --write dicomseg,png,rle

Leaves in --out: a mask for every image in the same sub-folders, manifest.csv with a line an image, and segment.json
with what made them. If the command is killed, the same command goes on. docs/scale.md has more.
"""

from __future__ import annotations

import options  # noqa: F401 - before all others, for Ctrl-C

# isort: split
import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from options.segment import Asked, parse
from util.errors import UserError, run_script

# torch takes seconds to load. It is imported inside functions, which run when the flags are known to be right.
if TYPE_CHECKING:
    import torch

    from data.stream.writers import MaskWriter
    from models.apply.segmenter import Segmenter
    from util.segment.manifest import Manifest, Row
    from util.segment.stream import Record

SOME_LEFT_OUT = 3
"""Exit code: all is done, but some images could not be segmented. Never under torchrun, which would end the others."""


def main() -> int:
    from data.stream.sources import Sources

    asked = parse()
    sources = Sources(asked.paths, asked.out)
    if asked.out is None and not sources.are_files:
        raise UserError("--out is missing: name the folder for the masks of a folder, a list, or stdin")
    if not sources.from_stdin and next(iter(sources), None) is None:
        raise UserError(f"{' '.join(asked.paths)}: no image there, and none below it")
    rank, processes = share()
    if processes > 1 and (sources.from_stdin or asked.out is None):
        raise UserError("several processes share out a folder or a list, with --out; stdin and single files go to one")

    from hubconf import create_segmenter
    from util.segment.progress import shown
    from util.segment.stream import NoRecord, Stream

    def mine() -> Iterator:
        return (found for found in sources if processes == 1 or found.share(processes) == rank)

    segmenter = create_segmenter(asked.runs, asked.typed, device_of(asked))
    writer = mask_writer(asked, segmenter)
    with manifest(asked, segmenter, rank, processes) if asked.out else contextlib.nullcontext() as recorded:
        record: Record = recorded or NoRecord()
        stream = Stream(segmenter, writer, record, asked.out, asked.overwrite, asked.runs[0].num_threads)
        count = None if sources.from_stdin else lambda: sum(not record.has_line(found.path) for found in mine())
        rows = shown(stream.run(mine()), count)
        code = report(rows, recorded, alone=len(asked.paths) == 1 and sources.are_files)
        say_contradictions(segmenter.contradicting)
        return code


def share() -> tuple[int, int]:
    """This process's number and how many there are, as torchrun, or a Slurm array, says."""
    try:
        rank, processes = int(os.environ.get("RANK", 0)), int(os.environ.get("WORLD_SIZE", 1))
    except ValueError as error:
        raise UserError(f"RANK and WORLD_SIZE: want whole numbers ({error})") from error
    if not 0 <= rank < processes:
        raise UserError(f"RANK {rank}: must be at least 0 and less than WORLD_SIZE {processes}")
    return rank, processes


def device_of(asked: Asked) -> torch.device:
    """The device of this process: under torchrun each takes the GPU of its own number."""
    import torch

    from util.run.device import pick_device

    gpu_ids = asked.runs[0].gpu_ids
    if gpu_ids is None and "LOCAL_RANK" in os.environ and torch.cuda.is_available():
        gpu_ids = str(int(os.environ["LOCAL_RANK"]) % torch.cuda.device_count())
    return pick_device(gpu_ids)


def mask_writer(asked: Asked, segmenter: Segmenter) -> MaskWriter:
    from data.dicomseg import SegmentationObjects, segment_names
    from data.stream.writers import MaskWriter
    from options.recorded import masks_show

    objects = None
    if "dicomseg" in asked.write:
        names = segment_names(segmenter.classes, asked.runs[0].classes, masks_show(asked.runs))
        objects = SegmentationObjects(f"{segmenter.name}, epoch {asked.runs[0].epoch}", names)
    return MaskWriter(asked.write, segmenter.classes, objects)


@contextlib.contextmanager
def manifest(asked: Asked, segmenter: Segmenter, rank: int, processes: int) -> Iterator[Manifest]:
    """The manifest in --out, for this process alone. UserError: --out cannot be written, or holds other masks."""
    from util.faults import why
    from util.locks import only_one
    from util.segment.manifest import Manifest, check_job

    folder = asked.out or Path()
    made = segmenter.trained.applied(segmenter.classes, segmenter.files[len(asked.runs) :])
    job = {"runs": segmenter.name, **made, "rule": segmenter.settings, "write": [*asked.write]}
    with contextlib.ExitStack() as held:
        try:
            folder.mkdir(parents=True, exist_ok=True)
            busy = f"--out {folder}: process {rank} of {processes} works there already"
            held.enter_context(only_one(folder, busy, f".lock_{rank}"))
            same_folder = check_job(folder, job)
            record, finished = Manifest(folder, rank, processes, asked.overwrite, same_folder), False
        except OSError as error:
            raise UserError(f"--out {folder}: cannot be written: {why(error)}") from error
        try:
            yield record
            finished = True
        finally:
            record.close(finished)


def report(rows: Iterator[Row], record: Manifest | None, alone: bool) -> int:
    """Print what became of the images; returns the exit code. alone: there is one.

    UserError: not one has a mask. Under torchrun that is a line only: it ends all processes as soon as one fails, so a
    bad image, or a share of bad images, would end the work of all.
    """
    from util.score.trust.plausible import Doubted

    shared = "TORCHELASTIC_RUN_ID" in os.environ
    done, failed, first, doubted = 0, 0, "", Doubted()
    for row in rows:
        done, failed, first = done + (not row.error), failed + bool(row.error), first or row.error
        if not row.error:
            doubted.add(row.path, row.implausible)
        elif not alone:
            print(f"left out: {row.error}", file=sys.stderr)
        if not (row.error or record):
            print(in_words(row), flush=True)
    earlier, before = (record.earlier, record.failed) if record else (0, 0)
    if failed and not done + earlier:
        line = first if failed == 1 else f"none of {failed} images could be segmented; the first: {first}"
        if not shared:
            raise UserError(line)
        print(f"error: {line}", file=sys.stderr)
    if not alone:
        print(*(f"{line}\n" for line in doubted.lines()), sep="", end="")
    if record:
        again = f", {earlier} from before" if earlier else ""
        left_out = f", {failed + before} left out (column error)" if failed + before else ""
        print(f"{record.path}: {done + failed} images{again}{left_out}")
    return SOME_LEFT_OUT if failed + before and not shared else 0


def say_contradictions(count: int) -> None:
    """Of a single DICOM file that contradicts itself about what is black, the line that names it says enough."""
    if count > 1:
        print(
            f"{count} images have a PresentationLUTShape that contradicts their PhotometricInterpretation, which is "
            "followed; check that bone is bright",
            file=sys.stderr,
        )


def in_words(row: Row) -> str:
    share = 100 * int(row.area) / (int(row.width) * int(row.height))
    parts = "1 part" if row.parts == 1 else f"{row.parts} parts"
    trust = f", confidence {row.confidence:.3f}" if row.confidence != "" else ""
    trust += f", expected Dice {row.expected_dice:.3f}" if row.expected_dice != "" else ""
    task = f"task {row.task}, " if row.task else ""
    doubts = f"; implausible: {row.implausible}" if row.implausible else ""
    return f"{row.mask}: {task}{row.area} pixels ({share:.1f} % of the image) in {parts}{trust}{doubts}"


if __name__ == "__main__":
    run_script(main)
