"""splits.csv and dataset.json of a prepared folder, which may hold several sets, and the report at the end."""

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from data.masks import find_rows
from data.prepare.assign import SPLITS, deal
from data.prepare.convert import Written
from data.prepare.findings import few
from data.prepare.folder import damaged, read_json
from data.prepare.source import Inventory, Item, Source
from data.read.splits import Row, lines_as_text, phase_folders, read_lines, read_splits
from util.errors import UserError
from util.files import write_text

COLUMNS = ["image", "mask", "source", "split", "patient", "label", "spacing"]
SHOWN = 5
FEW = 20
"""A set of more images has some in each split, or something is wrong."""


def earlier(dst: Path, name: str, settings: Mapping[str, object]) -> tuple[dict[str, str], dict[str, str]]:
    """Splits and folds of each id from an earlier run on this set with the same settings. They are kept, so that new
    images in SRC do not move a patient from test to train."""
    before = _sets(dst).get(name)
    if before is None or not (dst / "splits.csv").is_file():
        return {}, {}
    rows = read_splits(dst / "splits.csv")

    def same(*keys: str) -> bool:
        return all(before["settings"].get(key) == settings[key] for key in keys)

    return (
        {row.image.stem: row.split for row in rows} if same("split_file", "split_seed") else {},
        {row.image.stem: row.fold for row in rows} if same("split_file", "split_seed", "folds") else {},
    )


def earlier_count(dst: Path, name: str) -> int | None:
    """The number of folds of an earlier run on this set."""
    return _sets(dst).get(name, {"settings": {}})["settings"].get("folds")


def write_lists(
    dst: Path,
    source: Source,
    written: Sequence[Written],
    splits: Mapping[str, str],
    folds: Mapping[str, str],
    facts: dict[str, Any],
) -> None:
    """Put this set's rows into splits.csv, in the form that --dataset_mode masks reads, and its facts into
    dataset.json. Other sets in the folder keep their rows and facts."""
    sets = _sets(dst)
    # An earlier run may have written other sources for this set.
    counts = [facts["counts"], sets.get(source.name, {}).get("counts", {})]
    ours = {name for by_split in counts for by_source in by_split.values() for name in by_source}
    before = _rows(dst / "splits.csv")
    rows = [row for row in before if row.get("source") not in ours]
    # Columns of the user's keep their values, and so do folds that another command has drawn.
    of_image = {row["image"]: row for row in before}
    for one in written:
        row = _row(one, source, splits[one.item.id]) | ({"fold": folds.get(one.item.id, "")} if folds else {})
        rows.append(of_image.get(row["image"], {}) | row)
    text = io.StringIO()
    others = dict.fromkeys(name for row in before for name in row if name not in (*COLUMNS, "fold"))
    columns = [*COLUMNS, *["fold"] * any(row.get("fold") for row in rows), *others]
    table = csv.DictWriter(text, columns, extrasaction="ignore", restval="", lineterminator="\n")
    table.writeheader()
    table.writerows(sorted(rows, key=lambda row: row["image"]))
    _write_if_new(dst / "splits.csv", text.getvalue())

    sets = dict(sorted((sets | {source.name: facts}).items()))
    whole = {
        "target": source.target,
        "images": len(rows),
        "splits": dict(sorted(Counter(row["split"] for row in rows).items())),
        "sets": sets,
    }
    _write_if_new(dst / "dataset.json", json.dumps(whole, indent=2, ensure_ascii=False) + "\n")


def write_folds(root: Path, patient_regex: str, count: int) -> str:
    """Divide the images of one's own folder into folds, by patient, source and label, and write them into splits.csv.

    Without a splits.csv, every image gets a fold, and its split is the one that it would have without the file. A
    splits.csv keeps its lines. Images that are `test` there, or by their folder, and in no fold stay aside. Returns a
    line that says what was written. Folds from before are kept. UserError: not enough patients, or folds of another
    number.
    """
    path = root / "splits.csv"
    listed, rows = path.is_file(), list(find_rows(root, patient_regex).values())
    inside = in_folds(root, rows)
    patients = len({row.patient for row in inside})
    if not 2 <= count <= patients:
        raise UserError(f"--folds {count}: want at least 2, and at most one for each of the {patients} patients")
    items = [Item(str(row.image), row.image, (), row.patient, f"{row.source}/{row.label}", "") for row in inside]
    before, wanted = {str(row.image): row.fold for row in inside if row.fold}, [str(k) for k in range(count)]
    if before and {*before.values()} != {*wanted}:
        raise UserError(
            f"--folds {count}: {path} lists fold {', '.join(sorted({*before.values()}))} already, and want "
            f"{', '.join(wanted)}; delete its column fold, or work in a copy of the folder"
        )
    folds = deal(items, dict.fromkeys(wanted, 1 / count), 0, before)
    lines = [line for line in read_lines(path) if line["image"].strip()] if listed else []
    lines = lines or [{"image": row.image.relative_to(root).as_posix(), "split": row.split} for row in rows]
    for line, row in zip(lines, rows, strict=True):
        if patient_regex or not line.get("patient"):
            line["patient"] = row.patient
        line["fold"] = folds.get(str(row.image), "")
    _write_if_new(path, lines_as_text(lines, dict.fromkeys(name for line in lines for name in line), path))
    sizes = " to ".join(map(str, sorted({min(counts := Counter(folds.values()).values()), max(counts)})))
    aside = f"; {len(rows) - len(inside)} images of split test stay aside" if len(rows) > len(inside) else ""
    return f"{path}: {count} folds of {sizes} images, by patient ({patients}){aside}"


