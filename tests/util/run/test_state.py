"""A run's state goes to disk and comes back exactly; signals wait for the end of a step."""

import os
import signal

import pytest
import torch

from models.optim.schedules import create_schedulers, step_schedulers
from models.pix2pix import Pix2PixModel
from tests.models.helpers import model_options
from util.errors import UserError
from util.run.checkpoint import read_state_dict
from util.run.state import FILE, Interrupts, Progress, load_run, save_run
from util.run.together import save_together

CPU = torch.device("cpu")


def start(**flags):
    model = Pix2PixModel(model_options(**flags), CPU, training=True)
    return model, {"optimizers": model.optimizers, "schedulers": create_schedulers(model_options(), model.optimizers)}


def steps(model, steppers, count):
    for _ in range(count):
        model.train_step({"A": torch.rand(1, 3, 64, 64), "B": torch.rand(1, 3, 64, 64)})
        step_schedulers(steppers["schedulers"], None)


def test_resume_is_exact(tmp_path):
    """Two steps, save, two steps: the same weights whether or not the process was another one in between."""
    torch.manual_seed(3)
    model, steppers = start()
    steps(model, steppers, 2)
    save_run(tmp_path, model.networks, steppers, Progress(epoch=2, images=1, iters=7, best=0.5))
    steps(model, steppers, 2)

    torch.manual_seed(99)
    again, its_steppers = start()
    for name, net in again.networks.items():
        net.load_state_dict(read_state_dict(tmp_path / f"latest_net_{name}.pth"))
    progress = load_run(tmp_path, its_steppers)
    assert progress == Progress(epoch=2, images=1, iters=7, best=0.5)
    steps(again, its_steppers, 2)
    for name, net in model.networks.items():
        for key, value in net.state_dict().items():
            assert torch.equal(value, again.networks[name].state_dict()[key]), f"{name} {key}"


def test_without_a_state_there_is_nothing_to_restore(tmp_path):
    assert load_run(tmp_path, start()[1]) is None


def test_state_of_another_kind_of_run(tmp_path):
    model, steppers = start()
    save_run(tmp_path, model.networks, {"optimizers": {"G": model.optimizers["G"]}, "schedulers": {}}, Progress())
    with pytest.raises(UserError, match="other optimizers"):
        load_run(tmp_path, steppers)
    save_together({tmp_path / "latest_train_state.pth": {"version": 99}})
    with pytest.raises(UserError, match="not a train state"):
        load_run(tmp_path, steppers)


def stored_as(value, *keys):
    """A change of a train state: `value` stands where the keys lead; a function computes it from the old one."""

    def change(state):
        for key in keys[:-1]:
            state = state[key]
        state[keys[-1]] = value(state[keys[-1]]) if callable(value) else value

    return change


OPTIMIZER = ("optimizers", "G")


@pytest.mark.parametrize(
    "change",
    {
        "no progress": lambda state: state.pop("progress"),
        "no such epoch": stored_as(-1, "progress", "epoch"),
        "an epoch that is no number": stored_as("2", "progress", "epoch"),
        "no score": stored_as(None, "progress", "best"),
        "hashes that are none": stored_as([], "files"),
        "another random state": stored_as(torch.zeros(3), "random", "torch"),
        "optimizers without names": stored_as([], "optimizers"),
        "no groups": stored_as([], *OPTIMIZER, "param_groups"),
        "a parameter of nobody's": stored_as(lambda state: {**state, 999: state[0]}, *OPTIMIZER, "state"),
        "a moment of another shape": stored_as(torch.zeros(1), *OPTIMIZER, "state", 0, "exp_avg"),
        "whole numbers": stored_as(lambda moment: moment.long(), *OPTIMIZER, "state", 0, "exp_avg"),
        "a moment too few": lambda state: state["optimizers"]["G"]["state"][0].pop("exp_avg"),
        "minus one steps": stored_as(torch.tensor(-1.0), *OPTIMIZER, "state", 0, "step"),
        "a schedule that lasts forever": stored_as(2**63, "schedulers", "G", "last_epoch"),
        "a schedule without epochs": stored_as({}, "schedulers", "G"),
    }.values(),
)
def test_a_state_that_no_run_saved_is_refused(tmp_path, change):
    model, steppers = start()
    steps(model, steppers, 1)
    save_run(tmp_path, model.networks, steppers, Progress(epoch=2, best=0.5))
    state = torch.load(tmp_path / FILE, weights_only=True)
    change(state)
    torch.save(state, tmp_path / FILE)
    refused = "latest_train_state.pth: (damaged, or not of this run|belongs to a run|optimizer G was)"
    with pytest.raises(UserError, match=refused):
        load_run(tmp_path, start()[1])


def test_best_score_and_patience():
    progress = Progress()
    seen = []
    for epoch, score in enumerate([0.5, 0.7, 0.6, 0.7], start=1):
        progress.epoch = epoch
        seen.append(progress.note_score(score))
    assert seen == [True, True, False, False]
    assert (progress.best, progress.best_epoch, progress.since_best) == (0.7, 2, 2)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_is_noted_and_the_step_goes_on(number):
    before = signal.getsignal(number)
    with Interrupts() as interrupts:
        assert interrupts.code == 0
        os.kill(os.getpid(), number)
        assert interrupts.code == 128 + number
    assert signal.getsignal(number) is before


def test_a_second_ctrl_c_stops_at_once(request):
    before = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's `&` has it ignored
    request.addfinalizer(lambda: signal.signal(signal.SIGINT, before))

    def two_in_a_row():
        with Interrupts():
            os.kill(os.getpid(), signal.SIGINT)
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        two_in_a_row()
