"""The same validation images after each epoch, and how the training page shows them."""

import numpy as np
import pytest
import torch
from PIL import Image

from tests.util.browser import Tab
from util.score.image import Scored
from util.show.pictures import PREDICTION, TRUTH
from util.show.training.cases import EPOCHS, Case, CaseFiles, Cases, spread, thinned
from util.show.training_page import TrainingPage


class Lungs:
    """A data set of grey images of 8 pixels a side with two classes."""

    class classes:
        binary, names = True, ("background", "lung")

    def __len__(self):
        return 60

    def image(self, index):
        return np.full((8, 8, 3), 100, np.uint8)


def scored(index, columns):
    """An image of which the left half is lung, and of which so many columns were found."""
    labels, truth = (np.repeat([[1] * n + [0] * (8 - n)], 8, axis=0).astype(np.uint8) for n in (columns, 4))
    row = {"id": f"p{index}", "dice": columns / 4}
    return Scored(index, (8, 8), torch.zeros(1, 8, 8), labels=labels, truth=truth, row=row)


def test_the_same_few_images_are_drawn_each_time_and_spread_over_the_set():
    cases = Cases(Lungs())
    for _ in range(2):
        for index in reversed(range(60)):
            cases.keep(scored(index, 2))
        assert [case.id for case in cases.take()] == ["p5", "p15", "p25", "p35", "p45", "p55"]
    assert cases.take() == []
    assert spread(2) == [0, 1], "a set may be smaller than the number of cases"


def test_a_case_shows_what_is_missed_and_what_is_too_much():
    cases = Cases(Lungs())
    cases.keep(scored(5, 2))
    cases.keep(scored(15, 6))
    small, large = cases.take()
    assert (small.score, tuple(small.mask[0, 3]), tuple(large.mask[0, 5])) == (0.5, TRUTH, PREDICTION)
    assert not (small.truth == TRUTH).all(axis=2).any()


def test_of_a_long_run_few_epochs_are_kept_and_the_best_is_among_them():
    kept = []
    for epoch in range(1, 301):
        kept = thinned([*kept, epoch], best=min(epoch, 77))
        assert len(kept) <= EPOCHS + 3
        assert {1, min(epoch, 77), epoch} <= set(kept)
    assert max(later - earlier for earlier, later in zip(kept, kept[1:], strict=False)) <= 32, "no large gap"


def drawn(score=0.5, ids="ab"):
    return [Case(name, score, np.zeros((8, 8, 3), np.uint8), np.zeros((8, 8, 3), np.uint8)) for name in ids]


def test_files_do_not_grow_with_the_epochs(tmp_path):
    files = CaseFiles(tmp_path)
    for epoch in range(1, 201):
        files.add(epoch, 1, drawn())
    assert len(list(tmp_path.iterdir())) <= 2 * (EPOCHS + 3) + 2 + 1
    ids, rows = files.rows(200)
    assert (ids, rows[0].epoch, rows[-2].epoch, rows[-1].epoch) == (["a", "b"], 200, 1, 0)
    assert all((tmp_path / file).exists() for row in rows for file in row.files)


def test_a_resumed_run_goes_on_with_its_cases_and_drops_those_of_an_abandoned_branch(tmp_path):
    for epoch in (1, 2, 3):
        CaseFiles(tmp_path).add(epoch, 1, drawn())
    CaseFiles(tmp_path).add(2, 1, drawn(0.75))
    _, rows = CaseFiles(tmp_path).rows(9)
    assert [(row.epoch, row.scores[0]) for row in rows] == [(2, 0.75), (1, 0.5), (0, None)]
    CaseFiles(tmp_path).add(4, 1, drawn(ids="cd"))  # --dataroot names other images
    assert [row.epoch for row in CaseFiles(tmp_path).rows(9)[1]] == [4, 0]


