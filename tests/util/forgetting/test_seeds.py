"""Means and standard deviations over seeds, by hand."""

import pytest

from util.forgetting import seeds


def test_means_and_deviations_agree_with_hand_computed_ones():
    rows = [{"dice": 0.8, "psnr": None, "bit_equal": 8}, {"dice": 0.9, "psnr": 20.0, "bit_equal": 7, "more": 1}]
    found = seeds.mean(rows)
    assert found == {"dice": pytest.approx(0.85), "psnr": None, "bit_equal": 7}
    # (0.05^2 + 0.05^2) / (2 - 1)
    assert seeds.deviation(rows)["dice"] == pytest.approx(0.005**0.5)
    assert seeds.deviation([{"dice": 0.1}] * 3) == {"dice": 0}
    assert "psnr" not in seeds.deviation(rows)
    assert seeds.deviation(rows[:1]) == {}


def test_intervals_are_students_over_the_runs():
    # 2.5 % of Student's t with 2 degrees of freedom lie above 4.3027.
    low, high = seeds.interval([{"dice": 0.8}, {"dice": 0.9}, {"dice": 1.0}])["dice"]
    assert (low, high) == (pytest.approx(0.9 - 4.3027 * 0.1 / 3**0.5, abs=1e-4), pytest.approx(1.1484, abs=1e-4))
    assert seeds.interval([{"dice": 0.1, "psnr": None}] * 3) == {"dice": (pytest.approx(0.1), pytest.approx(0.1))}
    assert seeds.interval([{"dice": 0.1}]) == {}


def test_a_mean_curve_has_the_epochs_that_all_runs_saved():
    one = [{"epoch": 0, "scores": [0.5, None]}, {"epoch": 5, "scores": [0.1, 0.9]}]
    two = [{"epoch": 0, "scores": [0.5, None]}, {"epoch": 4, "scores": [0, 0]}, {"epoch": 5, "scores": [0.3, 0.7]}]
    assert seeds.mean_curve([one, two]) == [
        {"epoch": 0, "scores": [0.5, None]},
        {"epoch": 5, "scores": [pytest.approx(0.2), pytest.approx(0.8)]},
    ]


def test_training_options_that_differ_list_all_values():
    found = seeds.settings([{"lr": 0.1, "seed": 0}, {"lr": 0.1, "seed": 1, "max_dataset_size": 9}])
    assert found == {"lr": 0.1, "seed": "0, 1", "max_dataset_size": "unlimited, 9"}
