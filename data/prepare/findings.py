"""What a check of a folder found, and how it is told."""

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

SHOWN = 10
"""Of one hint so many files are named."""


@dataclass
class Findings:
    """errors: lines, each about one file or patient, that stop a training or make its scores worthless; hints: by
    what they say, the files (or other things) of which they say it; summary: (what, how much)."""

    errors: list[str] = field(default_factory=list)
    hints: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    summary: dict[str, str] = field(default_factory=dict)


def report(root: Path, found: Findings) -> str:
    """The findings as text: a summary, the errors file by file, the hints by what they say."""
    width = max(map(len, found.summary))
    lines = [f"{root}", *(f"  {what:<{width}}  {said}" for what, said in found.summary.items())]
    if found.errors:
        lines += ["", number(len(found.errors), "error"), *(f"  {line}" for line in found.errors)]
    if found.hints:
        lines += ["", "hints (nothing stops a training)"]
    for what, of in found.hints.items():
        lines += [f"  {what}", *(f"    {line}" for line in of[:SHOWN])]
        lines += [f"    ... and {len(of) - SHOWN} more"] if len(of) > SHOWN else []
    return "\n".join(lines)


def counted(counter: Counter[str]) -> str:
    """The four most frequent, each with its count."""
    shown = ", ".join(f"{what} ({count})" for what, count in counter.most_common(4))
    return shown + (f" and {len(counter) - 4} more" if len(counter) > 4 else "")


def few(names: Iterable[object]) -> str:
    """The first three, and how many more there are."""
    names = [str(name) for name in names]
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")


def number(count: int, noun: str) -> str:
    """`1 image`, `2 images`."""
    return f"{count} {noun}{'s' if count > 1 else ''}"
