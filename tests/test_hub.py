"""hubconf.py: a run as a function of images, and donors as torch modules, as torch.hub loads them."""

import re
import textwrap

import numpy as np
import pydicom
import pytest
import torch
from PIL import Image

from data.phantom.chests import chest
from tests.dicoms import write_dicom
from tests.helpers import ROOT, python, save_run, words
from util.errors import UserError

NET = words("--netG unet_64 --ngf 4 --crop_size 64 --init_gain 0.2 --dataset_mode masks")


@pytest.fixture
def segmenter(tmp_path):
    save_run(tmp_path, "tiny", *NET)
    return load("segmenter", "tiny", checkpoints_dir=tmp_path, gpu_ids="-1")


def load(entry: str, name: str, **more):
    return torch.hub.load(str(ROOT), entry, name, source="local", **more)


@pytest.fixture
def image() -> np.ndarray:
    return chest(0, size=96)[0]


def test_an_image_gives_a_mask_and_probabilities_of_its_size(segmenter, image):
    mask, probabilities = segmenter(image)
    assert (mask.shape, mask.dtype) == (image.shape, np.uint8)
    assert (probabilities.shape, probabilities.dtype) == (image.shape, np.float32)
    assert np.array_equal(mask, probabilities >= 0.5)
    assert 0 < mask.mean() < 1


def test_the_three_lines_of_the_readme_give_a_mask(tmp_path, image, monkeypatch):
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    (lines,) = re.findall(r"(?:^    .*\n)*^    segmenter = torch.*\n(?:^    .*\n)*", readme, re.M)
    assert len(lines.splitlines()) == 3
    save_run(tmp_path, "my_lungs", *NET)
    write_dicom(tmp_path / "scan.dcm", image)
    monkeypatch.chdir(tmp_path)
    known = f'"{ROOT}", "segmenter", "my_lungs", checkpoints_dir="{tmp_path}",'
    given: dict = {}
    exec(textwrap.dedent(lines).replace('"PATH/TO/pix2mask", "segmenter", "my_lungs",', known), given)  # noqa: S102
    assert given["mask"].shape == given["probabilities"].shape == image.shape


def test_the_example_of_hubconf_runs(tmp_path, image, monkeypatch, capsys):
    import hubconf

    lines = re.findall(r"^(?:\w.* = |print\().*", hubconf.__doc__ or "", re.M)
    assert len(lines) == 5
    save_run(tmp_path, "my_lungs", *NET)
    write_dicom(tmp_path / "scan.dcm", image)
    monkeypatch.chdir(tmp_path)
    text = "\n".join(lines).replace("PATH or owner/repo", str(ROOT)).replace("PATH", str(ROOT))
    given: dict = {"torch": torch}
    exec(text.replace('"my_lungs",', f'"my_lungs", checkpoints_dir="{tmp_path}",'), given)  # noqa: S102
    assert given["mask"].shape == given["probabilities"].shape == image.shape
    assert float(capsys.readouterr().out) == given["segmentation"].confidence
    assert isinstance(given["generator"], torch.nn.Module)


def test_paths_pil_images_arrays_and_dicom_data_sets_are_the_same_image(segmenter, image, tmp_path):
    Image.fromarray(image).save(tmp_path / "x.png")
    dicom = write_dicom(tmp_path / "x.dcm", image)
    deep = image.astype(np.uint16) * 257
    colour = np.repeat(image[:, :, None], 3, axis=2)
    expected = segmenter(image).probabilities
    for one in (tmp_path / "x.png", str(tmp_path / "x.png"), Image.fromarray(image), dicom, pydicom.dcmread(dicom)):
        assert np.array_equal(segmenter(one).probabilities, expected)
    for one in (colour, Image.fromarray(colour), deep, Image.fromarray(deep)):  # resized with more digits, or channels
        assert np.allclose(segmenter(one).probabilities, expected, atol=2e-2)


def test_a_dicom_data_set_is_not_changed_and_needs_no_file(segmenter, image, tmp_path):
    data_set = pydicom.dcmread(write_dicom(tmp_path / "x.dcm", image, SamplesPerPixel=None))
    segmenter(data_set)
    assert "SamplesPerPixel" not in data_set
    del data_set.file_meta
    assert np.array_equal(segmenter(data_set).mask, segmenter(image).mask)


