"""Donors and their twins, found by name on disk or in the catalogue of published generators."""

from dataclasses import replace

import pytest
import torch

from models.donors.find import find_donor, find_twin, upstream_options
from models.networks.define import define_G
from tests.util.web import serving
from util.errors import UserError
from util.fetch import catalogue
from util.folds.record import Record
from util.run.checkpoint import read_state_dict


@pytest.mark.parametrize("where", ["file", "folder", "experiment"])
def test_a_donor_is_named_by_file_folder_or_experiment(tmp_path, where):
    (tmp_path / "run").mkdir()
    file = tmp_path / "run" / "latest_net_G.pth"
    file.touch()
    name = {"file": str(file), "folder": str(tmp_path / "run"), "experiment": "run"}[where]
    assert find_donor(name, tmp_path) == file


def test_a_missing_donor_is_refused_with_the_places_that_were_searched(tmp_path):
    with pytest.raises(UserError, match=r"--pretrained nothing: neither .*data.download --list\)$"):
        find_donor("nothing", tmp_path)
    (tmp_path / "empty").mkdir()
    with pytest.raises(UserError, match="holds no latest_net_G.pth"):
        find_donor("empty", tmp_path)
    Record([0, 1], "").write(tmp_path / "empty")
    with pytest.raises(UserError, match="--pretrained empty: a cross-validation of 2 runs.* such as empty/fold_0$"):
        find_donor("empty", tmp_path)


def test_the_twin_of_a_cyclegan_is_the_other_generator_in_its_folder(tmp_path):
    for side in "AB":
        (tmp_path / f"latest_net_G_{side}.pth").touch()
    assert find_donor(str(tmp_path), tmp_path).name == "latest_net_G_A.pth"
    assert find_twin(str(tmp_path), tmp_path).name == "latest_net_G_B.pth"
    (tmp_path / "latest_net_G_B.pth").unlink()
    assert find_twin(str(tmp_path), tmp_path) is None


def test_a_run_with_a_published_name_has_no_published_twin(tmp_path):
    (tmp_path / "sat2map").mkdir()
    (tmp_path / "sat2map" / "latest_net_G.pth").touch()
    assert find_twin("sat2map", tmp_path) is None


def test_a_twin_that_cannot_be_downloaded_names_the_flag_to_do_without_it(tmp_path, monkeypatch):
    (tmp_path / "horse2zebra_pretrained").mkdir()
    (tmp_path / "horse2zebra_pretrained" / "latest_net_G.pth").touch()
    published = catalogue.DONORS["zebra2horse"]
    with serving() as web:
        file = replace(published.file, url=web.put("/zebra2horse.pth", status=404))
        monkeypatch.setitem(catalogue.DONORS, "zebra2horse", replace(published, file=file))
        with pytest.raises(UserError, match="says 404 .*zebra2horse_pretrained.*--pretrained_B same"):
            find_twin("horse2zebra", tmp_path)


def test_a_published_donor_is_downloaded_once(tmp_path, monkeypatch, capsys):
    net = define_G(3, 3, 4, "resnet_6blocks", "instance", False)
    torch.save(net.state_dict(), tmp_path / "latest_net_G.pth")
    published = catalogue.DONORS["horse2zebra"]
    (tmp_path / "runs" / "horse2zebra").mkdir(parents=True)  # a run of that name that has no weights yet
    with serving() as web:
        url = web.put("/horse2zebra.pth", (tmp_path / "latest_net_G.pth").read_bytes())
        monkeypatch.setitem(catalogue.DONORS, "horse2zebra", replace(published, file=replace(published.file, url=url)))
        path = find_donor("horse2zebra", tmp_path / "runs")
        printed = capsys.readouterr().out
        assert find_donor("horse2zebra", tmp_path / "runs") == find_donor("horse2zebra_pretrained", tmp_path / "runs")
    assert path == tmp_path / "runs" / "horse2zebra_pretrained" / "latest_net_G.pth"
    assert printed.count("\n") == 1
    assert "downloading http://127.0.0.1" in printed
    assert len(web.asked) == 1
    assert torch.equal(read_state_dict(path)["model.1.weight"], net.state_dict()["model.1.weight"])


def test_the_twin_of_a_published_donor_is_the_published_one(tmp_path):
    """As data.download puts them."""
    for name in ("horse2zebra", "zebra2horse"):
        (tmp_path / f"{name}_pretrained").mkdir()
        (tmp_path / f"{name}_pretrained" / "latest_net_G.pth").touch()
    assert find_twin("horse2zebra", tmp_path) == tmp_path / "zebra2horse_pretrained" / "latest_net_G.pth"


@pytest.mark.parametrize("side", ["", "_A"])
def test_the_options_of_a_folder_that_upstream_wrote_are_read_from_its_generator(tmp_path, side):
    assert upstream_options(tmp_path, "latest") == {}
    net = define_G(3, 1, 4, "resnet_6blocks", "instance", False)
    torch.save(net.state_dict(), tmp_path / f"latest_net_G{side}.pth")
    built = {"netG": "resnet_6blocks", "input_nc": 3, "output_nc": 1, "ngf": 4, "norm": "instance", "no_dropout": True}
    assert upstream_options(tmp_path, "latest") == built | {"model": "test", "model_suffix": side}
    (tmp_path / "options.json").touch()
    assert upstream_options(tmp_path, "latest") == {}


@pytest.mark.parametrize(
    ("name", "meant"),
    [("facade_photo2label", "facades_photo2label"), ("horse2zebras", "horse2zebra"), ("my_donr", "my_donor")],
)
def test_a_mistyped_donor_is_suggested_whether_it_is_shipped_published_or_a_run(tmp_path, name, meant):
    (tmp_path / "my_donor").mkdir()
    (tmp_path / "my_donor" / "latest_net_G.pth").write_bytes(b"")
    with pytest.raises(UserError, match=rf"--pretrained {name}: neither .*; did you mean {meant}\?$"):
        find_donor(name, tmp_path)
