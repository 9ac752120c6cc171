"""What one X-ray costs segment.py: processor time of each step, on one thread, and the bytes it writes.

    python -m benchmarks.segmenting

Processor time (user and system) depends little on what else the machine does. Each figure is the median of 7 rounds,
after one to warm up. The X-rays are drawn. The networks have random weights; their time does not depend on these.
"""

import argparse
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from PIL import Image

from data.phantom.chests import chest
from models.apply.segmenter import Outputs, Segmenter
from util.errors import run_script

ROUNDS = 7
NETWORKS = (
    ("pix2pix unet_256, ngf 16, 256 x 256", "--netG unet_256 --ngf 16 --crop_size 256"),
    ("pix2pix unet_256, ngf 64, 256 x 256", "--netG unet_256 --ngf 64 --crop_size 256"),
    ("CycleGAN resnet_9blocks, ngf 64, 256 x 256", "--netG resnet_9blocks --ngf 64 --crop_size 256"),
)
SIDES = (256, 1024, 3000)


def main() -> int:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        for title, flags in NETWORKS:
            print(f"network: {title}: {_network(_segmenter(Path(folder), flags)):.0f} ms")
        segmenter = _segmenter(Path(folder), NETWORKS[0][1])
        for side in SIDES:
            _steps(Path(folder), side, segmenter)
    return 0


def _network(segmenter: Segmenter) -> float:
    prepared = segmenter.prepare(chest(0, size=256)[0])
    return _median(lambda: segmenter.translate([prepared]))


def _segmenter(folder: Path, flags: str) -> Segmenter:
    import options.test
    from hubconf import segmenter
    from models import create_model
    from options.script import as_dict
    from util.files import write_json
    from util.run.checkpoint import save_networks

    words = f"--checkpoints_dir {folder} --name run --dataset_mode masks --gpu_ids -1 {flags}".split()
    opt = options.test.parse(words)
    save_networks(folder / "run", "latest", create_model(opt, torch.device("cpu"), training=False).networks)
    write_json(folder / "run" / "options.json", as_dict(opt))
    return segmenter("run", folder, gpu_ids="-1")


def _steps(folder: Path, side: int, segmenter: Segmenter) -> None:
    """Print what reading and writing cost for an X-ray of `side` pixels a side, PNG of 16 bits with film grain."""
    from data.stream.writers import MaskWriter
    from util.segment.manifest import describe
    from util.segment.stream import area_and_parts

    image, lungs = chest(0, size=256)
    large = np.asarray(Image.fromarray(image).resize((side, side)), np.uint16) * 250
    large += np.random.default_rng(0).integers(0, 1000, large.shape, np.uint16)
    path = folder / "x.png"
    Image.fromarray(large).save(path)
    prepared = segmenter.prepare(path)
    smooth = torch.from_numpy(lungs.astype(np.float32))[None] * 1.9 - 0.95
    outputs = Outputs((smooth.repeat(len(segmenter.translate([prepared])[0].maps[0]), 1, 1),), prepared)
    writer = MaskWriter(("png",), segmenter.classes)
    mask = segmenter.finish(outputs).mask
    read = _median(lambda: (segmenter.prepare(path), describe(path)))
    label = _median(lambda: (segmenter.finish(outputs).confidence, area_and_parts(mask)))
    write = _median(lambda: writer.write(path, folder / "y", mask))
    sizes = f"{path.stat().st_size / 1e6:.2f} MB read, {(folder / 'y_mask.png').stat().st_size / 1e3:.1f} kB written"
    print(f"{side} x {side}, 16 bits: read {read:.0f} ms, label {label:.0f} ms, write {write:.1f} ms; {sizes}")


def _median(do: Callable[[], object]) -> float:
    """Milliseconds of this process's processor time."""
    times = []
    for _ in range(ROUNDS + 1):
        began = time.process_time()
        do()
        times.append(time.process_time() - began)
    return 1000 * statistics.median(times[1:])


if __name__ == "__main__":
    run_script(main)