def test_a_list_gives_what_its_images_give_alone(tmp_path, image):
    save_run(tmp_path, "tiny", *NET)
    images = [image, chest(1, size=70)[0], chest(2, size=120)[0]]
    in_pairs = load("segmenter", "tiny", checkpoints_dir=tmp_path, gpu_ids="-1", batch_size=2)
    for alone, together in zip(map(in_pairs, images), in_pairs(images), strict=True):
        assert np.array_equal(alone.probabilities, together.probabilities)


def test_confidence_falls_as_the_map_gets_grey():
    from models.apply.segmenter import Segmentation

    mask = np.array([[1, 1], [0, 0]], np.uint8)
    of = [Segmentation(mask, np.array([[p, p], [1 - p, 1 - p]], np.float32)).confidence for p in (1, 0.9, 0.6)]
    assert of == pytest.approx([1, 0.9, 0.6])
    empty = np.zeros((2, 2), np.uint8)
    assert Segmentation(empty, np.full((2, 2), 0.25, np.float32)).confidence == 0.75


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (np.zeros((4, 4)), r"an array of float64 \[4, 4\]: want uint8 or uint16"),
        (np.zeros((4, 4, 4), np.uint8), "want uint8 or uint16"),
        (17, "an image of type int: want a path"),
        ("nowhere.png", "nowhere.png: no such file"),
        (pydicom.Dataset(), "the DICOM data set: a DICOM file without an image"),
    ],
)
def test_what_is_no_image_is_said_in_one_line(segmenter, wrong, message):
    with pytest.raises(UserError, match=message):
        segmenter(wrong)


def test_flags_are_those_of_segment_py(tmp_path, image):
    save_run(tmp_path, "tiny", *NET)
    strict = load("segmenter", "tiny", checkpoints_dir=tmp_path, gpu_ids="-1", mask_threshold=0.9, keep_largest=1)
    assert np.all(strict(image).probabilities[strict(image).mask == 1] >= 0.9)
    with pytest.raises(UserError, match="unknown flag tat for a segmenter; there are"):
        load("segmenter", "tiny", checkpoints_dir=tmp_path, tat=True)
    with pytest.raises(UserError, match="--mask_threshold"):
        load("segmenter", "tiny", checkpoints_dir=tmp_path, mask_threshold=7)


def test_a_donor_is_a_module_that_keeps_each_image_apart():
    generator = load("generator", "facades_photo2label")
    images = torch.rand(2, 3, 256, 256) * 2 - 1
    with torch.no_grad():
        both, first = generator(images), generator(images[:1])
    assert both.shape == images.shape
    assert torch.allclose(both[:1], first, atol=1e-5)
    with pytest.raises(UserError, match="generator nonesuch: neither a .pth file"):
        load("generator", "nonesuch")


def test_an_adapted_run_gives_its_generator_with_the_task(run):
    flags = "--dataset_mode phantom --phantom_count 2 --netG unet_64 --ngf 4 --ndf 4 --load_size 64 --crop_size 64"
    tiny = [*words(flags), *words("--gpu_ids -1 --display_id 0 --no_html --n_epochs 1 --n_epochs_decay 0")]
    folder = run(*tiny, name="donor").parent
    run(*tiny, "--pretrained", str(folder / "donor"), "--adapt", "masks", "--lr", "0.01", name="task")
    image = torch.rand(1, 3, 64, 64) * 2 - 1
    with torch.no_grad():
        donor, task = (load("generator", name, checkpoints_dir=folder)(image) for name in ("donor", "task"))
    assert not torch.allclose(donor, task)


@pytest.mark.slow
def test_a_program_in_another_folder_can_load_it(tmp_path, image):
    save_run(tmp_path / "ck", "tiny", *NET)
    np.save(tmp_path / "x.npy", image)
    lines = [
        "import numpy, torch",
        f"segmenter = torch.hub.load({str(ROOT)!r}, 'segmenter', 'tiny', source='local', checkpoints_dir='ck')",
        "print(segmenter(numpy.load('x.npy')).mask.shape)",
    ]
    (tmp_path / "mine.py").write_text("\n".join(lines))
    done = python(tmp_path / "mine.py", cwd=tmp_path)
    assert done.stdout.strip() == "(96, 96)", done.stderr


def test_a_program_with_a_package_of_the_same_name_is_told_so(tmp_path):
    (tmp_path / "util.py").write_text("")
    (tmp_path / "mine.py").write_text("import util, hubconf")  # found first in the program's own folder
    done = python(tmp_path / "mine.py", cwd=tmp_path)
    assert f"pix2mask has a package util, and this program another ({tmp_path / 'util.py'})" in done.stderr
