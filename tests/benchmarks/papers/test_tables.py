"""The papers' tables: published rows, measured rows, and marks where scores contradict each other."""

import json
import re
from types import MappingProxyType

import pytest

from benchmarks.papers.page import write_markdown, write_papers_page
from benchmarks.papers.recipes import read_recipes
from benchmarks.papers.rows import PUBLISHED, Paper, Row, collect, measurements, owner
from util.files import write_json

RECIPES = read_recipes()


def paper(tmp_path, number, recorded=MappingProxyType({})):
    papers = collect(RECIPES, tmp_path / "checkpoints", tmp_path / "results", recorded)
    return next(p for p in papers if p.number == number)


def test_every_published_row_has_a_recipe():
    papers = json.loads(PUBLISHED.read_text(encoding="utf-8"))
    assert {row["recipe"] for p in papers.values() for row in p["rows"]} <= RECIPES.keys()


@pytest.mark.parametrize(
    ("number", "impossible"),
    [
        ("000", {("000_unet: U-Net", "Table 1, val")}),
        ("001", set()),
        ("002", {("002_pix2pix_decay30: pix2pix 30 epochs, lr decay for all 30", "Table 1, test")}),
        ("003", set()),
        ("004", set()),  # possible as a mean over images that score 0 or 1, as the page says
    ],
)
def test_published_rows_whose_scores_contradict_each_other_are_marked(tmp_path, number, impossible):
    assert {(row.title, row.how) for row in paper(tmp_path, number).rows if row.marks} == impossible


def test_a_run_belongs_to_the_longest_recipe_name_that_it_begins_with():
    assert owner("002_reverse_small", RECIPES) == "002_reverse"
    assert owner("002_reverse_scratch_small", RECIPES) == "002_reverse_scratch"
    assert owner("002_reversed", RECIPES) is None


@pytest.fixture
def a_run(tmp_path):
    """A run of 002_pix2pix_decay20, cut down, and its scores on val: Dice and IoU that contradict each other."""
    run = tmp_path / "checkpoints" / "002_pix2pix_decay20_small"
    run.mkdir(parents=True)
    write_json(run / "options.json", {"n_epochs": 1, "n_epochs_decay": 1, "ngf": 8, "crop_size": 256, "lr": 0.0002})
    (run / "metrics.csv").write_text("epoch,iters\n1,40\n2,80\n")
    tested = tmp_path / "results" / run.name / "val_latest"
    tested.mkdir(parents=True)
    write_json(
        tested / "metrics.json",
        {
            "images": 70,
            "macro": {"dice": 0.9, "iou": 0.95},
            "interval": {"macro": {"dice": [0.88, 0.92], "iou": None}},
            "contradictions": ["dice 0.9 cannot be"],
            "settings": {"norm_stats": "image", "threshold": 0.5},
        },
    )
    return tmp_path


def test_a_measured_row_shows_its_scale_and_its_contradictions(a_run):
    rows = paper(a_run, "002").rows
    ours = [row for row in rows if row.kind == "measured"]
    (row,) = ours
    before = rows[rows.index(row) - 1]
    assert (before.kind, before.scores["dice"]) == ("published", "0.83")
    assert row.title == "002_pix2pix_decay20_small"
    assert row.scale == "2 of 30 epochs, 40 images an epoch, 256 px; ngf 8 (16)"
    assert row.how == "val, latest: 70 images, norm_stats image"
    assert row.scores == {"dice": 0.9, "iou": 0.95}
    assert row.intervals == {"dice": [0.88, 0.92]}
    assert row.marks == ["dice 0.9 cannot be"]


def test_a_row_outlives_its_run_until_a_run_of_the_same_name_replaces_it(a_run, tmp_path_factory):
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    recorded = json.loads(json.dumps(measurements([paper(a_run, "002")], RECIPES)))
    assert list(recorded) == ["002_pix2pix_decay20"]
    (row,) = (row for row in paper(elsewhere, "002", recorded).rows if row.kind == "measured")
    assert row.scores == {"dice": 0.9, "iou": 0.95}
    assert row.page is None
    recorded["002_pix2pix_decay20"][0]["scores"]["dice"] = 0.1
    recorded["002_pix2pix_decay20"].append(recorded["002_pix2pix_decay20"][0] | {"title": "002_pix2pix_decay20"})
    rows = [row for row in paper(a_run, "002", recorded).rows if row.kind == "measured"]
    assert [(row.title, row.scores["dice"]) for row in rows] == [
        ("002_pix2pix_decay20", 0.1),
        ("002_pix2pix_decay20_small", 0.9),
    ]


def test_the_pages_list_recipes_that_were_not_run(a_run):
    papers = collect(RECIPES, a_run / "checkpoints", a_run / "results", {})
    write_markdown(papers, a_run / "papers.md")
    write_papers_page(papers, a_run / "results" / "papers")
    text = (a_run / "papers.md").read_text()
    assert "0.9000 (0.8800 to 0.9200)" in text
    assert "**!** dice 0.9 cannot be." in text
    assert "| 002_cyclegan_120 | *not run* |" in text
    html = (a_run / "results" / "papers" / "index.html").read_text()
    assert 'href="../002_pix2pix_decay20_small/val_latest/index.html"' in html


def test_a_recipe_is_named_once_beside_its_rows(tmp_path):
    rows = [Row("000_unet: U-Net", "published"), Row("000_unet", "measured", "val"), Row("000_unet_small", "measured")]
    write_papers_page([Paper("000", "Kim", "", rows), Paper("001", "Other", "", [])], tmp_path)
    html = (tmp_path / "index.html").read_text()
    assert re.findall('<th rowspan="(.)" scope="rowgroup">(.*?)</th>', html) == [
        ("2", "000_unet"),
        ("1", "000_unet_small"),
    ]
    assert 'href="#paper001"' in html
    assert 'id="paper001"' in html
