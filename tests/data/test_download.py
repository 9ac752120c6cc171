"""python -m data.download, run as a user would, with a server on this machine."""

import errno
import io
import re
import zipfile
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import torch

from data import download
from models.networks.define import define_G
from tests.util.web import serving
from util.errors import run_script
from util.fetch import catalogue
from util.fetch.obtain import obtain_donor


@pytest.fixture
def web():
    with serving() as web:
        yield web


@pytest.fixture
def run(start, monkeypatch, tmp_path, capsys):
    """Start the command in an empty folder; returns its exit code and what it prints."""
    monkeypatch.chdir(tmp_path)

    def call(*names: str) -> tuple[int, str]:
        with pytest.raises(SystemExit) as end:
            start(lambda: run_script(download.main), *names)
        printed = capsys.readouterr()
        return end.value.code, printed.out + printed.err

    return call


def packed(files):
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return data.getvalue()


PICTURES = {"cezanne2photo/trainA/1.jpg": b"Cezanne", "cezanne2photo/trainB/2.jpg": b"photo"}


def publish(monkeypatch, url, name="cezanne2photo", checksum=None):
    """Put a data set of one file, at `url`, into the catalogue."""
    known = catalogue.DATA_SETS[name]
    file = replace(known.files[0], url=url, size=None, checksum=checksum)
    monkeypatch.setitem(catalogue.DATA_SETS, name, replace(known, files=(file,)))


def publish_donor(monkeypatch, url, name="zebra2horse"):
    known = catalogue.DONORS[name]
    monkeypatch.setitem(catalogue.DONORS, name, replace(known, file=replace(known.file, url=url, size=None)))


def generator():
    data = io.BytesIO()
    torch.save(define_G(3, 3, 2, "unet_64").state_dict(), data)
    return data.getvalue()


