"""Checkpoints with Python objects: the weights are read, and nothing that the file names is made or run."""

import functools
import os
import subprocess
from argparse import Namespace
from collections import defaultdict
from pathlib import Path

import pytest
import torch

from util.errors import UserError
from util.run.checkpoint import load_tensors, read_state_dict
from util.run.inert import Inert, load_with_inert


class Reduced:
    """Unpickled by a call, as Python's own reader would make it."""

    def __init__(self, function, *arguments) -> None:
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def save(path: Path, **beside) -> Path:
    torch.save({"state_dict": {"generator.weight": torch.ones(2)}, **beside}, path)
    return path


def test_the_weights_of_a_lightning_checkpoint_with_objects_are_read(tmp_path):
    path = save(
        tmp_path / "epoch=3.ckpt",
        hyper_parameters={"args": Namespace(lr=0.1), "root": Path("data"), "act": functools.partial(max, 1)},
        callbacks={Namespace: {"best": torch.zeros(1)}},
        optimizer_states=[{"state": {}, "param_groups": [Namespace(parts=[Namespace()])]}],
    )
    assert torch.equal(read_state_dict(path)["generator.weight"], torch.ones(2))
    assert type(load_with_inert(path)["hyper_parameters"]["args"]) is Inert  # type: ignore[index]


@pytest.mark.parametrize(
    "call", [lambda p: (exec, f"open({p!r}, 'w')"), lambda p: (open, p, "w"), lambda p: (subprocess.call, ["touch", p])]
)
def test_no_code_of_a_file_runs(tmp_path, call):
    canary = tmp_path / "canary"
    evil = Reduced(*call(str(canary)))
    assert "generator.weight" in read_state_dict(save(tmp_path / "a.pth", hyper_parameters=[evil]))
    torch.save({"state_dict": {"weight": evil}}, tmp_path / "b.pth")
    with pytest.raises(UserError, match="b.pth: not a network's state dict"):
        read_state_dict(tmp_path / "b.pth")
    assert not canary.exists()


@pytest.mark.parametrize("value", [Reduced(os.system, "true"), Reduced(Path.touch, "x"), defaultdict(int, a=1)])
def test_what_cannot_be_left_out_safely_is_refused(tmp_path, value):
    with pytest.raises(UserError, match=r"x.pth: (holds Python objects|damaged)"):
        read_state_dict(save(tmp_path / "x.pth", hyper_parameters=value))


def test_files_of_our_own_may_hold_no_objects(tmp_path):
    with pytest.raises(UserError, match="holds Python objects"):
        load_tensors(save(tmp_path / "latest_train_state.pth", args=Namespace()))


def test_a_network_that_was_saved_as_an_object_is_refused_with_the_way_to_save_it(tmp_path):
    torch.save(torch.nn.Conv2d(1, 1, 1), tmp_path / "net.pth")
    with pytest.raises(UserError, match=r"not a network's state dict .* torch.save\(net.state_dict\(\), path\)"):
        read_state_dict(tmp_path / "net.pth")


def test_names_stay_unknown_after_a_file_was_read(tmp_path):
    path = save(tmp_path / "x.pth", args=Namespace())
    before = set(torch.serialization.get_safe_globals())
    read_state_dict(path)
    assert set(torch.serialization.get_safe_globals()) == before
