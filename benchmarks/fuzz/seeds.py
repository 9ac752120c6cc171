"""Sound files for benchmarks.fuzz, small and of every kind that a reader knows, and how each of them is read."""

import argparse
import contextlib
import json
import math
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

Read = Callable[[Path], object]


@dataclass
class Seed:
    """path: a sound file. read: reads it as pix2mask does. text: whether it holds text. change: writes the file anew
    with some values changed, for files whose bytes nearly always fail at a checksum."""

    path: Path
    read: Read
    text: bool = False
    change: Callable[[random.Random, Path], None] | None = None


def images(folder: Path) -> list[Seed]:
    from PIL import Image

    from data.read.images import read_file

    grey = (np.indices((24, 20)).sum(0) * 5).astype(np.uint8)
    pictures = {"grey": Image.fromarray(grey), "deep": Image.fromarray(grey.astype(np.uint16) * 257)}
    pictures["colour"] = Image.fromarray(np.stack([grey, grey.T.reshape(24, 20), 255 - grey], -1))
    pictures["palette"], pictures["alpha"] = pictures["colour"].convert("P"), pictures["colour"].convert("RGBA")
    files = [(f"{kind}.png", kind, {}) for kind in pictures]
    files += [
        (f"{kind}{i}.tif", kind, {"compression": compression})
        for kind in ("grey", "deep", "colour")
        for i, compression in enumerate((None, "tiff_lzw", "tiff_adobe_deflate", "packbits"))
    ]
    files += [("fax.tif", "grey", {"compression": "group4"}), ("jpeg.tif", "colour", {"compression": "jpeg"})]
    files += [(f"{kind}.{end}", kind, {}) for kind in ("grey", "colour") for end in ("jpg", "bmp", "webp")]
    files += [("progressive.jpg", "colour", {"progressive": True}), ("x.gif", "palette", {}), ("x.pgm", "deep", {})]
    for name, kind, how in files:
        picture = pictures[kind].convert("1") if how.get("compression") == "group4" else pictures[kind]
        picture.save(folder / name, **how)
    return [Seed(folder / name, lambda path: read_file(path, several=True)) for name, _, _ in files]


def dicom(folder: Path) -> list[Seed]:
    from pydicom import uid

    from data.read.dicom import read_dicom
    from data.read.headers import read_patient, read_spacing

    def read(path: Path) -> None:
        read_patient(path)
        read_spacing(path)
        read_dicom(path)

    syntaxes = (uid.ExplicitVRLittleEndian, uid.ImplicitVRLittleEndian, uid.DeflatedExplicitVRLittleEndian)
    syntaxes += (uid.RLELossless, uid.JPEGLSLossless, uid.JPEG2000Lossless)
    for i, syntax in enumerate(syntaxes):
        _write_dicom(folder / f"{i}.dcm", str(syntax), inverted=i % 2 == 1)
    return [Seed(folder / f"{i}.dcm", read) for i in range(len(syntaxes))]


def _write_dicom(path: Path, syntax: str, inverted: bool) -> None:
    """An X-ray of 12 bits; an inverted one has a VOI LUT."""
    import imagecodecs
    from pydicom import uid
    from pydicom.dataset import Dataset, FileMetaDataset
    from pydicom.encaps import encapsulate
    from pydicom.sequence import Sequence

    pixels = (np.indices((24, 20)).sum(0) * 90).astype(np.uint16)
    image, item = Dataset(), Dataset()
    image.file_meta = FileMetaDataset()
    image.file_meta.TransferSyntaxUID = uid.ExplicitVRLittleEndian
    image.SOPClassUID, image.SOPInstanceUID = uid.DigitalXRayImageStorageForPresentation, "1.2.3.4"
    image.PatientID, image.PatientName, image.PixelSpacing = "P1", "A^B", [0.2, 0.2]
    image.WindowCenter, image.WindowWidth, image.RescaleSlope, image.RescaleIntercept = "1000", "2000", "2", "-5"
    item.LUTDescriptor, item.LUTData = [256, 0, 16], bytes(512)
    item["LUTDescriptor"].VR, item["LUTData"].VR = "US", "OW"
    if inverted:
        image.VOILUTSequence = Sequence([item])
    image.set_pixel_data(pixels, "MONOCHROME1" if inverted else "MONOCHROME2", 12)
    coders = {uid.JPEGLSLossless: imagecodecs.jpegls_encode, uid.JPEG2000Lossless: imagecodecs.jpeg2k_encode}
    if syntax == uid.RLELossless:
        image.compress(syntax)
    elif syntax in coders:
        image.PixelData = encapsulate([coders[uid.UID(syntax)](pixels)])
    image.file_meta.TransferSyntaxUID = uid.UID(syntax)
    image.save_as(path, enforce_file_format=True)


