"""What a file of tensors may hold, and what trainers wrap a state dict in."""

import zipfile

import pytest
import torch
from safetensors.torch import save_file

from util.errors import UserError
from util.run.checkpoint import load_state, load_tensors, read_state_dict
from util.run.tensors import copy_exactly

STATE = {"weight": torch.arange(3.0), "count": torch.tensor(3)}

ODD = {
    "sparse": lambda: torch.eye(3).to_sparse(),
    "sparse csr": lambda: torch.eye(3).to_sparse_csr(),
    "quantised": lambda: torch.quantize_per_tensor(torch.rand(3), 0.1, 0, torch.qint8),
    "meta": lambda: torch.empty(3, device="meta"),
    "nested": lambda: torch.nested.nested_tensor([torch.rand(2), torch.rand(3)]),
    "complex": lambda: torch.rand(3, dtype=torch.complex64),
}


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("kind", ODD)
@pytest.mark.parametrize("deep", [False, True])
def test_tensors_that_are_not_plain_are_refused_wherever_they_are(tmp_path, kind, deep):
    path = tmp_path / "x.pth"
    torch.save({"a": [1, {"b": ODD[kind]()}]} if deep else {"weight": ODD[kind]()}, path)
    with pytest.raises(UserError, match=f"x.pth: holds a {kind.split()[0]}|x.pth: (damaged|holds Python objects)"):
        load_tensors(path)


def test_a_few_bytes_repeated_a_million_times_are_refused(tmp_path):
    torch.save({"weight": torch.zeros(1).expand(10**6, 10**6)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match="4000.0 GB, far more than the file"):
        load_tensors(tmp_path / "x.pth")


def test_a_compressed_file_that_grows_a_thousandfold_is_refused(tmp_path):
    with zipfile.ZipFile(tmp_path / "x.pth", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x/data.pkl", bytes(100 << 20))
    with pytest.raises(UserError, match="0.1 GB, far more than the file"):
        load_tensors(tmp_path / "x.pth")


def test_a_file_that_holds_itself_ends(tmp_path):
    contents: dict = {"weight": torch.zeros(1)}
    contents["again"] = contents
    torch.save(contents, tmp_path / "x.pth")
    with pytest.raises(UserError, match="not a network's state dict"):
        read_state_dict(tmp_path / "x.pth")


def test_a_name_that_is_no_text_is_refused(tmp_path):
    torch.save({"\ud800": torch.zeros(1)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match="no valid text"):
        read_state_dict(tmp_path / "x.pth")


@pytest.mark.parametrize("wrapper", ["state_dict", "model", "model_state_dict"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "module._orig_mod.", "_orig_mod.module."])
def test_a_state_dict_is_found_in_what_trainers_wrap_it_in(tmp_path, wrapper, prefix):
    state = {prefix + key: value for key, value in STATE.items()}
    torch.save({wrapper: state, "epoch": 3, "optimizer": {"lr": 0.1}}, tmp_path / "x.pth")
    read = read_state_dict(tmp_path / "x.pth")
    assert list(read) == list(STATE)
    assert torch.equal(read["weight"], STATE["weight"])


def test_safetensors_are_read_and_damaged_ones_named(tmp_path):
    path = tmp_path / "x.safetensors"
    save_file(STATE, path)
    assert torch.equal(read_state_dict(path)["weight"], STATE["weight"])
    path.write_bytes(path.read_bytes()[:-1])
    with pytest.raises(UserError, match="x.safetensors: damaged"):
        read_state_dict(path)


@pytest.mark.parametrize(("wanted", "other"), [("weight", torch.int64), ("weight", torch.uint8)])
def test_whole_numbers_are_no_weights(tmp_path, wanted, other):
    net = torch.nn.Linear(2, 2)
    state = net.state_dict() | {wanted: net.state_dict()[wanted].to(other)}
    with pytest.raises(UserError, match=f"weight holds {other}, not weights"):
        load_state(net, state, tmp_path / "x.pth", lambda _: "")


@pytest.mark.parametrize("checked", [True, False])
def test_a_changed_bit_of_a_weight_is_found_by_the_checksum(tmp_path, checked):
    """torch.load compares no checksums. A file that was written without any is read as it is."""
    path = tmp_path / "x.pth"
    torch.serialization.set_crc32_options(checked)
    try:
        torch.save({"weight": torch.full([100], 1.5)}, path)
    finally:
        torch.serialization.set_crc32_options(True)
    data = bytearray(path.read_bytes())
    data[data.index(torch.full([100], 1.5).numpy().tobytes()) + 3] ^= 1
    path.write_bytes(data)
    if checked:
        with pytest.raises(UserError, match="x.pth: damaged or truncated"):
            load_tensors(path)
    else:
        assert load_tensors(path)["weight"][0] != 1.5


@pytest.mark.parametrize("source", [torch.zeros(1), torch.zeros(3, dtype=torch.int64)])
def test_a_stored_tensor_is_neither_repeated_nor_rounded(source):
    with pytest.raises(ValueError, match="for one of \\(3,\\)"):
        copy_exactly(torch.ones(3), source)
