"""`python -m models.export`: the exported file gives test.py's masks, and what cannot be exported is refused."""

import json
import re
import sys

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import options.test
from data.classes import Classes
from models.apply.trained import Trained
from models.export import __main__ as script
from models.export import check
from models.export.check import as_input
from models.export.to_onnx import apply_onnx
from models.export.to_torch import apply_torch
from models.export.whole import Whole
from tests.helpers import ROOT, save_run, words
from util.errors import UserError
from util.run.checkpoint import save_networks

SMALL = "--model pix2pix --netG unet_64 --ngf 4 --norm batch --crop_size 64 --dataset_mode masks --dataroot nowhere"


@pytest.fixture
def save(tmp_path):
    """Save a run with random weights; its batch norms have scales, shifts and averages, as after training."""

    def call(*flags: str, name: str = "run") -> None:
        model = save_run(tmp_path, name, *words(SMALL), *flags)
        for layer in model.networks[model.translator].modules():
            if isinstance(layer, nn.BatchNorm2d):
                layer.weight.data.uniform_(0.5, 1.5)
                layer.bias.data.normal_(0, 0.3)
                layer.running_mean.normal_()
        save_networks(tmp_path / name, "latest", model.networks)

    return call


@pytest.fixture
def export(start, tmp_path, monkeypatch):
    """Export a run of tmp_path; returns the path of the file. More pixels may differ than usual, since the outputs of a
    random network lie near the threshold."""
    monkeypatch.setattr(check, "MOST", 0.01)

    def call(*flags: str, to: str = "onnx", name: str = "run"):
        path = tmp_path / f"file.{to}"
        start(script.main, name, "--to", to, "--checkpoints_dir", tmp_path, "--out", path, *flags)
        return path

    return call


@pytest.fixture
def scan(tmp_path):
    """An X-ray that is neither square nor of the network's size, in a folder of its own."""
    from data.phantom.chests import chest

    pixels = chest(5, size=150)[0][20:]
    (tmp_path / "scans").mkdir()
    Image.fromarray(pixels).save(tmp_path / "scans" / "scan.png")
    return pixels


@pytest.mark.slow
@pytest.mark.parametrize(
    "flags",
    [
        "--input_nc 1 --output_nc 1",
        "--classes lungs_dark --norm_stats running",
        "--preprocess scale_width --intensity percentile --input_norm zscore --tta",
        "--preprocess none --mask_threshold 0.6,50,0.4 --model cycle_gan --netG resnet_6blocks --norm instance",
    ],
)
def test_an_onnx_file_gives_the_masks_of_test_py(flags, save, export, scan, capsys):
    given = words(flags)
    save(*given)
    export(*(["--tta"] if "--tta" in given else []))
    lines = capsys.readouterr().out.splitlines()
    shown = re.search(
        r"checked on 8 drawn X-rays: probabilities differ by up to (\S+), masks in up to (\S+)%", lines[-2]
    )
    assert float(shown[1]) < 0.01
    assert float(shown[2]) < 0.3


@pytest.mark.slow
def test_norms_by_image_are_instance_norms_with_their_own_scale_and_an_image_does_not_change_its_neighbour(
    save, export
):
    import onnx

    save("--norm_stats", "image")
    content = export().read_bytes()
    model = onnx.load_from_string(content)
    operations = [node.op_type for node in model.graph.node]
    assert operations.count("InstanceNormalization") == 9
    assert "BatchNormalization" not in operations
    assert b"/models/" not in content  # no path of this machine
    apply = apply_onnx(content)
    images = np.random.default_rng(0).integers(0, 256, (3, 1, 50, 90)).astype(np.float32)
    _, together = apply(images, 255)
    for i in range(3):
        assert np.abs(apply(images[i : i + 1], 255)[1][0] - together[i]).max() < 1e-5
        colour = np.repeat(images[i : i + 1], 3, axis=1)
        assert np.abs(apply(colour, 255)[1][0] - together[i]).max() < 1e-5  # a grey image is three equal channels