@pytest.mark.parametrize("text", ["", "{", "[]", '{"ids": 1}', '{"ids": ["a"], "scores": {"1": ["x"]}}'])
def test_a_damaged_list_of_cases_is_written_again(tmp_path, text):
    (tmp_path / "cases.json").write_text(text)
    assert CaseFiles(tmp_path).rows(1) == ([], [])
    CaseFiles(tmp_path).add(2, 2, drawn())
    assert [row.epoch for row in CaseFiles(tmp_path).rows(2)[1]] == [2, 0]


def pages(run_dir, epochs=3, best=2):
    """The page of a run that has come so far."""
    page = TrainingPage(run_dir, "lungs", classes=Lungs.classes)
    page.begin(1, "Running: epoch 1 of 9.")
    for epoch in range(1, epochs + 1):
        ids = [f"p{i}" for i in range(6)]
        found = (min(epoch, best), 0.9)
        page.add(
            epoch, {"real_A": torch.zeros(1, 3, 8, 8)}, f"Running: epoch {epoch + 1} of 9.", found, drawn(0.5, ids)
        )
    return page


def test_the_page_marks_the_best_epoch_and_says_how_far_the_run_is(tmp_path):
    page = pages(tmp_path)
    text = (tmp_path / "web" / "index.html").read_text()
    assert "Running: epoch 4 of 9. Best epoch: 2, validation Dice 0.9000." in text
    assert text.count("the best ★") == text.count("after epoch 2: the best ★") > 0
    page.close("Finished: 9 of 9 epochs.")
    assert "Finished: 9 of 9 epochs." in (tmp_path / "web" / "index.html").read_text()


def test_a_run_has_a_page_before_its_first_step(tmp_path):
    TrainingPage(tmp_path, "lungs").begin(1, "Running: epoch 1 of 9.")
    text = (tmp_path / "web" / "index.html").read_text()
    assert "Running: epoch 1 of 9." in text
    assert "Nothing is validated" in text


@pytest.mark.browser
def test_in_a_browser_the_page_fits_a_phone_and_leads_through_the_epochs(tmp_path):
    line = "(epoch: 1, iters: {}, time: 0.1, data: 0.0) G_L1: 900.0 D_real: 0.5 \n"
    (tmp_path / "loss_log.txt").write_text(line.format(5) + line.format(9))
    (tmp_path / "metrics.csv").write_text("epoch,iters,val_dice\n1,10,0.8\n2,20,0.9\n")
    pages(tmp_path).close("Finished: 3 of 9 epochs.")
    index = tmp_path / "web" / "index.html"
    with Tab(tmp_path) as tab:
        for width, across in ((1400, 6), (400, 2)):
            tab.open(index, width)
            assert tab.run("document.documentElement.scrollWidth <= innerWidth")
            row = "[...document.querySelector('[data-name^=after] .pictures').children]"
            assert tab.run(f"new Set({row}.map(a => a.getBoundingClientRect().left)).size") == across
        tab.open(index, 1400)
        lefts = "[...document.querySelectorAll('.figures figure')].map(f => f.getBoundingClientRect().right)"
        assert tab.run(f"Math.max(...{lefts}) / innerWidth") > 0.9, "the curves use the width"
        tab.run("document.querySelector('[data-name=\"after epoch 3\"] a').click()")
        names = [tab.run("document.querySelector('dialog[open] b').textContent")]
        for _ in range(2):
            tab.press("j")
            names.append(tab.run("document.querySelector('dialog[open] b').textContent"))
        assert names == ["after epoch 3", "after epoch 2: the best ★", "after epoch 1"]
        assert tab.requests() == []


def test_pictures_that_a_page_shows_are_small(tmp_path):
    class Large(Lungs):
        def image(self, index):
            return np.zeros((2000, 1000, 3), np.uint8)

    cases = Cases(Large())
    cases.keep(scored(5, 2))
    CaseFiles(tmp_path).add(1, 1, cases.take())
    assert Image.open(tmp_path / "epoch001_1.jpg").size == (192, 384)