def classes(folder: Path) -> list[Seed]:
    from data.classes import Classes

    many = {f"class {i}": [i, 2 * i, 0] for i in range(20)}
    tables = [{"background": [0, 0, 0], "heart": [255, 0, 0]}, many]
    for i, table in enumerate(tables):
        (folder / f"{i}.json").write_text(json.dumps(table))
    return [Seed(folder / f"{i}.json", lambda path: Classes.load(str(path)), True) for i in range(len(tables))]


def siim(folder: Path) -> list[Seed]:
    from data.prepare.run_lengths import decode, read_table

    def read(path: Path) -> None:
        for parts in read_table(path).values():
            for runs in parts:
                decode(runs, 64, 64)

    (folder / "a.csv").write_text("ImageId,EncodedPixels\n1.2.3,10 5 60 5\n1.2.4,-1\n1.2.3, 100 3\n1.2.5,-1\n")
    return [Seed(folder / "a.csv", read, True)]


def splits(folder: Path) -> list[Seed]:
    from data.read.splits import read_splits

    rows = (
        "image,split,patient,fold,label,spacing",
        "a.png,train,P1,0,1,",
        "sub/b.png,val,P2,1,0,",
        "c.png,test,,2,1,",
    )
    (folder / "a.csv").write_text("\n".join(rows) + "\n")
    (folder / "b.csv").write_text("image,split\r\na.png,train\r\n")
    return [Seed(folder / name, lambda path: read_splits(path), True) for name in ("a.csv", "b.csv")]


def options(folder: Path) -> list[Seed]:
    from options.parser import as_dict
    from options.recorded import read_run
    from options.test import TEST
    from options.train import TRAIN

    def read(path: Path) -> None:
        named = {"checkpoints_dir": str(folder), "name": path.parent.name}
        read_run(path.parent)
        TEST.resolve(named)
        TRAIN.resolve({**named, "continue_train": True})

    seeds = []
    for model, mode in (("pix2pix", "masks"), ("cycle_gan", "unaligned"), ("supervised", "aligned")):
        recorded = as_dict(TRAIN.resolve({"model": model, "dataset_mode": mode, "name": model, "dataroot": "x"}))
        path = folder / model / "options.json"
        path.parent.mkdir()
        path.write_text(json.dumps(recorded, indent=2))
        seeds.append(
            Seed(path, read, True, _changing(recorded, lambda value, path: path.write_text(json.dumps(value))))
        )
    return seeds


def states(folder: Path) -> list[Seed]:
    import torch
    from safetensors.torch import save_file

    from models.donors.architecture import Architecture
    from models.donors.build import build_generator
    from models.donors.find import upstream_options
    from models.networks.define import define_G
    from options.train import TRAIN

    def reader(netG: str) -> Read:
        opt = argparse.Namespace(**TRAIN.default_values("pix2pix", "masks"))
        opt = argparse.Namespace(**vars(opt) | {"netG": netG, "ngf": 1, "input_norm": "signed", "norm": "batch"})
        wanted = Architecture.of(argparse.Namespace(**vars(opt) | {"no_dropout": False, "output_nc": 1}))

        def read(path: Path) -> None:
            upstream_options(path.parent, "latest")
            build_generator(opt, "G", wanted, path)

        return read

    seeds = []
    for netG in ("unet_64", "resnet_6blocks", "mobile_resnet_9blocks"):
        state = {key: value.contiguous() for key, value in define_G(3, 3, 1, netG).state_dict().items()}
        path = folder / netG / "latest_net_G.pth"
        path.parent.mkdir()
        torch.save(state, path)
        (folder / f"{netG}.safetensors").parent.mkdir(exist_ok=True)
        save_file(state, folder / f"{netG}.safetensors")
        read = reader(netG)
        seeds += [Seed(path, read, change=_changing(state, torch.save)), Seed(folder / f"{netG}.safetensors", read)]
    return seeds