@pytest.mark.slow
def test_an_adapted_run_is_exported_with_its_task(run, export, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(check, "MOST", 0.001)
    donor = save_run(tmp_path, "donor", *words(SMALL))
    flags = "--dataset_mode phantom --phantom_count 4 --netG unet_64 --ngf 4 --ndf 4 --norm batch --load_size 64"
    more = "--crop_size 64 --gpu_ids -1 --display_id 0 --n_epochs 1 --n_epochs_decay 0 --no_html --lr 0.05"
    run(*words(flags), *words(more), "--model", "pix2pix", "--pretrained", "donor", "--adapt", "masks")
    assert (tmp_path / "run" / "latest_task_G.safetensors").exists()
    adapted = apply_onnx(export().read_bytes())
    image = np.random.default_rng(0).random((1, 1, 64, 64), np.float32)
    alone = donor.translate(torch.from_numpy(image).expand(1, 3, 64, 64) * 2 - 1).mean(1) / 2 + 0.5
    assert np.abs(adapted(image * 255, 255)[1] - alone.numpy()).max() > 0.01
    assert "checked on 8 images of phase val" in capsys.readouterr().out


@pytest.mark.slow
def test_the_reader_in_the_page_writes_the_mask_that_test_py_writes(save, export, scan, apply, tmp_path, monkeypatch):
    save("--output_nc", "1", "--classes", "lungs")
    after = words("--fill_holes --min_area 5 --keep_largest 2 --mask_threshold 0.52")
    export(*after).rename(tmp_path / "my_lungs.onnx")
    results = apply("--dataset_mode", "single", "--dataroot", str(tmp_path / "scans"), *after)
    monkeypatch.chdir(tmp_path)
    reader = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "export.md").read_text(encoding="utf-8"), re.S)[0]
    wanted = np.asarray(Image.open(results / "masks" / "scan.png")) > 0
    assert 0 < wanted.mean() < 1
    grey = Image.fromarray(scan)
    # The last one turns the order of the palette round, so that its numbers are no shades.
    palette = grey.point(lambda shade: 255 - shade)
    palette.putpalette([255 - shade for shade in range(256) for _ in range(3)])
    for picture in (grey, Image.fromarray(scan.astype(np.uint16) * 257), *map(grey.convert, ("LA", "RGBA")), palette):
        picture.save("scan.png")
        exec(compile(reader, "reader", "exec"), {})  # noqa: S102 - it is our own page
        written = np.asarray(Image.open("scan_mask.png")) > 0
        assert (written != wanted).mean() < 0.01, picture.mode
    Image.fromarray(scan.astype(np.int32)).save("scan.png", format="TIFF")
    with pytest.raises(SystemExit, match=r"scan.png: mode I: its white is not known"):
        exec(compile(reader, "reader", "exec"), {})  # noqa: S102


@pytest.mark.slow
def test_a_torch_export_file_gives_the_masks_of_the_onnx_file(save, export, scan):
    save()
    onnx_file, torch_file = apply_onnx(export().read_bytes()), apply_torch(export(to="torchexport").read_bytes())
    (mask, values), (other_mask, other_values) = (apply(*as_input(scan)) for apply in (onnx_file, torch_file))
    assert np.abs(values - other_values).max() < 1e-5
    assert (mask != other_mask).mean() < 0.001


def test_a_size_that_a_program_of_torch_does_not_take_ends_in_one_line(monkeypatch):
    class Compiled:
        def module(self):
            return self

        def __call__(self, image, white):
            raise AssertionError("Guard failed: image.size()[3] % 64 != 1")

    monkeypatch.setattr(torch.export, "load", lambda file: Compiled())
    with pytest.raises(UserError, match="would not take images of 64 x 32 pixels; take --to onnx$"):
        apply_torch(b"")(np.zeros((1, 1, 32, 64), np.float32), 255.0)


def test_a_run_that_keeps_sizes_is_no_program_of_torch(save, export):
    save("--preprocess", "none")
    with pytest.raises(
        UserError, match="--to torchexport: this run does not bring images to one size .*; take --to onnx"
    ):
        export(to="torchexport")


@pytest.mark.slow
def test_int8_makes_a_file_a_quarter_as_large_with_nearly_the_same_masks(save, export, scan, monkeypatch):
    monkeypatch.setattr(check, "MOST_INT8", 0.1)
    save("--ngf", "16")
    whole = export().read_bytes()
    small = export("--int8", "--overwrite").read_bytes()
    assert len(small) < len(whole) / 3
    (_, values), (_, others) = (apply_onnx(content)(*as_input(scan)) for content in (whole, small))
    assert 0 < np.abs(values - others).max() < 0.1


@pytest.mark.slow
def test_a_file_whose_masks_differ_is_not_written(save, export, monkeypatch, tmp_path):
    save()
    monkeypatch.setattr(Whole, "_stretched", lambda self, image, white, copies: image.flip(-1))
    with pytest.raises(UserError, match=r"not written: .* its mask differs from test.py's in [\d.]+% of the pixels"):
        export(to="torchexport")
    assert not list(tmp_path.glob("*.torchexport*"))


