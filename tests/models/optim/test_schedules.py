"""Learning rates epoch by epoch."""

import pytest
import torch

from models.optim.schedules import create_schedulers, step_schedulers
from tests.models.helpers import model_options


def rates(epochs: int, scores: list[float] | None = None, **flags: object) -> list[float]:
    """The learning rate of each epoch, with an initial rate of 1."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    schedulers = create_schedulers(model_options(**flags), {"G": optimizer})
    seen = []
    for epoch in range(epochs):
        seen.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        step_schedulers(schedulers, scores[epoch] if scores else None)
    return seen


def test_linear_is_upstreams_and_never_reaches_zero():
    assert rates(4, n_epochs=2, n_epochs_decay=2) == pytest.approx([1, 1, 2 / 3, 1 / 3])


def test_linear_may_decay_over_all_epochs():
    assert rates(3, n_epochs=0, n_epochs_decay=3) == pytest.approx([3 / 4, 2 / 4, 1 / 4])


def test_epoch_count_starts_in_the_middle_of_the_schedule():
    assert rates(2, n_epochs=2, n_epochs_decay=2, epoch_count=3) == pytest.approx([2 / 3, 1 / 3])


def test_epoch_count_and_a_resumed_state_do_not_count_an_epoch_twice():
    """`--continue_train --epoch_count 3` is upstream's way to resume; the saved state counts epochs too."""
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    flags = dict(n_epochs=2, n_epochs_decay=2)
    (first,) = create_schedulers(model_options(**flags), {"G": optimizer}).values()
    for _ in range(2):
        optimizer.step()
        step_schedulers({"G": first}, None)
    (again,) = create_schedulers(model_options(**flags, epoch_count=3), {"G": optimizer}).values()
    again.load_state_dict(first.state_dict())
    assert optimizer.param_groups[0]["lr"] == pytest.approx(2 / 3)
    optimizer.step()
    step_schedulers({"G": again}, None)
    assert optimizer.param_groups[0]["lr"] == pytest.approx(1 / 3)
    assert again.state_dict() == {"last_epoch": 3}


def test_cosine_falls_over_all_epochs():
    got = rates(4, lr_policy="cosine", n_epochs=2, n_epochs_decay=2)
    assert got == pytest.approx([1, 0.853553, 0.5, 0.146447], rel=1e-4)


def test_step_divides_by_ten_after_every_lr_decay_iters_epochs():
    assert rates(5, lr_policy="step", lr_decay_iters=2) == pytest.approx([1, 1, 0.1, 0.1, 0.01])


def test_plateau_lowers_the_rate_when_the_validation_score_stops_rising():
    got = rates(9, scores=[0.5] + [0.5] * 8, lr_policy="plateau")
    assert got[:7] == [1.0] * 7
    assert got[7:] == pytest.approx([0.2, 0.2])
    assert rates(9, scores=[0.1 * n for n in range(9)], lr_policy="plateau") == [1.0] * 9


def test_patience_is_the_number_of_validations_without_a_gain():
    assert rates(4, scores=[0.5] * 4, lr_policy="plateau", patience=1) == pytest.approx([1, 1, 1, 0.2])


def test_warm_up_rises_in_a_line_to_the_schedule():
    flags = dict(n_epochs=3, n_epochs_decay=1)
    assert rates(4, **flags, warmup=2) == pytest.approx([1 / 3, 2 / 3, 1, 1 / 2])
    assert rates(3, **flags, warmup=2, lr_policy="cosine") == pytest.approx([1 / 3, 2 / 3 * 0.853553, 0.5], rel=1e-4)
    assert rates(2, **flags, warmup=2, epoch_count=2) == pytest.approx([2 / 3, 1])


def test_plateau_waits_for_the_warm_up():
    """Scores of the two epochs of warm-up do not count."""
    got = rates(6, scores=[0.9, 0.8, 0.5, 0.5, 0.5, 0.5], lr_policy="plateau", patience=1, warmup=2)
    assert got == pytest.approx([1 / 3, 2 / 3, 1, 1, 1, 0.2])


@pytest.mark.parametrize("policy", ["cosine", "plateau"])
def test_learning_rates_of_groups_keep_their_ratio(policy):
    parameters = [torch.nn.Parameter(torch.zeros(1)) for _ in range(2)]
    optimizer = torch.optim.Adam([{"params": [parameters[0]]}, {"params": [parameters[1]], "lr": 0.1}], lr=1.0)
    schedulers = create_schedulers(model_options(lr_policy=policy, warmup=1, patience=0), {"G": optimizer})
    for _ in range(4):
        first, second = (group["lr"] for group in optimizer.param_groups)
        assert second == pytest.approx(0.1 * first)
        optimizer.step()
        step_schedulers(schedulers, 0.5)
    assert first < 1


def resumed(before: dict, epochs: int, after: dict, lr: float = 1.0, scores: float | None = 0.5) -> float:
    """The learning rate after `epochs` epochs by one schedule, all with the same score, and a resume with another."""

    def create(flags: dict, lr: float):
        optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=lr)
        return optimizer, create_schedulers(model_options(**flags, n_epochs=2, n_epochs_decay=4), {"G": optimizer})

    optimizer, schedulers = create(before, 1.0)
    for epoch in range(1, epochs + 1):
        optimizer.step()
        step_schedulers(schedulers, scores if epoch % before.get("val_freq", 1) == 0 else None)
    again, its_schedulers = create(after, lr)
    again.load_state_dict(optimizer.state_dict())
    its_schedulers["G"].load_state_dict(schedulers["G"].state_dict())
    return again.param_groups[0]["lr"]


PLATEAU = {"lr_policy": "plateau", "patience": 1}
LINEAR = {"lr_policy": "linear"}


def test_another_lr_acts_on_a_resume_with_every_schedule():
    assert resumed(LINEAR, 3, LINEAR, lr=0.1) == pytest.approx(0.1 * 3 / 5)
    assert resumed(PLATEAU, 3, PLATEAU, lr=0.1) == pytest.approx(0.1 * 0.2)  # after one division by 5
    assert resumed(PLATEAU, 3, PLATEAU) == 0.2


def test_plateau_after_a_finished_linear_run_starts_at_the_initial_rate():
    assert resumed(LINEAR, 6, PLATEAU) == 1


def test_linear_after_plateau_counts_epochs_and_not_validations():
    assert resumed(PLATEAU | {"val_freq": 2}, 4, LINEAR) == pytest.approx(2 / 5)
    assert resumed(PLATEAU, 4, LINEAR, scores=None) == pytest.approx(2 / 5)


def test_a_longer_warm_up_acts_on_a_resume():
    assert resumed(PLATEAU, 1, PLATEAU | {"warmup": 3}) == pytest.approx(2 / 4)
    assert resumed(LINEAR, 1, LINEAR | {"warmup": 3}) == pytest.approx(2 / 4)


def test_a_plateau_that_did_not_count_its_divisions_keeps_its_rate():
    optimizer = torch.optim.Adam([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    (scheduler,) = create_schedulers(model_options(**PLATEAU), {"G": optimizer}).values()
    optimizer.param_groups[0]["lr"] = 0.2 * 0.2
    scheduler.load_state_dict({"done": 9, "best": 0.5, "num_bad_epochs": 1, "last_epoch": 9})
    assert optimizer.param_groups[0]["lr"] == pytest.approx(0.04)
