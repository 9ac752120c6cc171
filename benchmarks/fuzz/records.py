"""Sound options, classes and records of runs and data sets, and how each of them is read."""

import contextlib
import json
import zlib
from pathlib import Path

import numpy as np

from benchmarks.fuzz.changes import Seed, changing


def classes(folder: Path) -> list[Seed]:
    from data.classes import Classes

    many = {f"class {i}": [i, 2 * i, 0] for i in range(20)}
    tables = [{"background": [0, 0, 0], "heart": [255, 0, 0]}, many]
    for i, table in enumerate(tables):
        (folder / f"{i}.json").write_text(json.dumps(table))
    return [Seed(folder / f"{i}.json", lambda path: Classes.load(str(path)), True) for i in range(len(tables))]


def options(folder: Path) -> list[Seed]:
    from options.recorded import read_run
    from options.script import as_dict
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
        seeds.append(Seed(path, read, True, changing(recorded, _as_json)))
    return seeds


def recipes(folder: Path) -> list[Seed]:
    """Files of flags, as `train.py @FILE` reads them."""
    from options.train import TRAIN

    def read(path: Path) -> None:
        with contextlib.suppress(SystemExit):  # --help ends the program
            TRAIN.resolve(TRAIN.typed([f"@{path}"]))

    (folder / "shared.txt").write_text("--dataset_mode masks --lr 1e-3\n")
    texts = ["# a run\n--name a --dataroot 'x y'\n@shared.txt\n--netG unet_64 --load_size 72 --crop_size 64\n"]
    texts.append("--model cycle_gan\n--dataroot x\n--lambda_identity 0.5 --gpu_ids -1\n")
    for i, text in enumerate(texts):
        (folder / f"{i}.txt").write_text(text)
    return [Seed(folder / f"{i}.txt", read, True) for i in range(len(texts))]


def logs(folder: Path) -> list[Seed]:
    """What a resumed run, its page and forgetting.py read back of its log, and of the images that it learnt from."""
    from util.forgetting.measure import costs
    from util.run.learnt import RECORD, count_learnt, record_learnt
    from util.run.log import LossLog, read_losses, read_metrics
    from util.show import plots

    def read(path: Path) -> None:
        count_learnt(folder, [path])
        LossLog(folder, epochs=3).end_epoch(2, {"val_dice": 0.9})
        costs([], 1, folder, {})
        losses, scores = read_losses(folder / "loss_log.txt"), read_metrics(folder / "metrics.csv")
        if zlib.crc32(path.read_bytes()) % 500 == 1:  # a drawing takes a thousand times as long as the rest
            plots.curves(losses, scores, folder / "curves")

    lines = [f"(epoch: {i}, iters: 4, time: 0.1, data: 0.0) G_GAN: 1.5 D_real: 0.5 \n" for i in (1, 2, 3)]
    sound = {"loss_log.txt": "==== Training Loss ====\n" + "".join(lines)}
    sound["metrics.csv"] = "epoch,iters,G_GAN,train_dice,val_dice\n1,4,1.5,0.5,0.6\n2,8,1.2,,\n3,12,nan,0.7,0.8\n"
    record_learnt(folder, [Path(__file__)])
    sound[RECORD] = (folder / RECORD).read_text()

    def restoring(path: Path) -> None:
        """The other files are sound in each input, for reading changes them."""
        for name in sound.keys() - {path.name}:
            (folder / name).write_text(sound[name])
        read(path)

    for name, text in sound.items():
        (folder / name).write_text(text)
    return [Seed(folder / name, restoring, True) for name in sound]


def threshold(folder: Path) -> list[Seed]:
    from util.score.threshold import FILE, keep_threshold, kept_threshold

    applied = {"weights": "0" * 64, "how": {"epoch": "best", "tta": True}}
    entries = [
        {"weights": weights * 64, "how": applied["how"], "threshold": 0.25, "dice": 0.9, "images": 4, "data": "lungs"}
        for weights in "01"
    ]

    def read(path: Path) -> None:
        print(kept_threshold(path.parent, applied, "a run", "lungs"))
        (folder / FILE).write_bytes(path.read_bytes())  # the next line writes the file
        keep_threshold(folder, applied, np.ones((4, 2, 257)), "lungs")

    path = folder / "run" / FILE
    path.parent.mkdir()
    path.write_text(json.dumps(entries))
    return [Seed(path, read, True, changing(entries, _as_json))]


def dataset(folder: Path) -> list[Seed]:
    """dataset.json and .prepare.json, which a second data.prepare and `--write dicomseg` read."""
    from data.classes import Classes
    from data.dicomseg import masks_show, segment_names
    from data.prepare.convert import Pixels, Written
    from data.prepare.folder import STATE, check_dialect, check_free, claim
    from data.prepare.lists import earlier, write_lists
    from data.prepare.montgomery import Montgomery
    from data.prepare.source import Item

    source, settings = Montgomery(), {"split_file": None, "split_seed": 0, "folds": 0}
    facts = {"counts": {"train": {"montgomery": {"normal": 2}}}, "settings": settings, "left_out": {"damaged": ["a"]}}
    written = Written(Item("a", Path("a.png"), (), "P1", "normal"), (64, 64), None)
    work, src = folder / "work", folder / "src"
    work.mkdir()

    def write(into: Path) -> None:
        claim(into, source, Pixels(), src, "absolute")
        write_lists(into, source, [written], {"a": "train"}, {}, facts)

    def read(path: Path) -> None:
        print(segment_names(Classes.load("lungs"), "lungs", masks_show(str(path.parent))))
        for name in ("dataset.json", STATE, "splits.csv"):  # the next lines write files
            (work / name).write_bytes((path.parent / name).read_bytes())
        check_free(work, source, Pixels(), src)
        check_dialect(work, "absolute")
        earlier(work, source.name, settings)
        write(work)

    seeds = []
    for name in ("dataset.json", STATE):
        into = folder / name.strip(".")
        into.mkdir()
        write(into)
        value = json.loads((into / name).read_text())
        seeds.append(Seed(into / name, read, True, changing(value, _as_json)))
    return seeds


def results(folder: Path) -> list[Seed]:
    """The metrics.json that test.py finds where it wants to leave its results."""
    from options.results import place

    data = {"dataroot": "/x", "dataset_mode": "masks", "phantom": None}
    value = {"data": data, "settings": {"data": "/x"}, "macro": {"dice": 0.9}}
    path = folder / "test_latest" / "metrics.json"
    path.parent.mkdir()
    path.write_text(json.dumps(value))
    return [Seed(path, lambda path: place(path.parent, "x", data, path.name), True, changing(value, _as_json))]


def _as_json(value: object, path: Path) -> None:
    path.write_text(json.dumps(value))
