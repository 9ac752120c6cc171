"""The table of an audit: verdicts.csv in the folder of the data set, to which a person adds verdicts."""

import csv
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.audit.disagreement import Disagreement
from data.audit.kinds import CAUSED
from data.audit.verdicts import NAME, absolute, read_verdicts
from data.read.splits import Row, listed_file, read_lines
from util.files import replacing

COLUMNS = ("image", "verdict", "kind", "score", "area", "distance_px", "dice", "patient", "split", "note")


@dataclass
class Entry:
    """What an audit says of one image. found: None if its mask was not compared. fits: the image that its mask fits
    better. repeated: sentences about copies and patients in two places. verdict: "" while it is open."""

    id: str
    row: Row
    found: Disagreement | None = None
    kind: str = ""
    fits: str = ""
    repeated: list[str] = field(default_factory=list)
    verdict: str = ""

    @property
    def notes(self) -> list[str]:
        return [f"the mask fits {self.fits} better"] * bool(self.fits) + self.repeated

    @property
    def rank(self) -> tuple[bool, float]:
        """The larger, the earlier this image is in the table and on the page."""
        return self.kind in CAUSED, self.found.score if self.found else -1.0

    def line(self, root: Path) -> dict[str, str]:
        """Its line of the table; COLUMNS has the names."""
        found, row = self.found, self.row
        measured = {}
        if found:
            measured = {"score": found.score, "area": found.area, "distance_px": found.distance, "dice": found.dice}
        return {name: f"{value:.4f}" for name, value in measured.items()} | {
            "image": Path(os.path.relpath(row.image, root)).as_posix(),
            "verdict": self.verdict,
            "kind": self.kind,
            "patient": row.patient,
            "split": row.split,
            "note": "; ".join(self.notes),
        }


def write_table(root: Path, entries: Sequence[Entry]) -> Path:
    """Write the entries into the data set's verdicts.csv, in their order, and return its path.

    Whatever a person has added to an earlier table stays: verdicts, columns of other names, and lines with a verdict
    about images that are not among the entries. UserError: the earlier table is damaged, or the folder is read-only.
    """
    path = root / NAME
    verdicts = read_verdicts(root)
    earlier = read_lines(path, {"image", "verdict"}) if path.is_file() else []
    before = {absolute(listed_file(path, line["image"].strip())): line for line in earlier if line["image"].strip()}
    lines = []
    for entry in entries:
        image = absolute(entry.row.image)
        entry.verdict = verdicts.get(image, "")
        lines.append(_additions(before.pop(image, {})) | entry.line(root))
    lines += [line for image, line in before.items() if image in verdicts]
    columns = dict.fromkeys([*COLUMNS, *(name for line in lines for name in line)])
    with replacing(path) as file:
        writer = csv.DictWriter(file, list(columns), restval="", lineterminator="\n")
        writer.writeheader()
        writer.writerows(lines)
    return path


def _additions(line: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in line.items() if name not in COLUMNS}
