"""Task files: written, read again exactly, and refused where they are damaged."""

import copy

import pytest
import torch
from safetensors.torch import load_file, save_file

from models.piggyback.commands import summary
from models.piggyback.files import as_dependencies, load_task, read_task, saved_task
from models.piggyback.packing import deflate, inflate
from models.piggyback.task import Settings, attach, switch
from tests.models.piggyback.helpers import NETS, all_settings, donor, learn, output
from util.errors import UserError
from util.run.checkpoint import read_safe, save_networks
from util.run.safe import encoded


@pytest.fixture
def saved(tmp_path):
    """A task on a small U-Net, trained and saved."""
    return save(tmp_path / "run", Settings("masks"))


def contents(path):
    """Header and tensors of a task file, to be changed."""
    header, tensors = read_safe(path)
    return {"header": header, "tensors": tensors}


def save(folder, how, netG="unet_64", lr=0.02):
    net = donor(netG)
    task = attach(net, how)
    learn(net, task, lr=lr)
    save_networks(folder, "latest", {"G": net}, {"G": task})
    return folder / "latest_task_G.safetensors", output(net)


@pytest.mark.parametrize("netG", NETS)
@pytest.mark.parametrize("how", all_settings(), ids=lambda how: how.method)
def test_a_task_file_restores_the_generator_bit_for_bit(tmp_path, netG, how):
    path, after = save(tmp_path, how, netG)
    net = donor(netG)
    before, task = output(net), load_task(path, net)
    assert torch.equal(output(net), before), "a loaded task does nothing before `switch`"
    switch(net, task)
    assert torch.equal(output(net), after)
    header = read_task(path).header
    assert header["method"] == how.method
    assert header["counts"]["trained"] == sum(p.numel() for p in task.parameters())
    # the names and shapes of the tensors, and the header
    assert header["bytes"] < path.stat().st_size < header["bytes"] + 400 * len(read_task(path).tensors) + 8000


def test_several_task_files_are_exchanged_on_one_donor(tmp_path):
    net = donor()
    before = output(net)
    saved = [save(tmp_path / name, how, lr=0.05) for name, how in zip("abc", all_settings(), strict=False)]
    tasks = [load_task(path, net) for path, _ in saved]
    for i in (0, 1, 2, 0):
        switch(net, tasks[i])
        assert torch.equal(output(net), saved[i][1])
    switch(net, None)
    assert torch.equal(output(net), before)


def test_another_donor_is_refused_with_both_hashes(saved):
    other = donor(seed=9)
    with pytest.raises(UserError, match=r"another donor \(sha256 \w{12}.*\) than the one given \(sha256 \w{12}"):
        load_task(saved[0], other)
    with pytest.raises(UserError, match="another donor"):
        load_task(saved[0], donor("resnet_6blocks"))


def test_one_changed_bit_is_noticed(saved):
    path = saved[0]
    whole = contents(path)
    whole["tensors"]["model.model.1.model.1.weight.mask"][5] ^= 1
    path.write_bytes(encoded(whole))
    with pytest.raises(UserError, match="latest_task_G.safetensors: damaged"):
        read_task(path)


@pytest.mark.parametrize("keep", [0, 10, 0.5, 0.99])
def test_a_truncated_file_is_refused(saved, keep):
    data = saved[0].read_bytes()
    saved[0].write_bytes(data[: int(keep * len(data)) if keep < 1 else keep])
    with pytest.raises(UserError, match="latest_task_G.safetensors: "):
        read_task(saved[0])


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda whole: whole["header"].update(version=1), "version 1; this program knows version 2"),
        (lambda whole: whole["header"].pop("version"), "version None"),
        (lambda whole: whole.update(header=[]), "damaged"),
        (lambda whole: whole["header"].pop("sha256"), "damaged"),
        (lambda whole: whole["header"]["settings"].update(more=1), "damaged"),
        (lambda whole: whole["header"]["settings"].update(method="lowrank"), "damaged"),
        (lambda whole: whole["tensors"].clear(), "damaged"),
    ],
)
def test_damaged_headers_are_refused_in_one_line(saved, change, message):
    whole = contents(saved[0])
    change(whole)
    saved[0].write_bytes(encoded(whole))
    with pytest.raises(UserError, match=message) as error:
        load_task(saved[0], donor())
    assert "\n" not in str(error.value)


def places(value, path=()):
    """Every key of nested dicts, as a path."""
    for key, inner in value.items() if isinstance(value, dict) else ():
        yield *path, key
        yield from places(inner, (*path, key))


