"""`python -m data.audit`: from results of test.py to a page, a table of verdicts, and a training that reads them."""

import csv
import io
import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from data.audit import __main__ as script
from data.audit.kinds import ANOTHERS, BORDER, EMPTY, HEART_SIDE, MIRRORED, SHIFTED, SWAPPED, UNSEEN
from data.audit.run import audit
from data.masks import MasksDataset
from tests.helpers import read_table
from util.errors import UserError
from util.show.pages import page, write_page

SIDE, COUNT = 96, 16


def ellipse(row: float, column: float, height: float, width: float) -> np.ndarray:
    rows, columns = np.indices((SIDE, SIDE))
    return ((rows - row) / height) ** 2 + ((columns - column) / width) ** 2 < 1


def lungs(patient: int) -> tuple[np.ndarray, np.ndarray]:
    """The right and the left lung of a patient, in the image left and right. The left one is smaller and lower."""
    draw = np.random.default_rng(patient)
    height, width = draw.uniform(20, 34), draw.uniform(9, 16)
    row, gap = draw.uniform(40, 54), draw.uniform(20, 26)
    return ellipse(row, 48 - gap, height, width), ellipse(row + 6, 48 + gap, height * 0.8, width * 0.7)


def both(patient: int) -> np.ndarray:
    right, left = lungs(patient)
    return right | left


