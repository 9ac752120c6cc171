"""--to page: the page in a real browser gives test.py's masks, says what it cannot read, and asks for nothing."""

import csv
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pydicom import uid

from data.read.dicom import read_dicom
from models.export import __main__ as script
from models.export import page
from tests.dicoms import write_dicom
from tests.helpers import words
from tests.models.export.tab import ExportTab
from util.errors import UserError

pytestmark = [pytest.mark.slow, pytest.mark.browser, pytest.mark.timeout(1200)]
TRAINED = (
    "--model pix2pix --netG unet_128 --ngf 8 --ndf 8 --norm batch --load_size 128 --crop_size 128 --lr 0.001 "
    "--dataset_mode phantom --phantom_count 32 --batch_size 2 --n_epochs 6 --n_epochs_decay 0 --val_freq 0 "
    "--gpu_ids -1 --display_id 0 --no_html --num_threads 0"
)
"""A random network would not do: its outputs lie near the threshold, where the last digit decides."""
AFTER = "--mask_threshold 0.51 --fill_holes --min_area 9 --keep_largest 3"


@pytest.fixture
def exported(start, run, tmp_path) -> Path:
    """The page of a small trained run, in a folder without anything else."""
    if not shutil.which("npm"):
        pytest.skip("npm is not installed: the page needs onnxruntime-web from it")
    run(*words(TRAINED))
    path = tmp_path / "alone" / "page.html"
    start(script.main, "run", "--to", "page", "--checkpoints_dir", tmp_path, "--out", path, *words(AFTER))
    return path


@pytest.fixture
def tab(tmp_path):
    with ExportTab(tmp_path) as tab:
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


KINDS = {
    "plain": {},
    "implicit": {"syntax": uid.ImplicitVRLittleEndian},
    "rle": {"syntax": uid.RLELossless},
    "jpeg": {"syntax": uid.JPEGBaseline8Bit},
    "inverted": {"PhotometricInterpretation": "MONOCHROME1"},
    "deep": {"BitsStored": 12},
    "deep_rle": {"BitsStored": 12, "syntax": uid.RLELossless},
    "window": {"BitsStored": 12, "WindowCenter": 1500, "WindowWidth": 900},
    "exact": {"BitsStored": 12, "WindowCenter": 1500, "WindowWidth": 900, "VOILUTFunction": "LINEAR_EXACT"},
    "sigmoid": {"BitsStored": 12, "WindowCenter": 1500, "WindowWidth": 900, "VOILUTFunction": "SIGMOID"},
    "rescale": {"BitsStored": 12, "RescaleSlope": -2, "RescaleIntercept": 100, "RescaleType": "US"},
    "signed": {"BitsStored": 16, "PixelRepresentation": 1},
}
"""DICOM files of every kind that the page reads."""


def test_dicom_files_have_the_pixels_that_test_py_sees(exported, tab, tmp_path):
    random = np.random.default_rng(0)
    tab.open(exported)
    for name, header in KINDS.items():
        bits = header.get("BitsStored", 8)
        pixels = random.integers(0, 2**bits, (40, 31)).astype(np.uint8 if bits == 8 else np.uint16)
        if "PixelRepresentation" in header:
            pixels = pixels.view(np.int16)
        path = write_dicom(tmp_path / f"{name}.dcm", pixels, **header)
        assert "31 x 40 pixels" in tab.choose(path), name
        shown, white = tab.pixels()
        wanted = read_dicom(path).pixels
        assert white == np.iinfo(wanted.dtype).max, name
        # Two decoders of JPEG may round differently, and so may 1 / (1 + exp(x)).
        assert np.abs(shown - wanted).max() <= {"jpeg": 2, "sigmoid": 1}.get(name, 0), name


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


DROP_TWO = """new Promise((done) => {
  const lines = [], status = document.getElementById("status");
  new MutationObserver((changes) => {
    for (const change of changes) for (const node of change.addedNodes) lines.push(node.data);
    if (lines.length === 4) done(lines.slice(2)); // after two of "Segmenting ..."
  }).observe(status, { childList: true });
  const canvas = new OffscreenCanvas(90, 70);
  canvas.getContext("2d");
  canvas.convertToBlob().then((blob) => {
    for (const name of ["a.png", "b.png"]) {
      const dataTransfer = new DataTransfer();
      dataTransfer.items.add(new File([blob], name));
      document.dispatchEvent(new DragEvent("drop", { dataTransfer }));
    }
  });
})"""


def test_two_files_that_are_dropped_while_the_network_loads_are_both_segmented(exported, tab):
    tab.open(exported)
    lines = sorted(tab.run(DROP_TWO))
    assert [line.split(",")[0] for line in lines] == ["a.png: 90 x 70 pixels", "b.png: 90 x 70 pixels"]


def test_files_that_the_page_cannot_read_are_refused_in_one_line(exported, tab, tmp_path):
    (tmp_path / "text.png").write_text("no image")
    (tmp_path / "cut.dcm").write_bytes(bytes(128) + b"DICM" + bytes(60))
    odd = bytes(128) + b"DICM" + b"\x02\x00\x10\x00UI" + len(uid.JPEG2000Lossless).to_bytes(2, "little")
    (tmp_path / "j2k.dcm").write_bytes(odd + uid.JPEG2000Lossless.encode() + bytes(40))
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
