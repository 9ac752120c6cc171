"""Splits and folds: drawn by patient and label, or as published."""

from collections import Counter
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from data.prepare.assign import SPLITS, deal, from_file, published, torn
from data.prepare.source import Item
from util.errors import UserError


def item(name: str, patient: str = "", label: str = "") -> Item:
    return Item(name, Path(f"{name}.png"), (), patient or name, label)


def people(count: int, label: str = "", prefix: str = "p") -> list[Item]:
    return [item(f"{prefix}{i}", label=label) for i in range(count)]


def test_the_draw_gives_70_10_20_percent_of_each_label():
    items = people(100, "ill", "a") + people(10, "well", "b")
    places = deal(items, SPLITS, 0, {})
    assert Counter(places[i.id] for i in items[:100]) == {"train": 70, "val": 10, "test": 20}
    assert Counter(places[i.id] for i in items[100:]) == {"train": 7, "val": 1, "test": 2}


def test_the_draw_depends_on_names_and_seed_alone():
    items = people(40)
    assert deal(items, SPLITS, 0, {}) == deal(items[::-1], SPLITS, 0, {}) != deal(items, SPLITS, 1, {})
    # Fixed values: a new version of the program must not move a patient from test to train.
    places = deal(items, SPLITS, 0, {})
    assert [name for name, split in places.items() if split == "val"] == ["p25", "p34", "p20", "p19"]


IMAGES = st.lists(st.tuples(st.integers(0, 12), st.sampled_from("xyz")), max_size=60)


@given(IMAGES, IMAGES, st.integers(0, 9))
def test_a_patient_is_never_in_two_splits_and_earlier_places_stay(first, more, seed):
    items = [item(f"i{n}", f"p{patient}", label) for n, (patient, label) in enumerate(first + more)]
    before = deal(items[: len(first)], SPLITS, seed, {})
    after = deal(items, SPLITS, seed, before)
    assert before.items() <= after.items()
    assert after.keys() == {i.id for i in items}
    patients = {(i.patient, after[i.id]) for i in items}
    assert len(patients) == len({i.patient for i in items})


@given(st.integers(0, 200), st.integers(2, 7), st.integers(0, 9))
def test_folds_are_disjoint_and_of_one_size(count, folds, seed):
    places = deal(people(count), {str(k): 1 / folds for k in range(folds)}, seed, {})
    sizes = Counter(places.values())
    assert sizes.total() == count
    assert max(sizes.values(), default=0) - min(sizes[str(k)] for k in range(folds)) <= 1


def test_the_published_split_has_the_published_counts():
    montgomery = published([item(f"MCUCXR_{n:04d}_0") for n in range(1, 400)])
    jsrt = published([item(f"JPCLN{n:03d}") for n in range(1, 155)] + [item(f"JPCNN{n:03d}") for n in range(1, 94)])
    shenzhen = published([item(f"CHNCXR_{n:04d}_1") for n in range(1, 663)])
    assert Counter(jsrt.values()) == {"train": 172, "val": 25, "test": 50}
    assert {"val": 14, "test": 28}.items() <= Counter(montgomery.values()).items()
    assert {"val": 56, "test": 114}.items() <= Counter(shenzhen.values()).items()


def test_names_of_other_sets_have_no_published_split():
    assert published([item("MCUCXR_0001_0"), item("1.2.840.3")]) is None


def test_real_lungs_are_split_as_published(real_data):
    lines = (real_data / "lungs" / "splits.csv").read_text().splitlines()[1:]
    listed = {Path(line.split(",")[0]).stem: line.split(",")[3] for line in lines}
    assert published([item(name) for name in listed]) == listed


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,train\n", r"does not list b, c, d; give each image a split"),
        ("a,train\nb,train\nc,train\nd,training\n", "d is in split 'training'; want train, val, test"),
        ("a.png,train\nx/a.png,val\nb,val\nc,val\nd,val\n", "a is listed as train and as val"),
    ],
)
def test_a_bad_split_file_is_refused(tmp_path, text, message):
    path = tmp_path / "mine.csv"
    path.write_text("image,split\n" + text)
    with pytest.raises(UserError, match=f"--split_file .*mine.csv: {message}"):
        from_file([item(name) for name in "abcd"], path)


def test_patients_in_two_splits_are_listed():
    items = [item(f"i{n}", patient) for n, patient in enumerate("aabb")]
    assert torn(items, {"i0": "train", "i1": "test", "i2": "val", "i3": "val"}) == ["a"]