@pytest.mark.filterwarnings("ignore:Initializing zero")
@pytest.mark.parametrize("wrong", [None, "x", -1, [3], {}, "gone"], ids=str)
def test_any_wrong_value_in_a_header_is_refused_in_one_line_or_harmless(tmp_path, wrong):
    """The hash does not cover the header. An edited header is read or refused by name, never with a traceback."""
    net = donor()
    torch.save(net.state_dict(), tmp_path / "latest_net_G.pth")
    task = attach(net, Settings("filter_bank", bank="cumulative"))
    task.donor_path = tmp_path / "latest_net_G.pth"
    path = tmp_path / "latest_task_G.safetensors"
    whole = task.contents(tmp_path)
    errors = []
    for *way, last in places(whole["header"]):
        changed = copy.deepcopy(whole)
        inner = changed["header"]
        for key in way:
            inner = inner[key]
        if wrong == "gone":
            del inner[last]
        else:
            inner[last] = wrong
        path.write_bytes(encoded(changed))
        try:
            file = read_task(path)
            assert summary(file)
            load_task(file, file.build_donor())
        except UserError as error:
            errors.append(str(error))
    assert len(errors) > 10
    assert not [error for error in errors if "\n" in error or ".safetensors: " not in error]


def test_a_generators_weights_are_refused_as_a_task_file(tmp_path):
    for save in (torch.save, save_file):
        save(donor().state_dict(), tmp_path / "latest_task_G.safetensors")
        with pytest.raises(UserError, match="damaged, or not a file that pix2mask wrote"):
            read_task(tmp_path / "latest_task_G.safetensors")


def test_a_file_of_an_older_version_is_named_so(saved):
    old = saved[0].with_suffix(".pth")
    saved[0].rename(old)
    with pytest.raises(UserError, match="older versions wrote .pth: export such a run"):
        saved_task(old.parent, "latest", "G")
    assert saved_task(old.parent, "best", "G") is None


def test_other_programs_read_the_tensors(saved):
    assert load_file(saved[0]).keys() == read_task(saved[0]).tensors.keys()


def test_a_task_that_mixes_filters_of_a_missing_task_is_refused(tmp_path):
    how = Settings("filter_bank", bank="cumulative")
    net = donor()
    first = attach(net, how)
    save_networks(tmp_path / "one", "latest", {"G": net}, {"G": first})
    earlier = read_task(tmp_path / "one" / "latest_task_G.safetensors")
    second = attach(net, how, [earlier.tensors])
    second.depends = as_dependencies([earlier])
    learn(net, second)
    after = output(net)
    path = tmp_path / "two" / "latest_task_G.safetensors"
    save_networks(path.parent, "latest", {"G": net}, {"G": second})
    again = donor()
    switch(again, load_task(path, again))
    assert torch.equal(output(again), after)
    (tmp_path / "one" / "latest_task_G.safetensors").unlink()
    with pytest.raises(
        UserError, match="mixes filters of an earlier task that is not at .*one/latest_task_G.safetensors"
    ):
        load_task(path, donor())


SEVERAL = [0.0, 1.0]


@pytest.mark.parametrize(
    "change",
    [
        lambda header: header.update(version=SEVERAL),
        lambda header: header.update(version=True),
        lambda header: header.update(bytes=10**400),
        lambda header: header.update(bytes=True),
        lambda header: header["settings"].update(mask_init=SEVERAL),
        lambda header: header["settings"].update(mask_init=10**400),
        lambda header: header["settings"].update(mask_init=float("inf")),
        lambda header: header["settings"].update(method=[]),
        lambda header: header["settings"].update(rank=10**12),
        lambda header: header["donor"].update(architecture={}),
        lambda header: header["donor"]["architecture"].update(input_nc=SEVERAL),
        lambda header: header.update(about=[]),
        lambda header: header["donor"]["found"].append("\ud800"),
    ],
)
def test_values_of_other_types_in_a_header_are_refused(saved, change):
    whole = contents(saved[0])
    change(whole["header"])
    saved[0].write_bytes(encoded(whole))
    with pytest.raises(UserError, match="latest_task_G.safetensors: (damaged|a task file of version)"):
        read_task(saved[0])


def test_a_header_that_asks_for_a_huge_network_builds_none(saved):
    whole = contents(saved[0])
    whole["header"]["donor"]["architecture"]["ngf"] = 10**6
    whole["header"]["donor"]["found"] = ["latest_net_G.pth"]
    save_networks(saved[0].parent, "donor", {"G": donor()})
    saved[0].with_name("donor_net_G.pth").rename(saved[0].with_name("latest_net_G.pth"))
    saved[0].write_bytes(encoded(whole))
    with pytest.raises(UserError, match="damaged: no generator can be built as its header says"):
        read_task(saved[0]).build_donor()


def test_a_mask_that_inflates_to_gigabytes_is_cut():
    bomb = deflate(torch.zeros(50 << 20, dtype=torch.uint8))
    with pytest.raises(ValueError, match="9 bytes in place of 8"):
        inflate(bomb, 8)
