"""The figures of continual learning, on matrices small enough to compute by hand."""

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


def test_figures_of_two_tasks_agree_with_hand_computed_ones():
    R = [[0.6, 0.1], [0.2, 0.9]]
    assert continual.average_score(R) == pytest.approx((0.2 + 0.9) / 2)
    assert continual.backward_transfer(R) == pytest.approx(0.2 - 0.6)
    assert continual.forgetting(R) == pytest.approx(0.6 - 0.2)
    assert continual.intransigence(R, [0.6, 0.95]) == pytest.approx(0.95 - 0.9)


def test_figures_of_three_tasks_agree_with_hand_computed_ones():
    assert continual.average_score(THREE) == pytest.approx((0.2 + 0.7 + 0.8) / 3)
    assert continual.backward_transfer(THREE) == pytest.approx(((0.2 - 0.6) + (0.7 - 0.9)) / 2)
    assert continual.forgetting(THREE) == pytest.approx(((0.6 - 0.2) + (0.9 - 0.7)) / 2)
    assert continual.intransigence(THREE, [9.0, 0.8, 1.0]) == pytest.approx(((0.8 - 0.9) + (1.0 - 0.8)) / 2)


def test_relative_backward_transfer_is_the_share_that_was_lost():
    assert continual.relative_backward_transfer(THREE) == pytest.approx(((0.2 - 0.6) / 0.6 + (0.7 - 0.9) / 0.9) / 2)
    assert continual.relative_backward_transfer([[0.0, 0.1], [0.2, 0.9]]) is None


def test_forward_transfer_is_what_a_network_does_better_than_random_weights_before_it_learns():
    start = [0.1, 0.05, 0.15]
    assert continual.forward_transfer(THREE, start) == pytest.approx(((0.1 - 0.05) + (0.2 - 0.15)) / 2)
    assert continual.forward_transfer(THREE, [0.1, np.nan, 0.15]) == pytest.approx(0.2 - 0.15)
    assert continual.forward_transfer(THREE, [np.nan] * 3) is None


def test_forward_generalisability_looks_at_all_later_tasks_but_not_at_the_donor():
    # A donor and three hospitals: the first hospital's network is tried at two others, the second's at one.
    R = [[0.6, 0.1, 0.1, 0.1], [0.2, 0.9, 0.8, 0.6], [0.1, 0.7, 0.9, 0.4], [0.1, 0.6, 0.7, 0.9]]
    start = [0.0, 0.1, 0.2, 0.3]
    expected = ((0.8 - 0.2) + (0.6 - 0.3) + (0.4 - 0.3)) / 3
    assert continual.forward_generalisability(R, start) == pytest.approx(expected)
    assert continual.forward_generalisability([[0.6, 0.1], [0.2, 0.9]], [0.0, 0.1]) is None  # one hospital


def test_restricted_ability_is_the_share_of_what_is_learnt_alone():
    assert continual.restricted_ability(THREE, [np.nan, 0.9, 0.5]) == pytest.approx((0.9 / 0.9 + 0.8 / 0.5) / 2)
    assert continual.restricted_ability(THREE, [0.1, np.nan, 0.5]) == pytest.approx(0.8 / 0.5)
    assert continual.restricted_ability(THREE, [0.1, np.nan, 0.0]) is None


def test_forgetting_starts_from_the_best_score_not_from_the_first():
    """A task that gained at first and then lost the gain has forgotten it; backward transfer does not see that."""
    R = [[0.5, 0, 0], [0.8, 0.9, 0], [0.5, 0.9, 0.7]]
    assert continual.forgetting(R) == pytest.approx((0.3 + 0) / 2)
    assert continual.backward_transfer(R) == pytest.approx(0)


def test_a_lucky_score_before_a_task_was_learnt_cannot_be_forgotten():
    R = [[0.5, 0.9, 0.0], [0.5, 0.7, 0.0], [0.5, 0.7, 0.8]]
    assert continual.forgetting(R) == 0


@given(squares)
def test_forgetting_is_never_less_than_the_negative_backward_transfer(R):
    assert continual.forgetting(R) >= -continual.backward_transfer(R) - 1e-12
    if len(R) == 2:
        assert continual.forgetting(R) == pytest.approx(-continual.backward_transfer(R))


@given(squares)
def test_scores_that_never_change_forget_nothing(R):
    R = np.tile(R[:1], (len(R), 1))
    assert continual.forgetting(R) == 0
    assert continual.backward_transfer(R) == 0


def test_a_single_task_is_refused():
    with pytest.raises(ValueError, match="two or more tasks"):
        continual.forgetting([[0.5]])


def test_retention_is_the_share_of_the_score_above_chance():
    assert continual.retention(after=0.6, before=0.6, chance=0.2) == 1
    assert continual.retention(after=0.3, before=0.6, chance=0.2) == pytest.approx(0.25)
    assert continual.retention(after=0.2, before=0.6, chance=0.2) == 0
    assert continual.retention(after=0.0, before=0.6, chance=0.2) == pytest.approx(-0.5)
    assert continual.retention(after=0.1, before=0.1, chance=0.1) is None


def test_chance_for_two_classes_is_the_better_of_a_full_and_an_empty_mask():
    # Two images of 10 pixels, 4 and 2 of them foreground. Full masks: Dice 8/14 and 4/12; empty masks: 0.
    pooled = np.array([[3, 2, 1, 4], [0, 0, 2, 8]])
    assert continual.chance_level(pooled) == pytest.approx((8 / 14 + 4 / 12) / 2)
    # Neither image has foreground: empty masks are right.
    assert continual.chance_level(np.array([[0, 3, 0, 7], [0, 0, 0, 10]])) == 1


def test_chance_for_many_classes_predicts_the_commonest():
    # Truth: 6 pixels of class 0, 3 of class 1, 1 of class 2. If all get class 0, IoU is 6/10, 0, 0.
    pooled = np.array([[[4, 1, 0], [0, 1, 1], [0, 0, 0]], [[0, 0, 1], [1, 0, 0], [1, 0, 0]]])
    assert pooled.sum() == 10
    assert continual.chance_level(pooled) == pytest.approx(0.6 / 3)


@given(arrays(np.int64, (3, 4, 4), elements=st.integers(0, 50)).filter(lambda pooled: pooled.sum() > 0))
def test_chance_depends_on_the_ground_truth_alone(pooled):
    """A prediction that is right everywhere and any other have the same chance level."""
    truth = pooled.sum(2)
    right = np.stack([np.diag(row) for row in truth])
    assert continual.chance_level(right) == pytest.approx(continual.chance_level(pooled))
    assert continual.chance_level(pooled) <= metrics.class_scores(right.sum(0))["miou"] + 1e-12


def test_a_task_may_have_no_score_before_it_was_learnt():
    R = np.where(np.triu(np.ones((3, 3)), 1), np.nan, THREE)
    assert continual.forgetting(R) == pytest.approx(continual.forgetting(THREE))
    assert continual.backward_transfer(R) == pytest.approx(continual.backward_transfer(THREE))