def tree(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_downloading_a_data_set_prints_its_terms_and_the_next_command(run, web, monkeypatch, tmp_path):
    publish(monkeypatch, web.put("/a.zip", packed(PICTURES)))
    code, said = run("cezanne2photo")
    assert code == 0
    assert "licence: paintings from WikiArt" in said
    assert "ICCV 2017" in said
    assert "ready; next: python train.py --dataroot datasets/cezanne2photo --dataset_mode unaligned" in said
    files = ["cezanne2photo/SOURCE.txt", "cezanne2photo/trainA/1.jpg", "cezanne2photo/trainB/2.jpg"]
    assert tree(tmp_path) == [f"datasets/{file}" for file in files]
    source = (tmp_path / "datasets/cezanne2photo/SOURCE.txt").read_text()
    assert "from: http://127.0.0.1" in source
    assert "licence: " in source
    assert "sha256: " in source


def test_a_second_call_fetches_nothing(run, web, monkeypatch):
    publish(monkeypatch, web.put("/a.zip", packed(PICTURES)))
    run("cezanne2photo")
    code, said = run("cezanne2photo")
    assert code == 0
    assert "ready; next:" in said
    assert "downloading" not in said
    assert len(web.asked) == 1


def test_an_existing_folder_of_the_users_is_not_changed(run, web, monkeypatch, tmp_path):
    publish(monkeypatch, web.put("/a.zip", packed(PICTURES)))
    mine = tmp_path / "datasets/cezanne2photo/mine.jpg"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine")
    code, said = run("cezanne2photo")
    assert code == 2
    assert "left as it is" in said
    assert "--datasets_dir" in said
    assert tree(tmp_path) == ["datasets/cezanne2photo/mine.jpg"]
    assert not web.asked
    assert run("cezanne2photo", "--datasets_dir", "elsewhere")[0] == 0
    assert (tmp_path / "elsewhere/cezanne2photo/trainA/1.jpg").is_file()


def test_an_archive_that_was_downloaded_by_hand_is_used_and_kept(run, monkeypatch, tmp_path):
    publish(monkeypatch, "http://nowhere.invalid/a.zip")
    code, said = run("cezanne2photo")
    assert code == 2
    assert said.splitlines()[-1].startswith("error: http://nowhere.invalid/a.zip: cannot be reached")
    assert "save it as datasets/cezanne2photo.zip" in said
    (tmp_path / "datasets/cezanne2photo.zip").write_bytes(packed(PICTURES))
    code, said = run("cezanne2photo")
    assert code == 0
    assert "using datasets/cezanne2photo.zip" in said
    assert (tmp_path / "datasets/cezanne2photo/trainA/1.jpg").read_bytes() == b"Cezanne"
    assert (tmp_path / "datasets/cezanne2photo.zip").is_file()


@pytest.mark.parametrize(
    ("content", "checksum", "message"),
    [
        (packed(PICTURES), "md5:" + "0" * 32, "wrong md5 checksum.*delete it"),
        (b"<html>Log in", None, "damaged or unknown archive.*delete it"),
    ],
)
def test_a_wrong_archive_that_was_downloaded_by_hand_is_refused(run, monkeypatch, tmp_path, content, checksum, message):
    publish(monkeypatch, "http://nowhere.invalid/a.zip", checksum=checksum)
    (tmp_path / "datasets").mkdir()
    (tmp_path / "datasets/cezanne2photo.zip").write_bytes(content)
    code, said = run("cezanne2photo")
    assert code == 2
    assert re.search(message, said)
    assert tree(tmp_path) == ["datasets/cezanne2photo.zip"]


@pytest.mark.parametrize("page", [b"<html>Log in", packed(PICTURES)[:-30]])
def test_a_download_that_is_no_archive_is_deleted(run, web, monkeypatch, tmp_path, page):
    publish(monkeypatch, web.put("/a.zip", page, length=False))
    code, said = run("cezanne2photo")
    assert code == 2
    assert "neither a .tar.gz nor a whole .zip; nothing was kept" in said
    assert tree(tmp_path) == []


def test_files_of_a_killed_download_do_not_get_into_the_next(run, web, monkeypatch, tmp_path):
    publish(monkeypatch, web.put("/a.zip", packed(PICTURES)))
    stale = tmp_path / "datasets/.cezanne2photo.unpacking/stale.jpg"
    stale.parent.mkdir(parents=True)
    stale.write_bytes(b"stale")
    assert run("cezanne2photo")[0] == 0
    assert not stale.exists()
    assert not (tmp_path / "datasets/cezanne2photo/stale.jpg").exists()


def test_an_archive_with_harmful_paths_leaves_no_files(run, web, monkeypatch, tmp_path):
    publish(monkeypatch, web.put("/a.zip", packed(PICTURES | {"../../evil": b"evil"})))
    code, said = run("cezanne2photo")
    assert code == 2
    assert "leads out of the folder" in said
    assert tree(tmp_path) == ["datasets/cezanne2photo.zip"]


def test_a_full_disk_leaves_no_partial_data_set(run, web, monkeypatch, tmp_path):
    def full(*args):
        raise OSError(errno.ENOSPC, "No space left on device")

    publish(monkeypatch, web.put("/a.zip", packed(PICTURES)))
    with monkeypatch.context() as patch:
        patch.setattr("shutil.copyfileobj", full)
        code, said = run("cezanne2photo")
    assert code == 2
    assert "No space left on device" in said
    assert tree(tmp_path) == ["datasets/cezanne2photo.zip"]
    assert run("cezanne2photo")[0] == 0
    assert len(web.asked) == 1


def test_several_archives_become_one_folder(run, web, monkeypatch, tmp_path):
    known = catalogue.DATA_SETS["cmp_facades"]
    parts = [packed({f"{part}/cmp_{part[0]}0001.jpg": b"x"}) for part in ("base", "extended")]
    files = [replace(file, url=web.put(f"/{file.name}", part)) for file, part in zip(known.files, parts, strict=True)]
    monkeypatch.setitem(catalogue.DATA_SETS, "cmp_facades", replace(known, files=tuple(files)))
    code, said = run("cmp_facades")
    assert code == 0
    assert "python -m data.prepare facades datasets/cmp_facades" in said
    folder = tmp_path / "datasets/cmp_facades"
    assert tree(folder) == ["SOURCE.txt", "base/cmp_b0001.jpg", "extended/cmp_e0001.jpg"]


def test_a_set_behind_a_login_says_how_to_get_it(run, web, monkeypatch, tmp_path):
    code, said = run("siim")
    assert code == 2
    assert "log in at https://www.kaggle.com" in said
    assert "data.prepare siim datasets/siim" in said
    publish(monkeypatch, web.put("/a.zip", packed({"masks/left lung/JPCLN001.gif": b"x"})), "jsrt")
    code, said = run("jsrt")
    assert code == 0
    assert "register at http://db.jsrt.or.jp" in said
    assert "data.prepare jsrt datasets/jsrt" in said


def test_a_generator_is_saved_where_upstreams_scripts_put_it(run, web, monkeypatch, tmp_path):
    publish_donor(monkeypatch, web.put("/a.pth", generator()))
    code, said = run("zebra2horse")
    assert code == 0
    assert "--netG resnet_9blocks --ngf 64 --norm instance --no_dropout" in said
    assert "ICCV 2017" in said
    assert tree(tmp_path / "checkpoints") == [
        "zebra2horse_pretrained/SOURCE.txt",
        "zebra2horse_pretrained/latest_net_G.pth",
    ]
    code, said = run("zebra2horse_pretrained")
    assert code == 0
    assert "ready; use it with train.py" in said
    assert len(web.asked) == 1


@pytest.mark.parametrize("page", [b"not torch's", b"PK\x03\x04 damaged"])
def test_a_download_that_is_no_generator_is_not_saved(run, web, monkeypatch, tmp_path, page):
    publish_donor(monkeypatch, web.put("/a.pth", page))
    code, said = run("zebra2horse")
    assert code == 2
    assert re.search("not a checkpoint|damaged", said)
    assert not any((tmp_path / "checkpoints").iterdir())


def test_processes_that_need_the_same_generator_download_it_once(web, monkeypatch, tmp_path):
    publish_donor(monkeypatch, web.put("/a.pth", generator(), cut=[1000]))
    with ThreadPoolExecutor() as pool:
        paths = {pool.submit(obtain_donor, catalogue.DONORS["zebra2horse"], tmp_path) for _ in range(4)}
        assert len({path.result() for path in paths}) == 1
    assert [asked for _, asked in web.asked] == [None, "bytes=1000-"]


def test_a_name_of_a_data_set_and_a_generator_downloads_both(run, web, monkeypatch, tmp_path):
    publish(monkeypatch, web.put("/a.zip", packed({"horse2zebra/trainA/1.jpg": b"x"})), "horse2zebra")
    publish_donor(monkeypatch, web.put("/a.pth", generator()), "horse2zebra")
    assert run("horse2zebra")[0] == 0
    assert (tmp_path / "datasets/horse2zebra/trainA/1.jpg").is_file()
    assert (tmp_path / "checkpoints/horse2zebra_pretrained/latest_net_G.pth").is_file()


def test_an_unknown_name_is_refused_before_any_download(run, web, monkeypatch):
    publish(monkeypatch, web.put("/a.zip", packed(PICTURES)))
    code, said = run("cezanne2photo", "horse2zebr")
    assert code == 2
    assert "did you mean horse2zebra" in said
    assert not web.asked
    assert "did you mean horse2zebra" in run("Horse2Zebra")[1]


def test_the_list_names_all_data_sets_and_generators(run):
    code, said = run("--list")
    assert code == 0
    for name in [*catalogue.DATA_SETS, *catalogue.DONORS, "facades_photo2label"]:
        assert f" {name} " in said


def test_without_a_name_the_command_prints_its_usage(run):
    code, said = run()
    assert code == 2
    assert "want a NAME or --list" in said
