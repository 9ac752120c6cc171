"""The folder that `python -m data.prepare` fills: whose it is, its lists, and what is told about it."""

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path

from data.prepare.convert import Pixels, Written
from data.prepare.source import Found, Source
from util.checkpoint import write_json, write_text
from util.errors import UserError

STATE = ".prepare.json"
"""Written first: what the pictures in the folder were made with."""

SHOWN = 5


def claim(dst: Path, name: str, pixels: Pixels, src: Path) -> None:
    """Make DST ours: new, empty, or begun earlier by the same command. UserError: it is something else."""
    if dst.resolve().is_relative_to(src.resolve()) or src.resolve().is_relative_to(dst.resolve()):
        raise UserError(f"{dst}: SRC and DST lie in one another; name a DST beside {src}")
    if dst.exists() and not dst.is_dir():
        raise UserError(f"{dst}: a file, not a folder")
    state, wanted = dst / STATE, {"set": name} | asdict(pixels)
    if state.is_file():
        try:
            held = json.loads(state.read_text(encoding="utf-8"))
        except ValueError:
            raise UserError(f"{state}: damaged; delete {dst} and begin again") from None
        if held != wanted:
            raise UserError(f"{dst}: holds {_told(held)}; this run wants {_told(wanted)}: "
                            "name another folder, or delete this one")
    elif dst.is_dir() and any(dst.iterdir()):
        raise UserError(f"{dst}: not empty, and not begun by data.prepare; name a new folder")
    else:
        write_json(state, wanted)


def _told(state: dict[str, object]) -> str:
    flags = [f"--{key}" if value is True else f"--{key} {value}"
             for key, value in sorted(state.items()) if key != "set" and value]
    return f"{state.get('set')} {' '.join(flags) or 'without --size, --keep_bits and --clahe'}"


def write_list(dst: Path, written: Sequence[Written], source: str, splits: Mapping[str, str],
               folds: Mapping[str, str] | None) -> None:
    """splits.csv, as --dataset_mode masks reads it."""
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(("image", "mask", "source", "split", "patient", "label", "spacing", *(("fold",) if folds else ())))
    for one in sorted(written, key=lambda w: w.item.id):
        item = one.item
        fold = (folds.get(item.id, ""),) if folds else ()
        table.writerow((f"images/{item.id}.png", f"masks/{item.id}.png", item.source or source, splits[item.id],
                        item.patient, item.label, spacing_text(one.spacing), *fold))
    write_if_new(dst / "splits.csv", text.getvalue())


def spacing_text(spacing: tuple[float, float] | None) -> str:
    """Millimetres per pixel, rows then columns, as splits.csv has them; "" if unknown."""
    return "" if spacing is None else " ".join(f"{mm:g}" for mm in spacing)


def write_if_new(path: Path, text: str) -> None:
    """Write a text file unless it already holds just that: running again touches nothing."""
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def describe(source: Source, written: Sequence[Written], splits: Mapping[str, str], found: Found,
             settings: dict[str, object], how: str) -> dict[str, object]:
    """What dataset.json says."""
    labels: dict[str, Counter[str]] = {}
    for one in written:
        labels.setdefault(splits[one.item.id], Counter())[one.item.label] += 1
    return {
        "name": source.name, "about": source.about, "homepage": source.homepage, "licence": source.licence,
        "citation": source.citation, "settings": settings, "split": how,
        "images": len(written), "patients": len({w.item.patient for w in written}),
        "splits": {split: counts.total() for split, counts in labels.items()},
        "labels": {split: dict(counts) for split, counts in labels.items()},
        "sizes": dict(Counter(f"{w.size[1]} x {w.size[0]}" for w in written)),
        "spacing_mm": dict(Counter(spacing_text(w.spacing) or "unknown" for w in written)),
        "left_out": {why: names for why, names in found.left_out.items() if names},
        "odd": {what: names for what, names in found.odd.items() if names},
    }  # fmt: skip


def report(dst: Path, facts: dict) -> str:
    """What the user reads at the end: how many images are where, what is missing or odd with the first few names."""
    splits = ", ".join(f"{split} {facts['splits'][split]}" for split in ("train", "val", "test")
                       if split in facts["splits"])
    sizes = list(facts["sizes"])
    lines = [f"{dst}: {facts['images']} images of {facts['patients']} patients: {splits} ({facts['split']}); "
             f"{', '.join(sizes[:3])}{f' and {len(sizes) - 3} more' if len(sizes) > 3 else ''}"]
    for word, what in (("left out", "left_out"), ("odd", "odd")):
        for why, names in sorted(facts[what].items()):
            more = f" and {len(names) - SHOWN} more in dataset.json" if len(names) > SHOWN else ""
            lines.append(f"{word}: {len(names)} ({why}): {'; '.join(names[:SHOWN])}{more}")
    lines += [f"licence: {facts['licence']}", f"please cite: {facts['citation']}"]
    return "\n".join(lines)
