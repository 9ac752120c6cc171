"""An audit from results of test.py to a page and a table: `python -m data.audit`."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from data.audit.cases import Case, Measured, find_cases, ids_in, measure, read_thumbnail
from data.audit.copies import Thumbnail, copies, torn_patients
from data.audit.disagreement import Disagreement
from data.audit.kinds import SWAPPED, kind_of, swapped, usual_lack
from data.audit.page import OURS, write_audit_page
from data.audit.table import Entry, write_table
from data.audit.verdicts import NAME, read_verdicts
from data.masks import find_rows
from data.prepare.contents import in_threads
from data.read.folders import existing_folder
from data.read.matching import match_listed
from data.read.splits import Row
from util.errors import UserError
from util.files import read_json, replacing_folder
from util.show.pages import add_link


def audit(results: Sequence[Path], dataroot: Path | None = None) -> list[Entry]:
    """Audit the masks of a data set by folders of results; write the page and the table, and say where they are.

    dataroot: the data set, or None for the one that the results have recorded. Returns an entry for each image that was
    compared or noted, in the order of the page. UserError: the results are not of this data set, or not of masks.
    """
    for folder in results:
        ids_in(folder)  # or a folder of something else would be said to lack a data set
    recorded = _recorded(results[0])
    root = existing_folder(str(dataroot or recorded.get("dataroot") or ""))
    read_verdicts(root)  # what stops the table is found before minutes of work
    if not os.access(root, os.W_OK):
        raise UserError(f"{root}: {NAME} cannot be written there; make the folder writable, or audit a copy of it")
    rows = find_rows(root, recorded.get("patient_regex") or "", recorded.get("split_seed") or 0)
    cases = find_cases(results, {name: row.image for name, row in rows.items()}, _masks_of(list(rows.values()), root))
    entries = {name: Entry(name, row) for name, row in rows.items()}
    measured = list(in_threads(measure, cases, "comparing masks"))
    _compare(cases, measured, entries)
    _find_repeated(entries, {case.id: each.thumbnail for case, each in zip(cases, measured, strict=True)})
    ranked = sorted((e for e in entries.values() if e.found or e.repeated), key=lambda entry: entry.rank, reverse=True)
    table = write_table(root, ranked)
    folder = results[0] / "audit"
    with replacing_folder(folder, OURS, OURS[0]) as new:
        write_audit_page(new, f"Masks of {root.resolve().name}", ranked, {case.id: case for case in cases}, table)
    add_link(results[0] / "index.html", "audit of the masks", folder / "index.html")
    _say(ranked, folder, table, all(each.sure for each in measured))
    return ranked


def _recorded(results: Path) -> dict[str, Any]:
    """Which data set the results are of (`options.results.data_of`); {} if they do not say it."""
    path = results / "metrics.json"
    try:
        recorded = read_json(path).get("data", {}) if path.is_file() else {}
        mode = recorded.get("dataset_mode", "masks")
    except (ValueError, AttributeError) as error:
        raise UserError(f"{path}: damaged ({error}); run test.py again") from None
    if mode != "masks":
        raise UserError(f"{results}: results of --dataset_mode {mode}; an audit needs those of masks")
    return recorded


def _masks_of(rows: list[Row], root: Path) -> Mapping[Path, tuple[Path, ...]]:
    listed = {row.image: row.masks for row in rows if row.masks}
    return listed | {image: tuple(masks) for image, masks in match_listed(rows, root).masks_of.items()}


def _compare(cases: Sequence[Case], measured: Sequence[Measured], entries: Mapping[str, Entry]) -> None:
    """Fill in what the comparison of each case has found."""
    masks, predicted = (np.stack([getattr(each, name) for each in measured]) for name in ("mask", "predicted"))
    usual = usual_lack(masks, predicted)
    exchanged = swapped([each.offset for each in measured])
    for place, (case, each) in enumerate(zip(cases, measured, strict=True)):
        entry, found = entries[case.id], each.disagreement
        entry.kind, other = kind_of(place, masks, predicted, found, usual)
        if exchanged[place]:  # every pixel has the other side's name, though the network sees one mask only
            entry.kind, found = SWAPPED, Disagreement(1.0, 1.0, abs(each.offset or 0.0), found.dice, found.between)
        if other is not None:
            entry.fits = cases[other].id
        entry.found = found


def _find_repeated(by_id: Mapping[str, Entry], known: Mapping[str, Thumbnail]) -> None:
    """Note pictures that are in the data set twice, and patients in two splits or folds. known: thumbnails by id."""
    entries, unread = list(by_id.values()), [name for name in by_id if name not in known]
    paths = [by_id[name].row.image for name in unread]
    thumbnails = dict(known) | dict(zip(unread, in_threads(read_thumbnail, paths, "comparing images"), strict=True))
    for copy in copies([thumbnails[name] for name in by_id]):
        pair = entries[copy.first], entries[copy.second]
        how = "the same picture as" if copy.alike == 1 else "nearly the same picture as"
        for one, other in (pair, pair[::-1]):
            place = f", which is in {other.row.split}" if other.row.split != one.row.split else ""
            one.repeated.append(f"{how} {other.id} (correlation {copy.alike:.3f}){place}")
    torn = torn_patients([entry.row for entry in entries])
    for entry in entries:
        if places := torn.get(entry.row.patient):
            entry.repeated.append(f"patient {entry.row.patient} is in {places}")


def _say(ranked: Sequence[Entry], folder: Path, table: Path, sure: bool) -> None:
    compared = [entry for entry in ranked if entry.found]
    kinds = Counter(entry.kind for entry in compared if entry.kind)
    print(
        f"{len(compared)} masks compared: {', '.join(f'{kind} {n}' for kind, n in kinds.most_common()) or 'all agree'}"
    )
    if not sure:
        print("the results hold no confidences of the network, so all pixels count alike")
    if noted := sum(bool(entry.repeated) for entry in ranked):
        print(f"{noted} images are in the data set twice, or of patients in two splits")
    if verdicts := Counter(entry.verdict for entry in ranked if entry.verdict):
        print(f"verdicts so far: {', '.join(f'{n} {verdict}' for verdict, n in verdicts.items())}")
    print(f"page: {folder / 'index.html'}")
    print(f"table: {table}; write keep, drop or redraw into its column verdict")