def in_folds(root: Path, rows: Sequence[Row]) -> list[Row]:
    """The images of one's own folder that `write_folds` divides."""
    chosen = (root / "splits.csv").is_file() or bool(phase_folders(root / "images"))  # and not drawn
    return [row for row in rows if not chosen or row.fold or row.split != "test"]


def _row(written: Written, source: Source, split: str) -> dict[str, str]:
    item = written.item
    return {
        "image": f"images/{item.id}.png",
        "mask": f"masks/{item.id}.png",
        "source": item.source or source.name,
        "split": split,
        "patient": item.patient,
        "label": item.label,
        "spacing": spacing_text(written.spacing),
    }


def _sets(dst: Path) -> dict[str, dict]:
    """The facts about the sets in a folder, by their names. UserError: its dataset.json is damaged."""
    path = dst / "dataset.json"
    if not path.is_file():
        return {}
    sets = read_json(path).get("sets")
    if not isinstance(sets, dict) or not all(map(_is_set, sets.values())):
        raise damaged(path)
    return sets


def _is_set(facts: object) -> bool:
    if not (isinstance(facts, dict) and isinstance(facts.get("settings"), dict)):
        return False
    counts = facts.get("counts")
    return isinstance(counts, dict) and all(isinstance(by_source, dict) for by_source in counts.values())


def _rows(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    read_splits(path)  # raises a UserError if the file is damaged
    return read_lines(path)


def _write_if_new(path: Path, text: str) -> None:
    # A second run leaves files untouched, their times included.
    if not path.is_file() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)


def spacing_text(spacing: tuple[float, float] | None) -> str:
    """Millimetres per pixel, rows then columns, as written to splits.csv; "" if unknown."""
    return "" if spacing is None else " ".join(f"{mm:g}" for mm in spacing)


def describe(
    source: Source,
    written: Sequence[Written],
    splits: Mapping[str, str],
    inventory: Inventory,
    settings: dict[str, Any],
    how: str,
) -> dict[str, Any]:
    """The facts about a set for dataset.json. counts: images by split, source and label. how: where splits come
    from."""
    counts: dict[str, dict[str, Counter[str]]] = {}
    for item in sorted((one.item for one in written), key=lambda item: splits[item.id]):
        place = counts.setdefault(splits[item.id], {})
        place.setdefault(item.source or source.name, Counter())[item.label] += 1
    return {
        "about": source.about,
        "homepage": source.homepage,
        "licence": source.licence,
        "citation": source.citation,
        "settings": settings,
        "split": how,
        "images": len(written),
        "patients": len({w.item.patient for w in written}),
        "splits": dict(Counter(sorted(splits[one.item.id] for one in written))),
        "counts": counts,
        "sizes": dict(Counter(f"{w.size[1]} x {w.size[0]}" for w in written)),
        "spacing_mm": dict(Counter(spacing_text(w.spacing) or "unknown" for w in written)),
        "left_out": {why: names for why, names in inventory.left_out.items() if names},
        "odd": {what: names for what, names in inventory.odd.items() if names},
    }


def report(dst: Path, name: str, facts: dict[str, Any]) -> str:
    """The text printed at the end: how many images are in which split, and which files are left out or odd."""
    splits = ", ".join(
        f"{split} {facts['splits'][split]}" for split in ("train", "val", "test") if split in facts["splits"]
    )
    lines = [
        f"{dst}: {name}, {facts['images']} images of {facts['patients']} patients: {splits} ({facts['split']}); "
        f"{few(facts['sizes'])}"
    ]
    if facts["images"] > FEW and (empty := [split for split in SPLITS if split not in facts["splits"]]):
        lines.append(f"no image is in {' and '.join(empty)}: another --split_seed or a --split_file changes that")
    for word, what in (("left out", "left_out"), ("odd", "odd")):
        for why, names in sorted(facts[what].items()):
            lines += [f"{word}: {len(names)} ({why})", *(f"  {name}" for name in names[:SHOWN])]
            lines += [f"  and {len(names) - SHOWN} more in dataset.json"] if len(names) > SHOWN else []
    lines += [f"licence: {facts['licence']}", f"please cite: {facts['citation']}"]
    return "\n".join(lines)
