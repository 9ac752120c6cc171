"""The figures of continual learning, on matrices small enough to do in the head."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from util.forgetting import continual
from util.score import metrics

# Rows: after facades (the donor), after lungs, after hearts. Lungs rose once more when hearts were learnt.
THREE = np.array([[0.6, 0.1, 0.0], [0.3, 0.9, 0.2], [0.2, 0.7, 0.8]])

squares = st.integers(2, 5).flatmap(lambda n: arrays(float, (n, n), elements=st.floats(0, 1)))


def test_two_tasks():
    R = [[0.6, 0.1], [0.2, 0.9]]
    assert continual.average_score(R) == pytest.approx((0.2 + 0.9) / 2)
    assert continual.backward_transfer(R) == pytest.approx(0.2 - 0.6)
    assert continual.forgetting(R) == pytest.approx(0.6 - 0.2)
    assert continual.intransigence(R, [0.6, 0.95]) == pytest.approx(0.95 - 0.9)


def test_three_tasks():
    assert continual.average_score(THREE) == pytest.approx((0.2 + 0.7 + 0.8) / 3)
    assert continual.backward_transfer(THREE) == pytest.approx(((0.2 - 0.6) + (0.7 - 0.9)) / 2)
    assert continual.forgetting(THREE) == pytest.approx(((0.6 - 0.2) + (0.9 - 0.7)) / 2)
    assert continual.intransigence(THREE, [9.0, 0.8, 1.0]) == pytest.approx(((0.8 - 0.9) + (1.0 - 0.8)) / 2)


def test_forgetting_starts_from_the_best_score_not_from_the_first():
    """A task that gained on the way and then lost the gain has forgotten it; backward transfer does not see that."""
    R = [[0.5, 0, 0], [0.8, 0.9, 0], [0.5, 0.9, 0.7]]
    assert continual.forgetting(R) == pytest.approx((0.3 + 0) / 2)
    assert continual.backward_transfer(R) == pytest.approx(0)


@given(squares)
def test_forgetting_is_at_least_what_backward_transfer_says(R):
    assert continual.forgetting(R) >= -continual.backward_transfer(R) - 1e-12
    if len(R) == 2:
        assert continual.forgetting(R) == pytest.approx(-continual.backward_transfer(R))


@given(squares)
def test_rows_that_never_change_forget_nothing(R):
    R = np.tile(R[:1], (len(R), 1))
    assert continual.forgetting(R) == 0
    assert continual.backward_transfer(R) == 0


def test_one_task_forgets_nothing_that_could_be_measured():
    with pytest.raises(ValueError, match="two or more tasks"):
        continual.forgetting([[0.5]])


def test_retention():
    assert continual.retention(after=0.6, before=0.6, chance=0.2) == 1
    assert continual.retention(after=0.3, before=0.6, chance=0.2) == pytest.approx(0.25)
    assert continual.retention(after=0.2, before=0.6, chance=0.2) == 0
    assert continual.retention(after=0.0, before=0.6, chance=0.2) == pytest.approx(-0.5)
    assert continual.retention(after=0.1, before=0.1, chance=0.1) is None


def test_chance_of_two_classes_is_the_better_of_all_and_nothing():
    # Two images of 10 pixels with 4 and 2 of the foreground. All: Dice 8/14 and 4/12; nothing: 0.
    pooled = np.array([[3, 2, 1, 4], [0, 0, 2, 8]])
    assert continual.chance_level(pooled) == pytest.approx((8 / 14 + 4 / 12) / 2)
    # Nothing is there in either image: saying so is right.
    assert continual.chance_level(np.array([[0, 3, 0, 7], [0, 0, 0, 10]])) == 1


def test_chance_of_many_classes_is_that_of_the_commonest():
    # Truth: 6 pixels of class 0, 3 of class 1, 1 of class 2. All called 0: IoU 6/10, 0, 0.
    pooled = np.array([[[4, 1, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 1], [1, 0, 0], [1, 0, 0]]])
    assert pooled.sum() == 10
    assert continual.chance_level(pooled) == pytest.approx(0.6 / 3)


@given(arrays(np.int64, (3, 4, 4), elements=st.integers(0, 50)).filter(lambda pooled: pooled.sum() > 0))
def test_chance_depends_on_the_truth_alone(pooled):
    """A prediction that is right everywhere and one that is wrong face the same chance level."""
    truth = pooled.sum(2)
    right = np.stack([np.diag(row) for row in truth])
    assert continual.chance_level(right) == pytest.approx(continual.chance_level(pooled))
    assert continual.chance_level(pooled) <= metrics.class_scores(right.sum(0))["miou"] + 1e-12


def test_a_task_without_a_score_before_it_was_learnt():
    R = np.where(np.triu(np.ones((3, 3)), 1), np.nan, THREE)
    assert continual.forgetting(R) == pytest.approx(continual.forgetting(THREE))
    assert continual.backward_transfer(R) == pytest.approx(continual.backward_transfer(THREE))
