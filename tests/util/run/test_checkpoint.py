"""Files that are whole or absent, and checkpoints that cannot run code."""

import os
import pickle

import pytest
import torch

from util.errors import UserError
from util.files import replacing, write_text
from util.run.checkpoint import load_state, load_tensors, network_path, read_state_dict, save_networks
from util.run.together import save_together


def test_networks_are_bare_state_dicts_under_upstreams_name(tmp_path):
    net = torch.nn.Conv2d(1, 2, 3)
    save_networks(tmp_path, "latest", {"G": net})
    state = torch.load(tmp_path / "latest_net_G.pth", weights_only=True)
    assert list(state) == ["weight", "bias"]
    assert torch.equal(state["weight"], net.weight)
    assert network_path(tmp_path, 5, "D").name == "5_net_D.pth"


def test_a_failed_write_leaves_the_old_file_and_no_litter(tmp_path):
    path = tmp_path / "file.txt"
    write_text(path, "old")

    def half_a_write():
        with replacing(path) as file:
            file.write("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half_a_write()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["file.txt"]


class Evil:
    def __reduce__(self):
        return os.system, ("echo gotcha",)


def test_a_pickle_with_code_is_refused(tmp_path, capfd):
    torch.save({"weight": Evil()}, tmp_path / "evil.pth")
    with pytest.raises(UserError, match="can run code"):
        load_tensors(tmp_path / "evil.pth")
    (tmp_path / "old.pth").write_bytes(pickle.dumps(Evil()))
    with pytest.raises(UserError):
        load_tensors(tmp_path / "old.pth")
    assert "gotcha" not in capfd.readouterr().out


@pytest.mark.parametrize("keep", [0, 10, 1000, 5000])
def test_truncated_files(tmp_path, keep):
    path = tmp_path / "net.pth"
    save_together({path: {"weight": torch.zeros(100, 100)}})
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(UserError, match="net.pth: "):
        load_tensors(path)


def test_text_in_place_of_a_checkpoint(tmp_path):
    (tmp_path / "net.pth").write_text("<html>404</html>")
    with pytest.raises(UserError, match="net.pth"):
        load_tensors(tmp_path / "net.pth")


@pytest.mark.parametrize("value", [{"a": 1}, [torch.zeros(1)], {}, torch.zeros(1)])
def test_not_a_state_dict(tmp_path, value):
    save_together({tmp_path / "x.pth": value})
    with pytest.raises(UserError, match="not a network's state dict"):
        read_state_dict(tmp_path / "x.pth")


def test_prefix_of_dataparallel_goes(tmp_path):
    save_together({tmp_path / "x.pth": {"module.weight": torch.zeros(1), "module.count": torch.tensor(3)}})
    state = read_state_dict(tmp_path / "x.pth")
    assert list(state) == ["weight", "count"]
    assert state["count"].dtype == torch.int64


def test_mismatch_ends_in_the_advice(tmp_path):
    net = torch.nn.Conv2d(1, 2, 3)
    with pytest.raises(UserError, match="x.pth: does not fit .*; change --ngf"):
        load_state(net, {"weight": torch.zeros(1)}, tmp_path / "x.pth", lambda state: "change --ngf")
