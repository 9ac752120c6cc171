"""Results are never placed over those of other data, whatever was tested before, in whatever order."""

import json
import random
from pathlib import Path

from options.results import place

MINE = {"dataset_mode": "masks", "dataroot": "/mine"}


def write(folder: Path, data: object) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "metrics.json").write_text(json.dumps({"data": data}))


def test_no_sequence_of_tests_replaces_results_of_other_data(tmp_path):
    """Data sets of equal and odd names, each tested several times, some of them the run's own."""
    names = ["lungs", "lungs", "lungs", "a b/ü", "a b?ü", "val_latest", "-"]
    sets = [{"dataroot": f"/{i}/{name}"} for i, name in enumerate(names)]
    for number in range(200):
        rng, folder, homes = random.Random(number), tmp_path / str(number) / "test_latest", {}
        for _ in range(20):
            which = rng.randrange(len(sets))
            home = place(folder, names[which], sets[which], "metrics.json", own=which % 2 == 0)
            assert homes.setdefault(home, which) == which, "each folder holds the results of one data set"
            write(home, sets[which])
        assert len(homes) == len(set(homes.values())), "each data set has one folder"


def test_what_a_killed_test_left_aside_counts_as_results(tmp_path):
    write(tmp_path / "test_latest.old", "theirs")
    assert place(tmp_path / "test_latest", "mine", "mine", "metrics.json").name == "test_latest_mine"
    assert place(tmp_path / "test_latest", "theirs", "theirs", "metrics.json").name == "test_latest"


def test_a_folder_with_damaged_records_is_left_alone(tmp_path):
    for content in ("{", "[1]", "null", '"x"', "[" * 10**5, '{"settings": []}', '{"settings": {"data": [1]}}'):
        write(tmp_path / "test_latest", "x")
        (tmp_path / "test_latest" / "metrics.json").write_text(content)
        assert place(tmp_path / "test_latest", "mine", MINE, "metrics.json").name == "test_latest_mine"