def tasks(folder: Path) -> list[Seed]:
    import torch

    from models.networks.define import define_G
    from models.piggyback import METHODS
    from models.piggyback.commands import summary
    from models.piggyback.files import load_task, read_task
    from models.piggyback.task import Settings, attach, detach, switch
    from util.run.checkpoint import fingerprint, save_networks

    net = define_G(1, 1, 1, "unet_64").eval()
    save_networks(folder, "latest", {"G": net})

    def read(path: Path) -> None:
        switch(net, None)
        file = read_task(path)
        summary(file)
        file.was_fitted()
        file.build_donor()
        switch(net, load_task(file, net))
        switch(net, None)

    def save(value: Any, path: Path) -> None:
        """With the right hash, or nothing behind the hash would ever be tried."""
        with contextlib.suppress(Exception):  # no hash can be made of some changes
            value["header"]["sha256"] = fingerprint(value["tensors"])
        torch.save(value, path)

    seeds = []
    for method in METHODS:
        task = attach(net, Settings(method))
        task.donor_path = folder / "latest_net_G.pth"
        contents = task.contents(folder)
        detach(net, task)
        path = folder / f"{method}_task_G.pth"
        torch.save(contents, path)
        seeds.append(Seed(path, read, change=_changing(contents, save)))
    return seeds


def _changing(value: object, save: Callable[[object, Path], object]) -> Callable[[random.Random, Path], None]:
    """What writes `value` with one to three of its parts changed."""

    def change(rng: random.Random, path: Path) -> None:
        changed = value
        for _ in range(rng.randint(1, 3)):
            changed = _changed(changed, rng)
        try:
            save(changed, path)
        except Exception:  # some values have no place in a file
            path.write_bytes(b"")

    return change


def _changed(value: object, rng: random.Random) -> object:
    """A copy of nested dicts and lists with one part replaced, taken out, or renamed."""
    if isinstance(value, dict) and value and rng.random() < 0.95:
        key = rng.choice(list(value))
        how = rng.random()
        if how < 0.1:
            return {name: part for name, part in value.items() if name != key}
        if how < 0.2:
            return {(str(_odd(rng))[:50] if name == key else name): part for name, part in value.items()}
        return value | {key: _changed(value[key], rng)}
    if isinstance(value, list) and value and rng.random() < 0.8:
        at = rng.randrange(len(value))
        return [*value[:at], _changed(value[at], rng), *value[at + 1 :]]
    return _odd_tensor(value, rng) if hasattr(value, "dtype") and rng.random() < 0.7 else _odd(rng)


def _odd(rng: random.Random) -> object:
    values = (
        None,
        True,
        False,
        0,
        -1,
        1,
        2**31,
        2**63,
        10**400,
        0.5,
        -1e308,
        math.inf,
        math.nan,
        "",
        "x",
        "\0",
        "\ud800",
    )
    return rng.choice((*values, "../../x", "x" * 5000, [], [1, "a"], {}, {"a": 1}, [[[]]], "1e3", "-1", 1e18, 3.0))


def _odd_tensor(value, rng: random.Random) -> object:
    import torch

    shape = [rng.choice((0, 1, 2, 3, 64, 1000)) for _ in range(rng.randrange(6))]
    small = torch.zeros([min(size, 3) for size in shape])
    kinds: list[Callable[[], object]] = [
        lambda: value.double(),
        lambda: value.to(torch.int64),
        lambda: value.to(torch.uint8),
        lambda: value.bool(),
        lambda: value.half(),
        lambda: value.to(torch.complex64),
        lambda: value.to(torch.float8_e5m2),
        lambda: value.to_sparse(),
        lambda: torch.quantize_per_tensor(value.float(), 0.1, 0, torch.qint8),
        lambda: value.to("meta"),
        lambda: value.flatten(),
        lambda: value[None],
        lambda: value.transpose(0, -1),
        lambda: value.contiguous(memory_format=torch.channels_last),
        lambda: torch.full_like(value, math.nan),
        lambda: torch.nested.nested_tensor([torch.zeros(2), torch.zeros(3)]),
        lambda: torch.zeros(1).expand(10**5, 10**5),
        lambda: torch.nn.Parameter(value),
        lambda: small,
        lambda: small.to(torch.int32),
        lambda: torch.zeros(shape) if math.prod(shape) < 10**6 else small,
    ]
    try:
        return rng.choice(kinds)()
    except Exception:  # not every tensor can become everything
        return small


SEEDS: dict[str, Callable[[Path], list[Seed]]] = {
    "images": images,
    "dicom": dicom,
    "classes": classes,
    "siim": siim,
    "splits": splits,
    "options": options,
    "states": states,
    "tasks": tasks,
}
"""By the reader's name: what writes its seeds into a folder."""