def save(path: Path, picture: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(picture.astype(np.uint8) * (255 if picture.dtype == bool else 1)).save(path)


@pytest.fixture
def root(tmp_path) -> Path:
    """A data set of images of noise, each with the lungs of another patient as its mask."""
    for i in range(COUNT):
        save(tmp_path / "set" / "images" / f"p{i}.png", np.random.default_rng(i).integers(0, 256, (SIDE, SIDE)))
        save(tmp_path / "set" / "masks" / f"p{i}.png", both(i))
    return tmp_path / "set"


@pytest.fixture
def results(root, tmp_path) -> Path:
    """What test.py leaves of a network that finds every lung, but for its outermost pixels."""
    folder = tmp_path / "results"
    for i in range(COUNT):
        predict(folder, i, both(i) & np.roll(both(i), 1, axis=0))
    recorded = {"data": {"dataroot": str(root), "dataset_mode": "masks", "patient_regex": "", "split_seed": 0}}
    (folder / "metrics.json").write_text(json.dumps(recorded))
    return folder


def predict(folder: Path, patient: int, mask: np.ndarray, unsure: np.ndarray | None = None) -> None:
    values = np.where(mask, 250, 5)
    values = values if unsure is None else np.where(unsure, 128, values)
    save(folder / "masks" / f"p{patient}.png", mask)
    save(folder / "images" / f"p{patient}_fake_B.png", np.repeat(values[:, :, None], 3, axis=2))


def spoil(root: Path, patient: int, mask: np.ndarray) -> None:
    save(root / "masks" / f"p{patient}.png", mask)


def heart() -> np.ndarray:
    """Where the heart is, between the lungs of any patient."""
    return ellipse(64, 52, 12, 12)


FAULTS = {
    EMPTY: np.zeros((SIDE, SIDE), bool),
    MIRRORED: both(3)[:, ::-1],
    SHIFTED: np.roll(both(3), (7, -4), axis=(0, 1)),
    ANOTHERS: both(8),
    HEART_SIDE: both(3) | heart(),
    BORDER: both(3) & (np.indices((SIDE, SIDE))[0] < 58),  # without the lungs' lower ends
}


@pytest.mark.parametrize("kind", FAULTS)
def test_a_spoiled_mask_is_the_first_and_its_kind_is_named(root, results, kind):
    spoil(root, 3, FAULTS[kind])
    first = audit([results])[0]
    assert (first.id, first.kind) == ("p3", kind)
    assert first.fits == ("p8" if kind == ANOTHERS else "")


def test_a_network_that_finds_nothing_is_named_so(root, results):
    predict(results, 5, np.zeros((SIDE, SIDE), bool))
    first = audit([results])[0]
    assert (first.id, first.kind) == ("p5", UNSEEN)


def test_an_image_without_lungs_agrees_with_an_empty_mask(root, results):
    spoil(root, 5, FAULTS[EMPTY])
    predict(results, 5, FAULTS[EMPTY])
    last = audit([results])[-1]
    assert (last.id, last.kind, last.rank) == ("p5", "", (False, 0))


def test_exchanged_names_of_the_left_and_the_right_part_are_found_by_the_other_images(root, results):
    for i in range(COUNT):
        (root / "masks" / f"p{i}.png").unlink()
        for side, part in zip(("right", "left") if i != 4 else ("left", "right"), lungs(i), strict=True):
            save(root / "masks" / f"p{i}_{side}.png", part)
    first, second = audit([results])[:2]
    assert (first.id, first.kind, first.rank) == ("p4", SWAPPED, (True, 1))
    assert second.kind != SWAPPED


@pytest.mark.parametrize("cross_validation", [False, True])
def test_pixels_in_which_the_network_is_unsure_count_less(root, results, cross_validation):
    for patient in (3, 4):
        spoil(root, patient, both(patient) | heart())
    predict(results, 4, both(4), unsure=heart())
    if cross_validation:  # train.py --fold all writes grey maps elsewhere
        for path in list((results / "images").iterdir()):
            save(results / "probabilities" / path.name.replace("_fake_B", ""), np.asarray(Image.open(path))[:, :, 0])
            path.unlink()
    assert [entry.id for entry in audit([results])[:1]] == ["p3"]
    table = {line["image"]: line for line in read_table(root / "verdicts.csv")}
    assert float(table["images/p4.png"]["area"]) < 0.2 * float(table["images/p3.png"]["area"])


def test_without_a_map_of_values_all_pixels_count_alike_and_the_audit_says_so(root, results, capsys):
    for path in (results / "images").iterdir():
        path.unlink()
    audit([results])
    assert "the results hold no confidences of the network" in capsys.readouterr().out


def test_a_wide_rim_counts_for_more_than_a_thin_one_and_a_missing_lung_for_more(root, results):
    right, _ = lungs(5)
    spoil(root, 5, right)
    spoil(root, 6, both(6) | np.roll(both(6), 4, axis=0))
    spoil(root, 7, both(7) | np.roll(both(7), 1, axis=0))
    scores = {entry.id: entry.rank[1] for entry in audit([results])}
    assert scores["p5"] > scores["p6"] > scores["p7"]


def test_a_mask_whose_kind_names_a_cause_comes_before_larger_disagreements(root, results):
    right, _ = lungs(5)
    spoil(root, 5, right)
    spoil(root, 6, np.roll(both(6), (2, 2), axis=(0, 1)))
    first, second = audit([results])[:2]
    assert (first.id, first.kind, second.id, second.kind) == ("p6", SHIFTED, "p5", BORDER)
    assert second.rank[1] > first.rank[1]


def test_the_page_shows_the_masks_in_their_order_and_works_offline(root, results, start, capsys):
    spoil(root, 3, FAULTS[MIRRORED])
    assert start(script.main, results) == 0
    page = (results / "audit" / "index.html").read_text()
    assert re.findall("<h3>(p[0-9]+)", page)[0] == "p3"
    assert "rank 1 · mirrored" in page
    assert not re.search("(src|href)=.?http://", page)
    assert (results / "audit" / "pictures" / "p3_outlines.jpg").is_file()
    out = capsys.readouterr().out
    assert f"{COUNT} masks compared: " in out
    assert str(root / "verdicts.csv") in out


def test_the_page_of_the_results_links_to_the_audit(root, results):
    write_page(results / "index.html", page("lungs", links={"scores": "metrics.json"}))
    for _ in range(2):
        audit([results])
        assert (results / "index.html").read_text().count('href="audit/index.html">audit of the masks</a></nav>') == 1
    assert 'href="../index.html">the results</a>' in (results / "audit" / "index.html").read_text()


def test_the_folds_of_a_cross_validation_are_audited_together(root, results, tmp_path):
    other = tmp_path / "other"
    for kind in ("masks", "images"):
        (other / kind).mkdir(parents=True)
        for path in (results / kind).glob("p1*"):
            path.rename(other / kind / path.name)
    assert len([entry for entry in audit([results]) if entry.found]) == COUNT - 7
    assert len([entry for entry in audit([results, other]) if entry.found]) == COUNT


# Copies and patients


def test_equal_and_nearly_equal_pictures_are_noted_and_others_are_not(root, results):
    picture = np.asarray(Image.open(root / "images" / "p1.png").resize((SIDE, SIDE)).reduce(3).resize((SIDE, SIDE)))
    save(root / "images" / "p1.png", picture)
    Image.fromarray(picture).save(root / "images" / "p2.png")
    Image.fromarray(picture).point([int(v * 0.8) + 20 for v in range(256)]).save(root / "images" / "p6.jpg", quality=60)
    (root / "images" / "p6.png").unlink()
    notes = {entry.id: "; ".join(entry.repeated) for entry in audit([results]) if entry.repeated}
    assert notes.keys() == {"p1", "p2", "p6"}
    assert notes["p1"].startswith("the same picture as p2")
    assert "nearly the same picture as p6" in notes["p1"]


def test_a_copy_in_another_split_and_a_patient_in_two_splits_are_noted(root, results):
    lines = [f"images/p{i}.png,{'val' if i > 11 else 'train'},{'dora' if i in (0, 15) else i}" for i in range(COUNT)]
    (root / "splits.csv").write_text("image,split,patient\n" + "\n".join(lines))
    Image.open(root / "images" / "p2.png").save(root / "images" / "p14.png")
    notes = {entry.id: entry.repeated for entry in audit([results]) if entry.repeated}
    assert notes["p0"] == notes["p15"] == ["patient dora is in splits train and val"]
    assert notes["p2"] == ["the same picture as p14 (correlation 1.000), which is in val"]


def test_copies_are_noted_of_images_that_were_not_segmented_too(root, results):
    for path in (results / "masks" / "p9.png", results / "images" / "p9_fake_B.png"):
        path.unlink()
    Image.open(root / "images" / "p2.png").save(root / "images" / "p9.png")
    last = audit([results])[-1]
    assert (last.id, last.found) == ("p9", None)
    assert "the same picture as p2" in last.repeated[0]


# Verdicts


def decide(root: Path, **verdicts: str) -> None:
    """Write verdicts into verdicts.csv as a person does: decide(root, p3="drop")."""
    lines = read_table(root / "verdicts.csv")
    for line in lines:
        line["verdict"] = verdicts.get(Path(line["image"]).stem, line["verdict"])
    rows = [",".join(lines[0])] + [",".join(f'"{value}"' for value in line.values()) for line in lines]
    (root / "verdicts.csv").write_text("\n".join(rows))


def test_images_to_drop_or_redraw_do_not_train_but_are_still_scored(root, results, flags, capsys):
    audit([results])
    everything = MasksDataset(flags(dataroot=root), "all", train=True)
    assert (len(everything), everything.skipped) == (COUNT, [])
    decide(root, p1="drop", p2="Redraw ", p3="keep")
    dataset = MasksDataset(flags(dataroot=root), "all", train=True)
    assert set(everything.ids) - set(dataset.ids) == {"p1", "p2"}
    assert dataset.skipped == [f"{root / 'verdicts.csv'}: images by their verdict: 1 drop, 1 redraw"]
    assert len(MasksDataset(flags(dataroot=root), "all", train=False)) == COUNT
    described = MasksDataset(flags(dataroot=root), "all", train=False, drawn=True)  # what a network was trained on
    assert sorted(described.ids) == sorted(dataset.ids)


def test_an_image_to_redraw_needs_no_mask(root, results, flags):
    audit([results])
    decide(root, p2="redraw")
    (root / "masks" / "p2.png").unlink()
    assert len(MasksDataset(flags(dataroot=root), "all", train=True)) == COUNT - 1


def test_a_second_audit_keeps_verdicts_remarks_and_lines_of_other_images(root, results):
    audit([results])
    decide(root, p1="drop", p9="keep")
    lines = (root / "verdicts.csv").read_text().splitlines()
    (root / "verdicts.csv").write_text("\n".join([lines[0] + ",who", *(line + ",dora" for line in lines[1:])]))
    (results / "masks" / "p9.png").unlink()
    spoil(root, 3, FAULTS[EMPTY])
    entries = {entry.id: entry for entry in audit([results])}
    assert entries["p1"].verdict == "drop"
    assert "p9" not in entries
    table = {line["image"]: line for line in read_table(root / "verdicts.csv")}
    assert {name: line["verdict"] for name, line in table.items() if line["verdict"]} == {
        "images/p1.png": "drop",
        "images/p9.png": "keep",
    }
    assert (table["images/p3.png"]["kind"], table["images/p3.png"]["who"]) == (EMPTY, "dora")
    assert "verdict: drop" in (results / "audit" / "index.html").read_text()


def test_remarks_on_two_lines_about_one_image_are_both_kept(root, results):
    audit([results])
    (root / "verdicts.csv").write_text("image,verdict,note\nimages/p1.png,,first\nimages/p1.png,keep,second\n")
    audit([results])
    notes = [
        (line["verdict"], line["note"]) for line in read_table(root / "verdicts.csv") if line["image"][7:] == "p1.png"
    ]
    assert notes == [("keep", "first; second")]


def test_audits_of_two_parts_in_turn_keep_all_that_a_person_wrote(root, results, tmp_path):
    other = tmp_path / "other"
    for path in [path for kind in ("masks", "images") for path in (results / kind).glob("p1*")]:
        (other / path.parent.name).mkdir(parents=True, exist_ok=True)
        path.rename(other / path.parent.name / path.name)
    first = {f"images/{entry.id}.png" for entry in audit([results])}
    lines = (root / "verdicts.csv").read_text().splitlines()
    written = [lines[0] + ",note", *(line + ",ask Dora; again" for line in lines[1:]), "," * 10 + "a remark"]
    (root / "verdicts.csv").write_text("\n".join(line.replace(",", "\t") for line in written))
    audit([other], root)
    text = (root / "verdicts.csv").read_text()
    assert text.splitlines()[0] == "\t".join(written[0].split(",")), "a spreadsheet's separator stays"
    audit([results])
    table = {line["image"]: line for line in csv.DictReader(io.StringIO(text), delimiter="\t")}
    assert len(table) == COUNT + 1
    assert table[""]["note"] == "a remark"
    assert {name for name, line in table.items() if line["note"] == "ask Dora; again"} == first
    assert {line["findings"] for line in table.values()} == {""}


def test_an_audits_findings_are_in_a_column_of_their_own(root, results):
    spoil(root, 3, FAULTS[ANOTHERS])
    audit([results])
    assert {line["image"]: line["findings"] for line in read_table(root / "verdicts.csv") if line["findings"]} == {
        "images/p3.png": "the mask fits p8 better"
    }


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ("image,verdict\nimages/p1.png,bad\n", r"verdict 'bad' of images/p1.png: want keep, drop, redraw, or nothing"),
        ("image,verdict\nimages/p1.png,drop\nimages/p1.png,keep\n", "images/p1.png has the verdicts drop and keep"),
        ("image,verdict\np1.png,drop\n", r"on p1.png, and there is no such image; did you mean images/p1.png\?"),
        ("image,verdict\nimages/p1,drop\n", r"on images/p1, and there is no such image; did you mean images/p1.png\?"),
        ("image,verdict\nx,keep\n", "on x, and there is no such image; want a path such as images/p0.png"),
        ("image,opinion\nimages/p1.png,drop\n", "no column verdict"),
        ("image,verdict\n" + "".join(f"images/p{i}.png,drop\n" for i in range(COUNT)), "no image is left to train on"),
    ],
)
def test_a_wrong_table_of_verdicts_stops_a_training_in_one_line(root, flags, table, message):
    (root / "verdicts.csv").write_text(table)
    with pytest.raises(UserError, match=message):
        MasksDataset(flags(dataroot=root), "all", train=True)