def test_facts_hold_what_the_file_leaves_to_its_reader(save, tmp_path, start, monkeypatch):
    save()
    from models.export import exported as module
    from options.test import TEST, resolve

    typed = TEST.typed(["--name", "run", "--checkpoints_dir", str(tmp_path), "--keep_largest", "2"])
    opt = resolve(typed | {"gpu_ids": "-1"})
    with script.images(opt, chosen=False) as (loader, _):
        facts = module.exported(opt, loader, None, threshold_typed=False).facts
    assert facts["after"] == {"fill_holes": False, "min_area": 0, "keep_largest": 2}
    assert str(tmp_path) not in json.dumps(facts)


def test_a_typed_threshold_is_exported_and_else_the_one_that_was_chosen_on_val(save, tmp_path, export, monkeypatch):
    """0.5 too, which is also the default."""
    save("--classes", "lungs")
    run = Trained([options.test.parse(["--name", "run", "--checkpoints_dir", str(tmp_path)])], torch.device("cpu"))
    entry = run.applied(Classes.load("lungs")) | {"threshold": 0.25, "images": 3, "data": "nowhere"}
    (tmp_path / "run" / "threshold.json").write_text(json.dumps([entry]))

    def stop(exported):
        raise UserError(f"threshold {exported.rule.threshold}")

    monkeypatch.setattr("models.export.to_onnx.write_onnx", stop)
    for flags, threshold in (("", 0.25), ("--mask_threshold 0.5", 0.5), ("--mask_threshold auto", 0.25)):
        with pytest.raises(UserError, match=f"threshold {threshold}"):
            export(*words(flags))


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--clahe", "--clahe: an exported file cannot do that"),
        ("--patch 32", "--patch 32: an exported file cannot do that"),
        ("--direction BtoA", "--direction BtoA: this run draws images from masks"),
        ("--classes facades", "--classes facades: 12 classes; an exported file makes masks of background"),
        ("--epoch 7", "--epoch 7: .*7_net_G.pth does not exist; saved epochs: latest"),
        ("--mask_threshold auto", "choose it first on validation images"),
        ("--keep_larges 2", "unknown flag --keep_larges: did you mean --keep_largest"),
        ("--phase nonsense", "--dataroot nowhere: no such folder"),
    ],
)
def test_what_cannot_be_exported_is_refused_in_one_line(flags, message, save, export, tmp_path):
    save()
    with pytest.raises(UserError, match=message):
        export(*words(flags))
    assert not list(tmp_path.glob("file.*"))


def test_a_run_is_named_first_and_exists(start, tmp_path):
    for given, message in (
        ("", "name a run first"),
        ("--to onnx run", "name a run first"),
        ("run --to tflite", "--to tflite: choose one of onnx, torchexport, page"),
        ("run", "--to nothing: choose one of"),
        ("run --to torchexport --int8", "--int8: only --to onnx and --to page have it"),
        ("a,b --to onnx", "a,b: a file holds one run"),
        (f"unknown --to onnx --checkpoints_dir {tmp_path}", f"run unknown: there is no run {tmp_path}/unknown;.*none"),
    ):
        with pytest.raises(UserError, match=message):
            start(script.main, *given.split())
    (tmp_path / "my_lungs").mkdir()
    (tmp_path / "my_lungs" / "latest_net_G.pth").touch()
    with pytest.raises(UserError, match="run my_lung: there is no run .*my_lung; did you mean my_lungs"):
        start(script.main, "my_lung", "--to", "onnx", "--checkpoints_dir", tmp_path)


def test_a_folder_of_upstream_needs_the_flags_that_it_does_not_record(save, export, tmp_path):
    save()
    (tmp_path / "run" / "options.json").unlink()
    network = "--model test --netG unet_64 --ngf 4 --norm batch"
    with pytest.raises(UserError, match="run run does not say what the colours of its output mean.*give --classes"):
        export(*words(network))
    (tmp_path / "run" / "latest_net_G.pth").rename(tmp_path / "run" / "latest_net_G_A.pth")
    with pytest.raises(UserError, match="this epoch has G_A; check --model and, for --model test, --model_suffix"):
        export(*words(network), "--classes", "lungs")


def test_a_file_that_exists_is_replaced_only_with_overwrite(save, export, tmp_path):
    save()
    (tmp_path / "file.onnx").write_text("a user's")
    with pytest.raises(UserError, match="file.onnx exists already; take another --out, or --overwrite"):
        export()
    assert (tmp_path / "file.onnx").read_text() == "a user's"


def test_without_the_extra_one_line_names_it(save, export, monkeypatch):
    save()
    monkeypatch.setitem(sys.modules, "onnxscript", None)
    with pytest.raises(
        UserError, match=r'--to onnx: .*onnxscript.*: it needs the extra export: pip install "\.\[export\]"'
    ):
        export()
