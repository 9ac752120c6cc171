"""The findings of a check (`data.prepare.check`) and their text."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

SHOWN = 10
"""How many files a hint names."""


@dataclass
class Findings:
    """errors: lines about one file or patient each; they stop a training or make its scores worthless. hints: by their
    text, the files (or other things) they are about. summary: names and values of the data set's properties."""

    errors: list[str] = field(default_factory=list)
    hints: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    summary: dict[str, str] = field(default_factory=dict)


def report(root: Path, findings: Findings) -> str:
    """The findings as text: the summary, the errors by file, and the hints with the files they are about."""
    width = max(map(len, findings.summary))
    lines = [f"{root}", *(f"  {name:<{width}}  {value}" for name, value in findings.summary.items())]
    if findings.errors:
        lines += ["", number(len(findings.errors), "error"), *(f"  {line}" for line in findings.errors)]
    if findings.hints:
        lines += ["", "hints (nothing stops a training)"]
    for hint, files in findings.hints.items():
        lines += [f"  {hint}", *(f"    {line}" for line in files[:SHOWN])]
        lines += [f"    ... and {len(files) - SHOWN} more"] if len(files) > SHOWN else []
    return "\n".join(lines)


def counted(counter: Counter[str]) -> str:
    """The four most frequent values, each with its count."""
    shown = ", ".join(f"{value} ({count})" for value, count in counter.most_common(4))
    return shown + (f" and {len(counter) - 4} more" if len(counter) > 4 else "")


def few(names: Iterable[object]) -> str:
    """The first three, and how many more there are."""
    names = [str(name) for name in names]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def number(count: int, noun: str) -> str:
    """`1 image`, `2 images`."""
    return f"{count} {noun}{'s' if count > 1 else ''}"
