"""Several runs on the same images: their scores, where they disagree, and a page that can be sorted."""

import csv
import json

import numpy as np
import pytest
from PIL import Image

from tests.util.browser import Tab
from tests.util.show.test_pages import Links
from util.score.mask_rule import MaskRule
from util.show.comparison.page import write_comparison_page
from util.show.comparison.runs import Comparison

TRUTH = np.zeros((8, 8), np.uint8)
TRUTH[:4] = 1  # 32 pixels
RUNS = ("good", "side/poor", "poor again")


def rows(*shown: range) -> np.ndarray:
    """A network's output [1, 8, 8] in which these rows are white."""
    output = -np.ones((1, 8, 8))
    for some in shown:
        output[:, list(some)] = 1
    return output


# Three images. `good` is right on all. The others miss half of b (Dice 2/3), and one of them misses all of c.
OUTPUTS = {
    "good": [rows(range(4))] * 3,
    "side/poor": [rows(range(4)), rows(range(2)), rows()],
    "poor again": [rows(range(4)), rows(range(2)), rows(range(4))],
}


def compare(folder, pictures, echo, truth=TRUTH, ids=("a", "b", "c"), outputs=OUTPUTS, **settings):
    comparison = Comparison(folder)
    for number, (run, given) in enumerate(outputs.items()):
        data = pictures(given, [truth] * len(given), ids=list(ids))
        comparison.add(run, echo, data.loader(), MaskRule(), {"netG": f"net{number}", "phase": "val"} | settings)
    return comparison


def test_scores_and_disagreement_are_those_worked_out_by_hand(pictures, echo, tmp_path):
    comparison = compare(tmp_path, pictures, echo)
    assert comparison.dice("side/poor").tolist() == pytest.approx([1, 2 / 3, 0])
    # b: good differs by 1/3 from each of the others, which agree. c: one of three is empty, so two pairs differ by 1.
    assert comparison.disagreement.tolist() == pytest.approx([0, (1 / 3 + 1 / 3 + 0) / 3, 2 / 3])
    difference = comparison.difference("side/poor")
    assert difference["mean"] == pytest.approx(-(0 + 1 / 3 + 1) / 3)
    assert (difference["better"], difference["worse"]) == (0, 2)
    assert comparison.difference("good") is None
    assert comparison.common == {"phase": "val"}
    assert comparison.own("good") == {"netG": "net0"}


def test_the_csv_the_json_and_the_masks_hold_every_run(pictures, echo, tmp_path):
    comparison = compare(tmp_path, pictures, echo)
    comparison.write_csv(tmp_path / "compare.csv")
    with (tmp_path / "compare.csv").open(newline="") as file:
        lines = list(csv.DictReader(file))
    assert [line["id"] for line in lines] == ["a", "b", "c"]
    assert float(lines[1]["dice poor again"]) == pytest.approx(2 / 3, abs=1e-5)
    assert float(lines[1]["iou good"]) == 1
    assert float(lines[2]["disagreement"]) == pytest.approx(2 / 3, abs=1e-5)
    written = json.loads(json.dumps(comparison.as_json()))
    assert written["runs"]["side/poor"]["scores"]["macro"]["dice"] == pytest.approx(5 / 9)
    assert written["runs"]["good"]["difference"] is None
    assert written["images"] == 3
    pair = ["good", "poor again", pytest.approx((1 + 2 / 3 + 1) / 3)]
    assert written["mean Dice of two runs with each other"][1] == pair
    mask = np.asarray(Image.open(tmp_path / "masks" / "side" / "poor" / "b.png"))
    assert mask.shape == (8, 8)
    assert mask[:2].all()
    assert not mask[2:].any()


def test_runs_without_ground_truth_can_still_disagree(pictures, echo, tmp_path):
    comparison = compare(tmp_path, pictures, echo, truth=None)
    assert comparison.disagreement[2] == pytest.approx(2 / 3)
    assert comparison.difference("side/poor") is None
    comparison.write_csv(tmp_path / "compare.csv")
    (tmp_path / "compare.json").write_text(json.dumps(comparison.as_json()))
    write_comparison_page(tmp_path, comparison)
    page = Links(tmp_path / "index.html")
    assert page.broken() == []
    assert "mean Dice" not in page.text
    assert "disagreement 0.667" in page.text


def test_a_page_shows_at_most_a_thousand_images(pictures, echo, tmp_path, monkeypatch):
    monkeypatch.setattr("util.show.comparison.page.MOST_IMAGES", 2)
    write_comparison_page(tmp_path, compare(tmp_path, pictures, echo))
    text = Links(tmp_path / "index.html").text
    assert "The 2 images with the largest disagreement, of 3" in text
    assert text.count("disagreement 0.") == 2


def test_large_images_get_small_pictures_and_whole_masks(pictures, echo, tmp_path):
    truth = np.ones((1500, 600), np.uint8)
    compare(tmp_path, pictures, echo, truth, ["a"], {"one": [rows(range(8))], "two": [rows(range(4))]})
    for name in ("images/a.jpg", "truths/a.jpg", "overlays/one/a.jpg"):
        assert max(Image.open(tmp_path / name).size) == 1024
    assert Image.open(tmp_path / "masks/two/a.png").size == (600, 1500)


def test_every_link_of_the_page_works_and_names_cannot_break_it(pictures, echo, tmp_path):
    comparison = compare(tmp_path, pictures, echo, ids=['<b>"q"</b>', "50%25 a#b", "Lunge-Größe"])
    for name in ("compare.csv", "compare.json"):
        (tmp_path / name).touch()
    write_comparison_page(tmp_path, comparison)
    page = Links(tmp_path / "index.html")
    assert page.broken() == []
    assert page.outside() == []
    assert "b" not in {tag for tag, _ in page.tags}
    assert all(text in page.text for text in ("Dice minus good's", "phase: val", "netG: net1", "0 / 2"))


@pytest.mark.browser
def test_a_reader_orders_the_images_by_the_dice_of_one_run(pictures, echo, tmp_path):
    write_comparison_page(tmp_path, compare(tmp_path, pictures, echo))
    with Tab(tmp_path) as tab:
        tab.open(tmp_path / "index.html")
        order = {"": "cba", "run1 1": "cba", "run1 -1": "abc", "run2 1": "bca", "apart 1": "abc", "name": "abc"}
        for wanted, seen in order.items():  # Dice of run1 on a, b, c: 1, 2/3, 0; of run2 1, 2/3, 1
            assert tab.set("order", wanted) == list(seen), wanted
