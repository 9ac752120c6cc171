"""--to page: the page in a real browser gives test.py's masks, says what it cannot read, and asks for nothing."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from models.export import __main__ as script
from models.export import page
from tests.helpers import save_run, words
from tests.models.export.tab import Tab
from util.errors import UserError
from util.run.checkpoint import save_networks

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1200)]
RUN = "--model pix2pix --netG unet_128 --ngf 8 --norm batch --crop_size 128 --dataset_mode single --dataroot nowhere"
AFTER = "--mask_threshold 0.51 --fill_holes --min_area 9 --keep_largest 3"


@pytest.fixture
def exported(start, tmp_path) -> Path:
    """The page of a run with random weights, in a folder without anything else."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed: the page needs onnxruntime-web from it")
    model = save_run(tmp_path, "run", *words(RUN))
    save_networks(tmp_path / "run", "latest", model.networks)
    path = tmp_path / "alone" / "page.html"
    start(script.main, "run", "--to", "page", "--checkpoints_dir", tmp_path, "--out", path, *words(AFTER))
    return path


@pytest.fixture
def tab(tmp_path):
    with Tab(tmp_path) as tab:
        yield tab


def five_xrays(real_data: Path, folder: Path) -> list[Path]:
    """Five real X-rays: two of phase val, two DICOM files of 1024 x 1024, and a PNG of 16 bits in another shape."""
    folder.mkdir()
    with (real_data / "lungs" / "splits.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["split"] == "val"]
    lungs = [real_data / "lungs" / "images" / Path(row["image"]).name for row in rows[:: len(rows) // 2][:2]]
    dicoms = sorted((real_data / "dicom").glob("siim*.dcm"))
    files = [Path(shutil.copy(path, folder)) for path in (*lungs, *dicoms)]
    Image.fromarray(np.asarray(Image.open(lungs[0]).convert("L")).astype(np.uint16) * 257).resize((301, 333)).save(
        folder / "deep.png"
    )
    return [*files, folder / "deep.png"]


def test_the_page_gives_the_masks_of_test_py_and_connects_to_nothing(exported, tab, real_data, apply, tmp_path):
    files = five_xrays(real_data, tmp_path / "scans")
    results = apply("--dataset_mode", "single", "--dataroot", str(tmp_path / "scans"), *words(AFTER))
    assert exported.stat().st_size < 40e6
    tab.open(exported)
    for file in files:
        line = tab.choose(file)
        assert " pixels, " in line, line
        wanted = np.asarray(Image.open(results / "masks" / f"{file.stem}.png")) > 0
        shown = np.frombuffer(tab.mask(), np.uint8).reshape(wanted.shape) > 0
        assert 0 < wanted.mean() < 1
        assert (shown != wanted).mean() <= 0.001, file.name
    assert tab.requests() == []
    assert tab.run("fetch('https://example.org').then(() => 'connected', () => 'refused')") == "refused"


def test_the_sliders_and_the_download(exported, tab, tmp_path):
    from data.phantom.chests import chest

    Image.fromarray(chest(3, size=200)[0]).save(tmp_path / "scan.png")
    tab.open(exported)
    tab.choose(tmp_path / "scan.png")
    before = np.frombuffer(tab.mask(), np.uint8).sum()
    set_slider = "(e => { e.value = %s; e.dispatchEvent(new Event('input')); })(document.getElementById('%s'))"
    tab.run(set_slider % (0, "threshold"))
    assert np.frombuffer(tab.mask(), np.uint8).all()
    assert tab.run("document.getElementById('area').textContent") == "40,000 pixels, 100.0 %"
    tab.run("document.getElementById('reset').click()")
    assert np.frombuffer(tab.mask(), np.uint8).sum() == before
    tab.run(set_slider % (0.2, "opacity"))
    assert tab.run("getComputedStyle(document.getElementById('overlay')).opacity") == "0.2"
    tab.send("Browser.setDownloadBehavior", behavior="allow", downloadPath=str(tmp_path / "saved"))
    tab.run("document.getElementById('download').click()")
    saved = tmp_path / "saved" / "scan_mask.png"
    tab.wait(saved.exists)
    assert (np.asarray(Image.open(saved).convert("L")) == 255).sum() == before


def test_files_that_the_page_cannot_read_are_refused_in_one_line(exported, tab, tmp_path):
    from pydicom.uid import JPEG2000Lossless

    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.dcm").write_bytes(bytes(128) + b"DICM" + bytes(60))
    odd = bytes(128) + b"DICM" + b"\x02\x00\x10\x00UI" + len(JPEG2000Lossless).to_bytes(2, "little")
    (tmp_path / "j2k.dcm").write_bytes(odd + JPEG2000Lossless.encode() + bytes(40))
    tab.open(exported)
    assert "not an image that this browser can read; PNG, JPEG and DICOM work" in tab.choose(tmp_path / "text.png")
    assert "DICOM" in tab.choose(tmp_path / "cut.dcm")
    assert "compression (JPEG 2000) this page cannot read" in tab.choose(tmp_path / "j2k.dcm")


def test_another_package_than_the_pinned_one_is_not_used(tmp_path, monkeypatch):
    def fetch(package, integrity, folder, needed_by):
        raise UserError("another hash")

    monkeypatch.setattr(page, "RUNTIME", dict.fromkeys(page.RUNTIME, "0"))
    monkeypatch.setattr(page, "fetch_package", fetch)
    with pytest.raises(UserError, match="another hash"):
        page.runtime()
