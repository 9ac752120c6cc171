"""The table of an audit: verdicts.csv in the folder of the data set, to which a person adds verdicts."""

import os
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from data.audit.disagreement import Disagreement
from data.audit.kinds import CAUSED
from data.audit.verdicts import NAME, absolute, read_verdicts
from data.read.splits import Row, lines_as_text, listed_file, read_lines
from util.files import write_text

COLUMNS = ("image", "verdict", "kind", "score", "area", "distance_px", "dice", "patient", "split", "findings")
"""The audit's own columns, but for verdict. All others are the user's."""


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
    def findings(self) -> list[str]:
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
            "findings": "; ".join(self.findings),
        }


def write_table(root: Path, entries: Sequence[Entry]) -> Path:
    """Write the entries into the data set's verdicts.csv, in their order, and return its path.

    Of an earlier table everything stays but the audit's own columns of these entries: verdicts, columns of other names,
    and all lines about other images. UserError: the earlier table is damaged, or the folder is read-only.
    """
    path = root / NAME
    verdicts = read_verdicts(root)
    earlier = read_lines(path, {"image", "verdict"}) if path.is_file() else []
    names = [line["image"].strip() for line in earlier]
    images = [absolute(listed_file(path, name)) if name else None for name in names]  # None: a person's empty cell
    before: dict[Path | None, list[dict[str, str]]] = defaultdict(list)
    for image, line in zip(images, earlier, strict=True):
        before[image].append(line)
    lines = []
    for entry in entries:
        image = absolute(entry.row.image)
        entry.verdict = verdicts.get(image, "")
        lines.append(_additions(before[image]) | entry.line(root))
    ours = {absolute(entry.row.image) for entry in entries}
    lines += [line for image, line in zip(images, earlier, strict=True) if image not in ours]
    columns = dict.fromkeys([*COLUMNS, *(name for line in lines for name in line)])
    write_text(path, lines_as_text(lines, columns, path))
    return path


def _additions(lines: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """The user's own columns of all lines about one image."""
    names = dict.fromkeys(name for line in lines for name in line if name not in COLUMNS)
    return {name: "; ".join(dict.fromkeys(line[name] for line in lines if line.get(name))) for name in names}