def test_an_audit_never_overwrites_a_table_that_it_cannot_read(root, results):
    (root / "verdicts.csv").write_text("image,verdict\nimages/p1.png,dorp\n")
    with pytest.raises(UserError, match="verdict 'dorp'"):
        audit([results])
    assert "dorp" in (root / "verdicts.csv").read_text()


def test_a_spreadsheets_separators_are_read(root, flags):
    (root / "verdicts.csv").write_text("image;verdict\nimages\\p1.png;drop\n")
    assert len(MasksDataset(flags(dataroot=root), "all", train=True)) == COUNT - 1


# Wrong inputs


def test_results_of_another_data_set_are_an_error(root, results):
    (results / "masks" / "p3.png").rename(results / "masks" / "x3.png")
    with pytest.raises(UserError, match="the data set has no image x3; are these results of another one"):
        audit([results])
    (results / "masks" / "x3.png").unlink()
    save(results / "masks" / "p4.png", np.zeros((10, 12), bool))
    with pytest.raises(UserError, match=r"12 x 10 pixels, but .*p4.png has 96 x 96 pixels: are these results"):
        audit([results])


def test_an_image_in_two_results_is_an_error(results):
    with pytest.raises(UserError, match="has a mask of p0, too"):
        audit([results, results])


def test_masks_of_many_classes_are_an_error(root, results):
    save(results / "masks" / "p2.png", np.full((SIDE, SIDE, 3), (255, 0, 0)))
    with pytest.raises(UserError, match="not a mask of two classes"):
        audit([results])


def test_results_or_data_without_masks_are_errors(root, results, tmp_path, start):
    with pytest.raises(UserError, match="no such folder"):
        start(script.main, tmp_path / "nowhere")
    with pytest.raises(UserError, match="no masks/ with pictures in it"):
        audit([root / "images"])
    for path in (root / "masks").iterdir():
        path.unlink()
    with pytest.raises(UserError, match="none of these 16 images has a mask"):
        audit([results])


def test_results_that_record_no_data_set_need_one(root, results, start):
    (results / "metrics.json").unlink()
    with pytest.raises(UserError, match="--dataroot is missing"):
        audit([results])
    assert start(script.main, results, "--dataroot", root) == 0


def test_results_of_plain_images_are_an_error(root, results):
    (results / "metrics.json").write_text('{"data": {"dataset_mode": "single", "dataroot": "x"}}')
    with pytest.raises(UserError, match="results of --dataset_mode single; an audit needs those of masks"):
        audit([results])
